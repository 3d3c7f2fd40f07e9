//! Horizontal bars: names have room on the left, however long they are; numbers stand at the ends.

use super::answer::{Answer, distinct};
use super::canvas::{Anchor, Canvas, GREY, GRID, INK, MARGIN, width};
use super::scale::{Scale, axis, say};
use super::{COLOURS, words};
use crate::error::PlotError;
use crate::header::Unit;

/// More rows than this are no picture any more.
const MOST: usize = 60;
/// Room for names at most.
const NAMES: f64 = 220.0;

/// One name with its numbers.
struct Row<'a> {
    name: &'a str,
    within: Option<&'a str>,
    values: Vec<Option<f64>>,
}

/// Draws bars of the columns `y` for each `x`; end to end when they are stacked.
pub(super) fn draw(
    canvas: &mut Canvas,
    answer: &Answer<'_>,
    x: &str,
    y: &[&str],
    within: Option<&str>,
    is_stacked: bool,
) -> Result<(), PlotError> {
    let names = answer.texts(x)?;
    let headings: Option<Vec<String>> = within.map(|within| answer.texts(within)).transpose()?;
    let columns = y.iter().map(|y| answer.numbers(y)).collect::<Result<Vec<_>, _>>()?;
    let row = |(index, name): (usize, _)| Row {
        name,
        within: headings.as_ref().map(|headings| headings[index].as_str()),
        values: columns.iter().map(|column| column[index]).collect(),
    };
    let rows: Vec<Row<'_>> = names.iter().map(String::as_str).enumerate().map(row).collect();
    if y.len() > 1 {
        let entries: Vec<(&str, String)> =
            y.iter().enumerate().map(|(index, y)| (COLOURS[index % COLOURS.len()], words(y))).collect();
        canvas.legend(&entries);
    }
    rows_of_bars(canvas, &rows, answer.unit(y[0]), &axis(answer.unit(y[0]), y[0]), is_stacked);
    Ok(())
}

/// One bar for each name: what a line of a single moment is drawn as.
pub(super) fn simple(canvas: &mut Canvas, values: &[(String, Option<f64>)], unit: Unit, title: &str) {
    let rows: Vec<Row<'_>> =
        values.iter().map(|(name, value)| Row { name, within: None, values: vec![*value] }).collect();
    rows_of_bars(canvas, &rows, unit, title, false);
}

fn rows_of_bars(canvas: &mut Canvas, all: &[Row<'_>], unit: Unit, title: &str, is_stacked: bool) {
    let rows = &all[..all.len().min(MOST)];
    let total = |row: &Row<'_>| row.values.iter().flatten().sum::<f64>();
    let measures = rows.first().map_or(1, |row| row.values.len());
    let scale = if is_stacked {
        Scale::around(rows.iter().map(total), unit, 6)
    } else {
        Scale::around(rows.iter().flat_map(|row| row.values.iter().flatten().copied()), unit, 6)
    };
    let room = rows.iter().map(|row| width(row.name, 12.0)).fold(40.0, f64::max).min(NAMES);
    let left = MARGIN + room + 10.0;
    let most = say(scale.high, unit);
    let right = canvas.width - MARGIN - width(&most, 11.0).max(40.0) - 14.0;
    let x = |value: f64| left + scale.part(value) * (right - left);
    let bar = if is_stacked || measures == 1 { 18.0 } else { 11.0 };
    let pitch = if is_stacked { bar } else { bar * measures as f64 } + 10.0;

    let headings = distinct(&rows.iter().filter_map(|row| row.within.map(str::to_owned)).collect::<Vec<_>>()).len();
    let top = canvas.top;
    let bottom = top + pitch * rows.len() as f64 + 26.0 * headings as f64 + 4.0;
    for (value, words) in scale.ticks() {
        canvas.line((x(value), top), (x(value), bottom), GRID);
        canvas.text(x(value), bottom + 16.0, Anchor::Middle, 11.0, GREY, false, &words);
    }
    let mut y = top + 6.0;
    let mut heading = None;
    for row in rows {
        if row.within != heading {
            heading = row.within;
            canvas.text(MARGIN, y + 14.0, Anchor::Start, 12.0, INK, true, heading.unwrap_or_default());
            y += 26.0;
        }
        let height = pitch - 10.0;
        canvas.label(left - 10.0, y + height / 2.0 + 4.0, 12.0, room, row.name);
        let mut end = 0.0;
        for (index, value) in row.values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let colour = COLOURS[index % COLOURS.len()];
            let says = format!("{}: {}", row.name, say(value, unit));
            if is_stacked {
                canvas.rect([x(end), y, x(end + value) - x(end), bar], colour, &says);
                let words = say(value, unit);
                if x(end + value) - x(end) > width(&words, 11.0) + 8.0 {
                    canvas.text((x(end) + x(end + value)) / 2.0, y + 13.0, Anchor::Middle, 11.0, "#fff", true, &words);
                }
                end += value;
            } else {
                let at = y + bar * index as f64;
                let (from, to) = (x(value.min(0.0)), x(value.max(0.0)));
                canvas.rect([from, at, (to - from).max(1.0), bar - 1.0], colour, &says);
                let words = say(value, unit);
                let size = if bar > 12.0 { 11.0 } else { 10.0 };
                // A loss is told on the side of losses, where there is room before the names.
                let is_before = value < 0.0 && from - 5.0 - width(&words, size) > left;
                let (place, anchor) = if is_before { (from - 5.0, Anchor::End) } else { (to + 5.0, Anchor::Start) };
                canvas.text(place, at + bar / 2.0 + 3.5, anchor, size, GREY, false, &words);
            }
        }
        if is_stacked {
            canvas.text(x(end) + 5.0, y + 13.0, Anchor::Start, 11.0, GREY, false, &say(end, unit));
        }
        y += pitch;
    }
    canvas.line((x(0.0_f64.max(scale.low)), top), (x(0.0_f64.max(scale.low)), bottom), GREY);
    canvas.text((left + right) / 2.0, bottom + 36.0, Anchor::Middle, 12.0, INK, false, title);
    canvas.top = bottom + 44.0;
    if all.len() > rows.len() {
        canvas.remark(&format!("The first {} of {} rows; the table has all.", rows.len(), all.len()));
    }
}
