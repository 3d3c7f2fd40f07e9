//! Values of a row, by the name of their column. A column that is NULL or withheld is absent.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// A row of a result.
pub(super) type Row = Map<String, Value>;

/// A text; empty if it is absent.
pub(super) fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A text.
pub(super) fn string(row: &Row, name: &str) -> Option<String> {
    row.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// A whole number.
pub(super) fn integer(row: &Row, name: &str) -> Option<i64> {
    row.get(name).and_then(Value::as_i64)
}

/// A whole number that is not negative.
pub(super) fn count(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(Value::as_u64)
}

/// A number.
pub(super) fn number(row: &Row, name: &str) -> Option<f64> {
    row.get(name).and_then(Value::as_f64)
}

/// Whether it is true.
pub(super) fn is(row: &Row, name: &str) -> bool {
    row.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A time.
pub(super) fn time(row: &Row, name: &str) -> anyhow::Result<Option<DateTime<Utc>>> {
    let Some(text) = row.get(name).and_then(Value::as_str) else { return Ok(None) };
    // Also years with a sign, of events whose time is out of all bounds.
    let time = text.parse::<DateTime<Utc>>().with_context(|| format!("the column `{name}` is not a time"))?;
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_in_a_year_with_a_sign() {
        for text in ["2026-01-31T09:30:00Z", "+10000-01-01T04:59:59.999999Z", "-0001-12-31T23:00:00Z"] {
            let row = Row::from_iter([("time".to_owned(), Value::from(text))]);
            assert!(time(&row, "time").unwrap().is_some(), "{text}");
        }
        let row = Row::from_iter([("time".to_owned(), Value::from("yesterday"))]);
        assert!(time(&row, "time").is_err());
    }
}
