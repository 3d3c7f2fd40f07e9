//! Values in text: when two of one type are the same.

/// PostgreSQL's number of `numeric`.
pub(super) const NUMERIC: u32 = 1700;
const NUMERICS: u32 = 1231;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
const FLOAT4S: u32 = 1021;
const FLOAT8S: u32 = 1022;
pub(super) const INTERVAL: u32 = 1186;
/// How much floats may differ, relative to their size.
const TOLERANCE: f64 = 1e-12;
/// Of four bytes: one unit in the last place of a float.
const SHORT_TOLERANCE: f64 = 1.2e-7;
/// Digits of a numeric that an answer of Holdfast can have.
const MOST_DIGITS: usize = 76;

/// Whether two values of this type are the same.
pub(super) fn same(oid: u32, one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    one == other
        || match oid {
            NUMERIC => same_numeric(one, other),
            FLOAT4 => is_near(one, other, SHORT_TOLERANCE),
            FLOAT8 => is_near(one, other, TOLERANCE),
            NUMERICS | FLOAT4S | FLOAT8S => same_items(oid, one, other),
            _ => false,
        }
}

/// Whether two values of this type have the same place in an order: intervals of one length are equal, and 0 and -0.
pub(super) fn same_place(oid: u32, one: Option<&str>, other: Option<&str>) -> bool {
    same(oid, one, other)
        || match (oid, one.zip(other)) {
            (INTERVAL, Some((one, other))) => length(one).is_some_and(|of_one| length(other) == Some(of_one)),
            (FLOAT4 | FLOAT8, Some((one, other))) => one.parse() == Ok(0.0) && other.parse() == Ok(0.0),
            _ => false,
        }
}

/// The microseconds of an interval by which PostgreSQL orders it: a month has 30 days, a day 24 hours.
pub(super) fn length(interval: &str) -> Option<i128> {
    const DAY: i128 = 24 * 60 * 60 * 1_000_000;
    let mut sum = 0;
    let mut words = interval.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, time) = match word.strip_prefix('-') {
                Some(time) => (-1, time),
                None => (1, word.trim_start_matches('+')),
            };
            let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
            let mut seconds = 0;
            for part in whole.split(':') {
                seconds = 60 * seconds + part.parse::<i128>().ok()?;
            }
            sum += sign * (1_000_000 * seconds + format!("{fraction:0<6}").parse::<i128>().ok()?);
            continue;
        }
        let days = match words.next()? {
            "year" | "years" => 360,
            "mon" | "mons" => 30,
            "day" | "days" => 1,
            _ => return None,
        };
        sum += days * DAY * word.trim_start_matches('+').parse::<i128>().ok()?;
    }
    Some(sum)
}

/// The text by which values that are certainly the same are found.
pub(super) fn normalized(oid: u32, text: &str) -> String {
    if oid == NUMERIC { without_zeros(text).to_owned() } else { text.to_owned() }
}

/// Whether a numeric has more digits than an answer of Holdfast can have.
pub(super) fn has_too_many_digits(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() > MOST_DIGITS
}

fn same_items(oid: u32, one: &str, other: &str) -> bool {
    let item = match oid {
        NUMERICS => NUMERIC,
        FLOAT4S => FLOAT4,
        _ => FLOAT8,
    };
    let items = |text: &str| text.split([',', '{', '}']).map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (items(one), items(other));
    one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(item, Some(one), Some(other)))
}

fn same_numeric(one: &str, other: &str) -> bool {
    let (one, other) = (without_zeros(one), without_zeros(other));
    // A quotient of more digits than the other side keeps.
    let cut = |text: &str| text.bytes().filter(u8::is_ascii_digit).count() >= MOST_DIGITS;
    one == other || (cut(one) || cut(other)) && (one.starts_with(other) || other.starts_with(one))
}

/// Without the zeros after the point that say nothing.
fn without_zeros(text: &str) -> &str {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if text == "-0" { "0" } else { text }
}

fn is_near(one: &str, other: &str, tolerance: f64) -> bool {
    let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) else { return false };
    if one.is_nan() || other.is_nan() || one.is_infinite() || other.is_infinite() {
        return one.is_nan() && other.is_nan() || one == other;
    }
    // Zero has a sign, and a text that shows it.
    if one == 0.0 && other == 0.0 {
        return one.is_sign_negative() == other.is_sign_negative();
    }
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_one_length_have_one_place() {
        let is_one = |one, other| same_place(INTERVAL, Some(one), Some(other));
        assert!(is_one("1 mon", "30 days") && is_one("1 day", "24:00:00") && is_one("1 year -1 days", "359 days"));
        assert!(is_one("-1 days +23:59:59.5", "-00:00:00.5") && is_one("00:00:00", "1 mon -30 days"));
        assert!(!is_one("1 mon", "31 days") && !is_one("00:00:00.1", "00:00:00.01"));
        assert!(!same(INTERVAL, Some("1 mon"), Some("30 days")));
        assert!(same_place(FLOAT8, Some("0"), Some("-0")) && !same(FLOAT8, Some("0"), Some("-0")));
    }

    #[test]
    fn numerics_are_compared_by_value_and_floats_nearly() {
        assert!(same(NUMERIC, Some("1.500"), Some("1.5")) && same(NUMERIC, Some("0.00"), Some("0")));
        assert!(!same(NUMERIC, Some("100"), Some("1")) && !same(NUMERIC, Some("1.5"), None));
        assert!(
            same(FLOAT8, Some("0.1"), Some("0.1000000000000000055")) && !same(FLOAT8, Some("0.1"), Some("0.10001"))
        );
        assert!(same(FLOAT8, Some("NaN"), Some("NaN")) && !same(FLOAT8, Some("Infinity"), Some("1e308")));
        assert!(!same(FLOAT8, Some("-0"), Some("0")));
        assert!(same(FLOAT8S, Some("{0.1,NULL}"), Some("{0.10000000000000001,NULL}")));
        assert!(!same(FLOAT8S, Some("{0.1}"), Some("{0.1,0.2}")));
        assert!(same(25, None, None) && !same(25, Some(""), None));
    }
}
