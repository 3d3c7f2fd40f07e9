//! The times for which a function of time returns a constant: a range, by which files are selected.
//!
//! | filter | the times |
//! |---|---|
//! | `date_trunc('month', t) = '2026-05-01'` | from that moment to the start of the next month |
//! | `extract(year FROM t) = 2026` | the year |

use super::calendar::{DAY, Date, HOUR, MINUTE, SECOND, is_finite, join};
use super::starts::start;
use super::words::Unit;
use super::zone::Zone;
use crate::function::Preimage;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

/// The times that `date_trunc(unit, time [, zone])` truncates to `value`.
pub(super) fn of_truncation(arguments: &[Expr], value: &ScalarValue, _: &ScalarValue) -> Option<Preimage> {
    let (unit, zone) = match arguments {
        [unit, _] => (unit, Zone::Utc),
        [unit, _, zone] => (unit, Zone::named(text(zone)?).ok()?),
        _ => return None,
    };
    let unit = Unit::named(&text(unit)?.to_ascii_lowercase())?;
    let ScalarValue::TimestampMicrosecond(Some(first), of_type) = value else { return None };
    if !is_finite(*first) || start(unit, *first, &zone) != Some(*first) {
        return None;
    }
    let end = next(unit, *first, &zone)?;
    let time = |time| ScalarValue::TimestampMicrosecond(Some(time), of_type.clone());
    Some(Preimage { argument: 1, start: time(*first), end: time(end) })
}

/// The start of the unit behind the one that starts at `first`.
fn next(unit: Unit, first: i64, zone: &Zone) -> Option<i64> {
    let of_clock = |length: i64| if matches!(zone, Zone::Utc) { first.checked_add(length) } else { None };
    // Days behind `first` that are in the next unit whatever the lengths of its months, years and days are.
    let days = match unit {
        Unit::Microsecond => return of_clock(1),
        Unit::Millisecond => return of_clock(1_000),
        Unit::Second => return of_clock(SECOND),
        Unit::Minute => return of_clock(MINUTE),
        Unit::Hour => return of_clock(HOUR),
        Unit::Day => return start(unit, first.checked_add(DAY + DAY / 2)?, zone),
        Unit::Week => 8,
        Unit::Month => 32,
        Unit::Quarter => 93,
        Unit::Year => 367,
        Unit::Decade => 3_660,
        Unit::Century => 36_600,
        Unit::Millennium => 366_000,
    };
    start(unit, first.checked_add(DAY.checked_mul(days)?)?, zone)
}

/// The times of which `extract(year FROM time)` and `date_part('year', time)` are `value`.
pub(super) fn of_year(arguments: &[Expr], value: &ScalarValue, argument: &ScalarValue) -> Option<Preimage> {
    let [part, _] = arguments else { return None };
    if !text(part)?.eq_ignore_ascii_case("year") {
        return None;
    }
    let year = whole(value)?;
    // Years of four digits: there is no year 0, and those before it are counted otherwise.
    if !(1..=9_999).contains(&year) {
        return None;
    }
    let [first, end] = [year, year + 1].map(|year| Date::first(year, 1).days());
    let at = |days: i64| {
        Some(match argument {
            ScalarValue::Date32(_) => ScalarValue::Date32(Some(i32::try_from(days).ok()?)),
            ScalarValue::TimestampMicrosecond(_, zone) => {
                ScalarValue::TimestampMicrosecond(Some(join(days, 0)?), zone.clone())
            }
            _ => return None,
        })
    };
    Some(Preimage { argument: 1, start: at(first)?, end: at(end)? })
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The value of a number that has no fraction.
fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Float64(Some(value)) if value.fract() == 0.0 && value.abs() < 1e9 => {
            format!("{value:.0}").parse().ok()
        }
        ScalarValue::Decimal128(Some(_), ..) | ScalarValue::Decimal256(Some(_), ..) => {
            let text = value.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            fraction.chars().all(|digit| digit == '0').then(|| whole.parse().ok())?
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    fn at(text: &str) -> ScalarValue {
        let time = chrono::DateTime::parse_from_rfc3339(text).unwrap();
        ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), Some("UTC".into()))
    }

    #[test]
    fn a_truncated_time_is_a_range_of_times() {
        for (unit, zone, first, end) in [
            ("hour", None, "2026-05-10T08:00:00Z", "2026-05-10T09:00:00Z"),
            ("DAY", None, "2026-05-10T00:00:00Z", "2026-05-11T00:00:00Z"),
            ("week", None, "2026-05-11T00:00:00Z", "2026-05-18T00:00:00Z"),
            ("month", None, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("month", None, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("quarter", None, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("year", None, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("century", None, "2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"),
            // Days of 23 and of 25 hours.
            ("day", Some("Europe/Berlin"), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("day", Some("Europe/Berlin"), "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ] {
            let arguments: Vec<Expr> = [lit(unit), col("t")].into_iter().chain(zone.map(lit)).collect();
            let found = of_truncation(&arguments, &at(first), &ScalarValue::Null).unwrap();
            assert_eq!((found.argument, found.start, found.end), (1, at(first), at(end)), "{unit}");
        }
    }

    #[test]
    fn what_no_time_is_truncated_to_has_no_range() {
        let month = |value: &ScalarValue| of_truncation(&[lit("month"), col("t")], value, &ScalarValue::Null);
        assert!(month(&at("2026-05-02T00:00:00Z")).is_none());
        assert!(month(&ScalarValue::TimestampMicrosecond(Some(i64::MAX), None)).is_none());
        assert!(month(&ScalarValue::TimestampMicrosecond(None, None)).is_none());
        assert!(of_truncation(&[lit("moon"), col("t")], &at("2026-05-01T00:00:00Z"), &ScalarValue::Null).is_none());
        assert!(of_truncation(&[col("unit"), col("t")], &at("2026-05-01T00:00:00Z"), &ScalarValue::Null).is_none());
    }

    #[test]
    fn a_year_is_a_range_of_times_and_of_dates() {
        let year = |value: ScalarValue, argument: ScalarValue| of_year(&[lit("year"), col("t")], &value, &argument);
        let time = ScalarValue::TimestampMicrosecond(None, Some("UTC".into()));
        let found = year(ScalarValue::Float64(Some(2026.0)), time.clone()).unwrap();
        assert_eq!((found.start, found.end), (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")));
        let found = year(ScalarValue::Decimal128(Some(19_700), 5, 1), ScalarValue::Date32(None)).unwrap();
        assert_eq!((found.start, found.end), (ScalarValue::Date32(Some(0)), ScalarValue::Date32(Some(365))));
        for value in [ScalarValue::Float64(Some(2026.5)), ScalarValue::Float64(Some(0.0)), ScalarValue::Float64(None)] {
            assert!(year(value, time.clone()).is_none());
        }
    }
}
