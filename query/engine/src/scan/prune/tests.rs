use super::*;
use crate::scan::layout::layout;
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{col, lit};
use datafusion::physical_expr::create_physical_expr;
use holdfast_archive::Table;
use object_store::path::Path;

const DAY: i64 = 86_400_000_000;

fn file(class: &str, date: i32, time: Option<(i64, i64)>) -> DataFile {
    let id = format!("{class}-{date}");
    DataFile { path: Path::from(id.as_str()), id, class: class.into(), date, rows: 10, size: 1000, time }
}

/// Three days with one file each, a file without a time range, and one of another class.
fn files() -> Vec<DataFile> {
    let day = |date: i32| Some((i64::from(date) * DAY, i64::from(date) * DAY + DAY - 1));
    vec![
        file("general", 20_000, day(20_000)),
        file("general", 20_001, day(20_001)),
        file("general", 20_002, day(20_002)),
        file("general", 20_002, None),
        file("finance", 20_001, day(20_001)),
    ]
}

fn selected(filters: &[Expr]) -> Vec<usize> {
    selected_of(&files(), filters)
}

fn selected_of(files: &[DataFile], filters: &[Expr]) -> Vec<usize> {
    select(files, &physical(filters), layout(Table::Events).table_schema(), "time").unwrap()
}

fn physical(filters: &[Expr]) -> Vec<Arc<dyn PhysicalExpr>> {
    let logical = DFSchema::try_from(layout(Table::Events).table_schema().as_ref().clone()).unwrap();
    let (properties, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    filters.iter().map(|filter| create_physical_expr(filter, &logical, &properties, &context).unwrap()).collect()
}

fn time(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

fn date(days: i32) -> Expr {
    lit(ScalarValue::Date32(Some(days)))
}

fn class(name: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(name.into())))
}

#[test]
fn without_filters_every_file_is_read() {
    assert_eq!(selected(&[]), [0, 1, 2, 3, 4]);
    assert_eq!(selected_of(&[], &[col("date").eq(date(1))]), Vec::<usize>::new());
}

#[test]
fn filters_on_the_partition_are_exact() {
    assert_eq!(selected(&[col("date").eq(date(20_001))]), [1, 4]);
    assert_eq!(selected(&[col("class").eq(class("finance"))]), [4]);
    assert_eq!(selected(&[col("date").gt(date(20_000)), col("class").eq(class("general"))]), [1, 2, 3]);
    assert_eq!(selected(&[col("date").eq(date(20_000)).or(col("class").eq(class("finance")))]), [0, 4]);
    assert_eq!(selected(&[col("class").not_eq(class("general"))]), [4]);
    assert_eq!(selected(&[col("date").in_list(vec![date(20_000), date(20_002)], false)]), [0, 2, 3]);
}

#[test]
fn filters_on_time_use_the_ranges_of_the_files() {
    let middle = 20_001 * DAY + DAY / 2;
    assert_eq!(selected(&[col("time").gt_eq(time(middle))]), [1, 2, 3, 4]);
    assert_eq!(selected(&[col("time").lt(time(20_001 * DAY))]), [0, 3]);
    assert_eq!(selected(&[col("time").between(time(middle), time(middle + 5))]), [1, 3, 4]);
    assert_eq!(selected(&[col("time").eq(time(0)).or(col("date").eq(date(20_000)))]), [0, 3]);
}

#[test]
fn an_implausible_time_is_found_in_the_partition_of_its_arrival() {
    // An event with a time in 1970 is in the partition of the date of its arrival.
    let mut files = files();
    files[2].time = Some((0, 20_002 * DAY));
    assert_eq!(selected_of(&files, &[col("time").lt(time(DAY))]), [2, 3]);
}

#[test]
fn other_filters_keep_every_file() {
    assert_eq!(selected(&[col("subject").eq(class("S-1"))]), [0, 1, 2, 3, 4]);
    assert_eq!(selected(&[col("rating").gt(lit(3))]), [0, 1, 2, 3, 4]);
}

#[test]
fn only_filters_on_partition_columns_alone_are_exact() {
    assert!(is_on_partition_only(&col("date").eq(date(1)).or(col("class").eq(class("a")))));
    assert!(!is_on_partition_only(&col("date").eq(date(1)).and(col("time").gt(time(1)))));
    assert!(!is_on_partition_only(&lit(true)));
}

#[test]
fn filters_that_name_subjects_are_recognised() {
    let named = |filters: &[Expr]| texts(&physical(filters), "subject");
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<HashSet<_>>();
    let subject = || col("subject");
    let text = class;
    assert_eq!(named(&[subject().eq(text("a"))]), [set(&["a"])]);
    assert_eq!(named(&[text("a").eq(subject())]), [set(&["a"])]);
    assert_eq!(named(&[subject().eq(text("a")).or(subject().eq(text("b")))]), [set(&["a", "b"])]);
    assert_eq!(named(&[subject().in_list(vec![text("a"), text("b")], false)]), [set(&["a", "b"])]);
    assert_eq!(
        named(&[subject().eq(text("a")).and(col("type").eq(text("t"))), subject().eq(text("c"))]),
        [set(&["a"]), set(&["c"])]
    );
    // Anything else lets rows of any subject through.
    for filter in [
        subject().not_eq(text("a")),
        subject().in_list(vec![text("a")], true),
        subject().gt(text("a")),
        subject().eq(text("a")).or(col("type").eq(text("t"))),
        subject().eq(col("type")),
        col("type").eq(text("a")),
        subject().like(text("a%")),
    ] {
        assert!(named(std::slice::from_ref(&filter)).is_empty(), "{filter}");
    }
}
