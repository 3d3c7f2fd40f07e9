//! Plots of every kind, from batches in the engine's form.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;

use crate::{Arguments, Plot, PlotError, Report, Unit, all, find};

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<StringArray>())
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array)))).unwrap()
}

/// A result with `rows` rows, by the units of the report's columns.
fn answer(report: &Report, rows: usize, names: &str) -> RecordBatch {
    let column = |unit: Unit| -> ArrayRef {
        match unit {
            Unit::Text => Arc::new((0..rows).map(|row| Some(format!("{names}{}", row % 13))).collect::<StringArray>()),
            Unit::Date => Arc::new((0..rows).map(|row| Some(20_000 + (row / 13) as i32)).collect::<Date32Array>()),
            Unit::Hour => Arc::new((0..rows).map(|row| Some((row % 24) as i32)).collect::<Int32Array>()),
            Unit::Sessions => Arc::new((0..rows).map(|row| Some((row * 7 % 90) as i64)).collect::<Int64Array>()),
            _ => Arc::new((0..rows).map(|row| (row % 5 > 0).then_some(row as f64 * 1.5)).collect::<Float64Array>()),
        }
    };
    let columns: Vec<(&str, ArrayRef)> = report.columns.iter().map(|known| (known.name, column(known.unit))).collect();
    batch(&columns)
}

fn drawn() -> impl Iterator<Item = &'static Report> {
    all().iter().filter(|report| report.plot != Plot::None)
}

/// Asserts that every tag is closed and known.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        let known = ["svg", "title", "desc", "rect", "text", "line", "polyline", "circle", "g"];
        assert!(known.contains(&name), "{name}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        let entities = text.split('&').skip(1);
        entities.for_each(|rest| assert!(["amp;", "lt;", "gt;", "quot;"].iter().any(|known| rest.starts_with(known))));
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "numbers are finite");
}

#[test]
fn every_plot_is_drawn_from_few_and_many_rows() {
    for report in drawn() {
        for rows in [1, 2, 40, 3_000] {
            let svg = report.plot(&Arguments::new(), &[answer(report, rows, "name-")]).unwrap();
            assert_well_formed(&svg);
            assert!(svg.contains(report.title), "{}", report.name);
            assert!(svg.len() < 2_000_000, "{}: {} bytes", report.name, svg.len());
        }
    }
}

#[test]
fn an_empty_result_is_drawn_as_nothing_to_show() {
    for report in drawn() {
        for batches in [vec![], vec![answer(report, 0, "")]] {
            let svg = report.plot(&Arguments::new(), &batches).unwrap();
            assert_well_formed(&svg);
            assert!(svg.contains("Nothing to show"), "{}", report.name);
        }
    }
}

#[test]
fn rows_that_are_left_out_are_counted_in_a_remark() {
    let report = find("wait-by-agent").unwrap();
    let names: Vec<String> = (0..75).map(|index| format!("agent {index}")).collect();
    let numbers = || Arc::new((0..75).map(f64::from).collect::<Float64Array>()) as ArrayRef;
    let rows = batch(&[
        ("agent", texts(names.iter().map(String::as_str))),
        ("p50", numbers()),
        ("p90", numbers()),
        ("p95", numbers()),
    ]);
    let svg = report.plot(&Arguments::new(), &[rows]).unwrap();
    assert!(svg.contains("The first 60 of 75 rows; the table has all."));
    assert!(svg.contains(">agent 59<") && !svg.contains(">agent 60<"));
}

#[test]
fn arguments_are_shown_under_the_title() {
    let report = find("busiest-hours").unwrap();
    let mut arguments = Arguments::new();
    arguments.set("from", "2026-05-01");
    arguments.set("portal", "<b>%");
    let svg = report.plot(&arguments, &[]).unwrap();
    assert!(svg.contains("from 2026-05-01, portal &lt;b&gt;%"));
}

#[test]
fn results_of_other_statements_are_refused_with_the_column() {
    let report = find("busiest-hours").unwrap();
    let plot =
        |columns: &[(&str, ArrayRef)]| report.plot(&Arguments::new(), &[batch(columns)]).unwrap_err().to_string();
    let hours: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert!(plot(&[("hour", Arc::clone(&hours))]).contains("`weekday` is missing"));
    let wrong = [("hour", hours), ("weekday", texts(["Monday"])), ("requests", texts(["many"]))];
    assert!(plot(&wrong).contains("`requests` contains a value that is not a number"));
    let list = find("changed-diagnostics").unwrap();
    assert_eq!(list.plot(&Arguments::new(), &[]).unwrap_err(), PlotError::NoPlot { report: "changed-diagnostics" });
}

#[test]
fn long_names_are_shortened_and_complete_in_the_tooltip() {
    let report = find("first-session-resolution-by-issue-type").unwrap();
    let long = "a very long issue type that an agent wrote into the field in place of a short one";
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![50.0]));
    let rows = batch(&[("issue_type", texts([long])), ("first_session_percent", numbers)]);
    let svg = report.plot(&Arguments::new(), &[rows]).unwrap();
    assert!(svg.contains(&format!("<title>{long}</title>")) && svg.contains('…'));
    assert!(!svg.contains(&format!(">{long}</text>")));
}

#[test]
fn a_negative_number_is_left_of_its_bar_if_it_has_room() {
    let report = find("session-return").unwrap();
    let numbers = |values: [f64; 2]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let anchor = |saving: [f64; 2], words: &str| {
        let rows = [
            ("issue_type", texts(["printer", "wifi"])),
            ("session_cost", numbers([20.0, 40.0])),
            ("saving", numbers(saving)),
        ];
        let svg = report.plot(&Arguments::new(), &[batch(&rows)]).unwrap();
        let text = svg.lines().find(|line| line.ends_with(&format!(">{words}</text>"))).unwrap().to_owned();
        text.split("text-anchor=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    assert_eq!(anchor([3_400.0, -292.0], "-292"), "end");
    assert_eq!(anchor([3_400.0, -292.0], "3,400"), "start");
    // The names leave no room there.
    assert_eq!(anchor([3_400.0, -999.0], "-999"), "start");
}

proptest! {
    /// The image is well-formed for all names.
    #[test]
    fn names_cannot_break_out(name in "[<>&\"'/ \\PC]{0,12}|\\PC{0,12}") {
        for report in drawn() {
            assert_well_formed(&report.plot(&Arguments::new(), &[answer(report, 30, &name)]).unwrap());
        }
    }
}
