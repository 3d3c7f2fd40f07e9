//! `to_timestamp(text, pattern)` and `to_date(text, pattern)`, and `to_timestamp(double precision)`.
//!
//! ```text
//! pattern ─▶ nodes ┐
//! text ────────────┴▶ read: a number or a name for each field ─▶ date_of_fields: a date and a time, checked
//! ```

use super::fields::{Convention, Read};
use super::make::of_epoch;
use super::parse::is_valid;
use super::pattern::{Key, Node, checked};
use super::values::Memo;
use super::words::MONTHS;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use datafusion::common::Result;

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/// Months from the last one, so that a longer numeral comes before one that begins it.
const ROMAN: [(&str, i64); 12] = [
    ("xii", 12),
    ("xi", 11),
    ("x", 10),
    ("ix", 9),
    ("viii", 8),
    ("vii", 7),
    ("vi", 6),
    ("v", 5),
    ("iv", 4),
    ("iii", 3),
    ("ii", 2),
    ("i", 1),
];

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Date, Float8, Text, Timestamptz};
    vec![
        Function::new(
            "to_timestamp",
            vec![form([Float8], || Timestamptz, of_epoch), form([Text, Text], || Timestamptz, to_timestamp)],
        ),
        Function::new("to_date", vec![form([Text, Text], || Date, to_date)]),
    ]
}

fn to_timestamp(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns, mut memo) = (call.text(0), call.text(1), Memo::new());
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        let nodes = memo.of(pattern, checked)?;
        let time = read(text, &nodes)?.timestamp(text)?;
        let failed = || SqlError::new("22008", "timestamp out of range");
        Ok(Some(time.filter(|time| is_valid(*time)).ok_or_else(failed)?))
    })
}

fn to_date(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns, mut memo) = (call.text(0), call.text(1), Memo::new());
    call.primitives::<Date32Type>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        let nodes = memo.of(pattern, checked)?;
        let day = read(text, &nodes)?.day(text)?;
        let held = i32::try_from(day).ok().filter(|_| super::calendar::has_date(day));
        Ok(Some(held.ok_or_else(|| super::error::Wrong::Range.of("date", text))?))
    })
}

/// How a pattern is written, for errors.
fn name_of(key: Key) -> String {
    match key {
        Key::Year(digits) => "Y".repeat(digits.into()),
        Key::IsoYear(digits) => format!("I{}", "Y".repeat(usize::from(digits.saturating_sub(1)))),
        Key::Fraction(digits) => format!("FF{digits}"),
        key => match key {
            Key::Hour24 => "HH24",
            Key::Hour12 => "HH12",
            Key::Minute => "MI",
            Key::Second => "SS",
            Key::Milliseconds => "MS",
            Key::Microseconds => "US",
            Key::SecondOfDay => "SSSS",
            Key::Month => "MM",
            Key::MonthName => "MONTH",
            Key::ShortMonth => "MON",
            Key::DayOfMonth => "DD",
            Key::DayOfYear => "DDD",
            Key::IsoDayOfYear => "IDDD",
            Key::Day => "DAY",
            Key::ShortDay => "DY",
            Key::ZoneName => "TZ",
            Key::Offset => "OF",
            Key::YearWithComma => "Y,YYY",
            Key::Julian => "J",
            _ => "field",
        }
        .to_owned(),
    }
}

/// The number of digits that a pattern takes.
fn length(key: Key) -> usize {
    match key {
        Key::Year(digits) | Key::IsoYear(digits) | Key::Fraction(digits) => digits.into(),
        Key::SecondOfDay => 4,
        Key::Microseconds => 6,
        Key::Milliseconds | Key::DayOfYear | Key::IsoDayOfYear => 3,
        Key::DayOfWeek | Key::IsoDayOfWeek | Key::WeekOfMonth | Key::Quarter | Key::Julian => 1,
        _ => 2,
    }
}

/// Whether a pattern begins with a digit.
fn is_digits(key: Key) -> bool {
    !matches!(
        key,
        Key::DottedHalf
            | Key::Half
            | Key::DottedEra
            | Key::Era
            | Key::Day
            | Key::ShortDay
            | Key::Fraction(_)
            | Key::Exact
            | Key::MonthName
            | Key::ShortMonth
            | Key::Offset
            | Key::RomanMonth
            | Key::OffsetHour
            | Key::ZoneName
    )
}

fn is_space(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{b}'
}

/// Reads the fields of a text.
fn read(text: &str, nodes: &[Node]) -> Result<Read, SqlError> {
    let mut read = Read::default();
    let mut rest = text;
    let mut is_exact = false;
    // Characters that were skipped and that the pattern does not have.
    let mut skipped = 0_i64;
    for (place, node) in nodes.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        if !is_exact && (matches!(node, Node::Key { .. }) || place == 0) {
            let trimmed = rest.trim_start_matches(is_space);
            skipped += (rest.len() - trimmed.len()) as i64;
            rest = trimmed;
        }
        let mut characters = rest.chars();
        match node {
            Node::Separator(_) | Node::Space(_) if !is_exact => {
                skipped -= 1;
                if characters.next().is_some_and(|first| is_space(first) || first.is_ascii_punctuation()) {
                    skipped += 1;
                    rest = characters.as_str();
                }
            }
            Node::Literal(_) if !is_exact && skipped > 0 => skipped -= 1,
            Node::Separator(_) | Node::Space(_) | Node::Literal(_) => {
                characters.next();
                rest = characters.as_str();
            }
            Node::Key { key: Key::Exact, .. } => is_exact = true,
            Node::Key { key, fills, ordinal, .. } => {
                let may_be_longer = !fills || ordinal.is_some() || is_before_separator(nodes.get(place + 1));
                // A minus that was taken for a separator may be the sign of an offset.
                let is_after_minus = skipped > 0 && text[..text.len() - rest.len()].ends_with('-');
                rest = field(&mut read, *key, rest, may_be_longer, is_after_minus)?;
                if ordinal.is_some() && !rest.is_empty() {
                    // Both letters of the ending, whichever they are.
                    let mut ending = rest.chars();
                    ending.next();
                    ending.next();
                    rest = ending.as_str();
                }
                if !is_exact {
                    let trimmed = rest.trim_start_matches(is_space);
                    skipped = (rest.len() - trimmed.len()) as i64;
                    rest = trimmed;
                }
            }
        }
    }
    Ok(read)
}

/// Whether a number ends before this node, however many digits it has.
fn is_before_separator(next: Option<&Node>) -> bool {
    match next {
        None | Some(Node::Separator(_) | Node::Space(_)) => true,
        Some(Node::Literal(character)) => !character.is_ascii_digit(),
        Some(Node::Key { key, .. }) => !is_digits(*key),
    }
}

/// Reads one field; returns what follows.
fn field<'a>(
    read: &mut Read,
    key: Key,
    text: &'a str,
    may_be_longer: bool,
    is_after_minus: bool,
) -> Result<&'a str, SqlError> {
    read.convention(match key {
        Key::IsoYear(_) | Key::IsoWeek | Key::IsoDayOfWeek | Key::IsoDayOfYear => Some(Convention::Iso),
        Key::Year(_)
        | Key::YearWithComma
        | Key::Month
        | Key::MonthName
        | Key::ShortMonth
        | Key::RomanMonth
        | Key::DayOfMonth
        | Key::DayOfYear
        | Key::DayOfWeek
        | Key::WeekOfYear
        | Key::WeekOfMonth => Some(Convention::Gregorian),
        _ => None,
    })?;
    let digits = length(key);
    let (value, used, rest) = match key {
        Key::DottedHalf | Key::Half => {
            let names: &[(&str, i64)] =
                if key == Key::Half { &[("am", 0), ("pm", 1)] } else { &[("a.m.", 0), ("p.m.", 1)] };
            let (value, rest) = name(text, names, key)?;
            read.is_12_hours = true;
            read.set_half(value == 1, key)?;
            return Ok(rest);
        }
        Key::DottedEra | Key::Era => {
            let names: &[(&str, i64)] =
                if key == Key::Era { &[("ad", 0), ("bc", 1)] } else { &[("a.d.", 0), ("b.c.", 1)] };
            let (value, rest) = name(text, names, key)?;
            read.is_bc = value == 1;
            return Ok(rest);
        }
        Key::MonthName | Key::ShortMonth => {
            let names: Vec<(&str, i64)> = (1..)
                .zip(MONTHS)
                .map(|(number, name)| (if key == Key::MonthName { name } else { &name[..3] }, number))
                .collect();
            let (value, rest) = name(text, &names, key)?;
            (value, 0, rest)
        }
        Key::Day | Key::ShortDay => {
            let names: Vec<(&str, i64)> = (1..)
                .zip(DAYS)
                .map(|(number, name)| (if key == Key::Day { name } else { &name[..3] }, number))
                .collect();
            let (value, rest) = name(text, &names, key)?;
            (value, 0, rest)
        }
        Key::RomanMonth => {
            let (value, rest) = name(text, &ROMAN, key)?;
            (value, 0, rest)
        }
        Key::ZoneName | Key::Offset => {
            let message = format!("formatting field \"{}\" is only supported in to_char", name_of(key));
            return Err(SqlError::not_supported(message));
        }
        Key::OffsetHour => {
            let (sign, digits_of) = match text.as_bytes().first() {
                Some(b'-') => (-1, &text[1..]),
                Some(b'+' | b' ') => (1, &text[1..]),
                _ => (if is_after_minus { -1 } else { 1 }, text),
            };
            read.offset_sign = sign;
            number(digits_of, digits, key, may_be_longer)?
        }
        Key::YearWithComma => {
            let wrong = || SqlError::new("22007", "invalid input string for \"Y,YYY\"");
            let (thousands, after) = text.split_once(',').ok_or_else(wrong)?;
            let end = after.bytes().take(3).take_while(u8::is_ascii_digit).count();
            let thousands: i64 = thousands.trim_start().parse().map_err(|_| wrong())?;
            let years: i64 = after[..end].parse().map_err(|_| wrong())?;
            let year = thousands.checked_mul(1_000).and_then(|thousands| thousands.checked_add(years));
            (year.ok_or_else(wrong)?, 4, &after[end..])
        }
        Key::Exact => return Ok(text),
        _ => number(text, digits, key, may_be_longer)?,
    };
    read.set(key, value, used)?;
    Ok(rest)
}

/// A name of a list, in any case, and its number.
fn name<'a>(text: &'a str, names: &[(&str, i64)], key: Key) -> Result<(i64, &'a str), SqlError> {
    names
        .iter()
        .find(|(name, _)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (*value, &text[name.len()..]))
        .ok_or_else(|| {
            let shown: String = text.chars().take_while(|character| !is_space(*character)).take(40).collect();
            SqlError::new("22007", format!("invalid value \"{shown}\" for \"{}\"", name_of(key)))
                .with_detail("The given value did not match any of the allowed values for this field.")
        })
}

/// A number of `length` characters, or of more; its value, its length and what follows.
fn number(text: &str, length: usize, key: Key, may_be_longer: bool) -> Result<(i64, usize, &str), SqlError> {
    let text = text.trim_start_matches(is_space);
    let field = || name_of(key);
    let considered = if may_be_longer {
        text
    } else {
        let end = text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
        if text.chars().count() < length {
            return Err(SqlError::new(
                "22007",
                format!("source string too short for \"{}\" formatting field", field()),
            )
            .with_detail(format!("Field requires {length} characters, but only {} remain.", text.chars().count()))
            .with_hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
        }
        &text[..end]
    };
    let invalid = |detail: String| {
        let shown: String = considered.chars().take(length.max(1)).collect();
        SqlError::new("22007", format!("invalid value \"{shown}\" for \"{}\"", field())).with_detail(detail)
    };
    let signed = considered.strip_prefix(['+', '-']).unwrap_or(considered);
    let digits = signed.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(invalid("Value must be an integer.".to_owned()));
    }
    let used = considered.len() - signed.len() + digits;
    if !may_be_longer && used < length {
        return Err(invalid(format!("Field requires {length} characters, but only {used} could be parsed."))
            .with_hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
    }
    let value = considered[..used].parse::<i64>().ok().filter(|value| i32::try_from(*value).is_ok());
    let value = value
        .ok_or_else(|| SqlError::new("22008", format!("value for \"{}\" in source string is out of range", field())))?;
    Ok((value, used, &text[used..]))
}
