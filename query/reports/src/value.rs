//! The types of parameters, and values as SQL literals.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};

/// The type of a parameter, derived from its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A point in time: a date, or a date and a time (RFC 3339; UTC without an offset).
    Time,
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
}

/// The accepted years: the engine's literals represent them exactly.
const YEARS: std::ops::Range<i32> = 1900..2201;
/// The most characters of a text. The limit keeps statements readable.
const MAX_TEXT_CHARACTERS: usize = 10_000;

impl Type {
    /// The type of a literal; `None` if the text is not a literal.
    pub(crate) fn of(literal: &str) -> Option<Self> {
        if literal.starts_with('\'') {
            Some(Self::Text)
        } else if literal.to_ascii_lowercase().starts_with("timestamptz '") {
            Some(Self::Time)
        } else if literal.parse::<i64>().is_ok() {
            Some(Self::Whole)
        } else if literal.starts_with(|first: char| first.is_ascii_digit()) && literal.parse::<f64>().is_ok() {
            Some(Self::Number)
        } else {
            None
        }
    }

    /// A value as a literal; the error describes the valid values.
    pub(crate) fn literal(self, value: &str) -> Result<String, String> {
        match self {
            Self::Text => quoted(value),
            Self::Time => {
                let time = time(value.trim()).ok_or(
                    "write a date such as 2026-05-01, or a date and time such as 2026-05-01T08:30:00Z, in the years \
                     1900 to 2200",
                )?;
                Ok(format!("timestamptz '{}'", time.format("%Y-%m-%d %H:%M:%S%.6fZ")))
            }
            Self::Whole => {
                let number: i64 = value.trim().parse().map_err(|_| "write a whole number such as 30")?;
                Ok(signed(number.to_string()))
            }
            Self::Number => {
                let number = value.trim().parse::<f64>().ok().filter(|number| number.abs() < 1e15);
                Ok(signed(format!("{:?}", number.ok_or("write a number such as 30 or 12.5")?)))
            }
        }
    }
}

fn quoted(value: &str) -> Result<String, String> {
    if value.contains('\0') {
        return Err("a text cannot contain the character NUL".to_owned());
    }
    if value.chars().count() > MAX_TEXT_CHARACTERS {
        return Err(format!("it is longer than {MAX_TEXT_CHARACTERS} characters"));
    }
    Ok(format!("'{}'", value.replace('\'', "''")))
}

/// Puts a negative number in parentheses: after a minus sign it would start a comment.
fn signed(number: String) -> String {
    if number.starts_with('-') { format!("({number})") } else { number }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    use chrono::Datelike as _;
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    let without_offset = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(chrono::NaiveTime::MIN));
    let time = whole.or_else(|| without_offset().or_else(day).map(|time| Utc.from_utc_datetime(&time)))?;
    YEARS.contains(&time.year()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_accepted_in_several_forms() {
        for (text, literal) in [
            ("2026-05-01", "timestamptz '2026-05-01 00:00:00.000000Z'"),
            (" 2026-05-01T08:30 ", "timestamptz '2026-05-01 08:30:00.000000Z'"),
            ("2026-05-01 08:30:05.25", "timestamptz '2026-05-01 08:30:05.250000Z'"),
            ("2026-05-01T01:00:00+02:00", "timestamptz '2026-04-30 23:00:00.000000Z'"),
        ] {
            assert_eq!(Type::Time.literal(text).unwrap(), literal);
        }
        for text in ["", "yesterday", "2026-13-01", "9999-01-01", "0001-01-01", "2026-05-01'; drop"] {
            assert!(Type::Time.literal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_type_and_never_start_a_comment() {
        assert_eq!(Type::Number.literal("30").unwrap(), "30.0");
        assert_eq!(Type::Number.literal("-2.5").unwrap(), "(-2.5)");
        assert_eq!(Type::Whole.literal("7").unwrap(), "7");
        assert_eq!(Type::Whole.literal("-7").unwrap(), "(-7)");
        for text in ["", "x", "1e400", "NaN", "inf", "1; --"] {
            assert!(Type::Number.literal(text).is_err(), "{text}");
        }
        assert!(Type::Whole.literal("1.5").is_err());
    }

    #[test]
    fn the_type_is_derived_from_the_literal() {
        assert_eq!(Type::of("'%'"), Some(Type::Text));
        assert_eq!(Type::of("timestamptz '2026-01-01'"), Some(Type::Time));
        assert_eq!(Type::of("30"), Some(Type::Whole));
        assert_eq!(Type::of("30.0"), Some(Type::Number));
        assert_eq!((Type::of("inf"), Type::of("name"), Type::of("")), (None, None, None));
    }

    proptest! {
        /// For every text, the literal ends at its last quote and has the text as its value.
        #[test]
        fn a_text_is_one_literal(text in "[^\0]{0,40}|['\\\\;\\-/*%]{0,20}") {
            let literal = Type::Text.literal(&text).unwrap();
            let inside = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            prop_assert!(!inside.replace("''", "").contains('\''));
            prop_assert_eq!(inside.replace("''", "'"), text);
        }

        #[test]
        fn other_literals_contain_only_their_value(text in ".{0,30}") {
            for kind in [Type::Time, Type::Number, Type::Whole] {
                if let Ok(literal) = kind.literal(&text) {
                    let plain = literal.strip_prefix("timestamptz '").and_then(|rest| rest.strip_suffix('\''));
                    let plain = plain.unwrap_or(&literal);
                    prop_assert!(plain.chars().all(|c| c.is_ascii_digit() || " -:.Ze()".contains(c)), "{}", literal);
                    prop_assert!(!plain.contains("--"));
                }
            }
        }
    }
}
