//! Compares with what PostgreSQL answers, and the arithmetic with an oracle of its own.

mod calculations;
mod oracle;

use crate::testing;

#[test]
fn the_answers_are_postgresqls() {
    testing::compare(include_str!("answers.tsv"));
}

#[test]
fn a_constant_of_today_is_refused() {
    let context = testing::context();
    for word in ["now", "today", "tomorrow", "yesterday"] {
        let error = testing::rows(&context, &format!("SELECT timestamptz '{word}'")).unwrap_err();
        assert_eq!(testing::state_of(&error), "0A000", "{word}");
    }
}

#[test]
fn a_stride_of_months_is_taken() {
    let context = testing::context();
    let sql = "SELECT date_bin('1 month', timestamp '2026-05-10', timestamp '2001-01-15')::text";
    assert_eq!(testing::rows(&context, sql).unwrap(), [[Some("2026-04-15 00:00:00".to_owned())]]);
}

#[test]
fn an_infinite_numeric_is_refused() {
    let error = testing::rows(&testing::context(), "SELECT extract(year from timestamp 'infinity')").unwrap_err();
    assert_eq!(testing::state_of(&error), "0A000");
}
