//! Reads intervals of ISO 8601: `P1Y2M3DT4H5M6.7S`, `P0001-02-03T04:05:06`, `P00010203T040506`.

use super::error::Wrong;
use super::interval_sum::Sum;
use super::words::Unit;

/// Months, days and microseconds of an interval.
pub(super) fn read(text: &str) -> Result<(i64, i64, i64), Wrong> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Wrong::Format)?;
    let mut sum = Sum::default();
    let (mut is_date, mut has_field) = (true, false);
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (is_date, has_field, rest) = (false, false, time);
            continue;
        }
        let field = rest;
        let (count, fraction, after) = number(rest)?;
        let unit = after.chars().next();
        rest = unit.map_or("", |unit| &after[unit.len_utf8()..]);
        let unit = match (is_date, unit) {
            (true, Some('Y')) => Unit::Year,
            (true, Some('M')) => Unit::Month,
            (true, Some('W')) => Unit::Week,
            (true, Some('D')) => Unit::Day,
            (false, Some('H')) => Unit::Hour,
            (false, Some('M')) => Unit::Minute,
            (false, Some('S')) => Unit::Second,
            (true, None | Some('T' | '-')) => {
                rest = alternative_date(&mut sum, field, (count, fraction), unit, has_field, rest)?;
                if rest.is_empty() && unit != Some('T') {
                    return Ok(sum.into_parts());
                }
                (is_date, has_field) = (false, false);
                continue;
            }
            (false, None | Some(':')) => {
                alternative_time(&mut sum, field, (count, fraction), unit, has_field, rest)?;
                return Ok(sum.into_parts());
            }
            _ => return Err(Wrong::Format),
        };
        sum.add(unit, count, fraction)?;
        has_field = true;
    }
    Ok(sum.into_parts())
}

/// `YYYYMMDD` or `YYYY-MM-DD`; returns what follows the `T` behind it.
fn alternative_date<'a>(
    sum: &mut Sum,
    field: &str,
    (count, fraction): (i64, f64),
    unit: Option<char>,
    has_field: bool,
    rest: &'a str,
) -> Result<&'a str, Wrong> {
    if unit != Some('-') && digits(field) == 8 && !has_field {
        sum.add(Unit::Year, count / 10_000, 0.0)?;
        sum.add(Unit::Month, count / 100 % 100, 0.0)?;
        sum.add(Unit::Day, count % 100, fraction)?;
        return Ok(rest);
    }
    if has_field {
        return Err(Wrong::Format);
    }
    sum.add(Unit::Year, count, fraction)?;
    if unit != Some('-') {
        return Ok(rest);
    }
    let (count, fraction, rest) = number(rest)?;
    sum.add(Unit::Month, count, fraction)?;
    let Some(rest) = rest.strip_prefix('-') else { return end_of_date(rest) };
    let (count, fraction, rest) = number(rest)?;
    sum.add(Unit::Day, count, fraction)?;
    end_of_date(rest)
}

fn end_of_date(rest: &str) -> Result<&str, Wrong> {
    if rest.is_empty() { Ok(rest) } else { rest.strip_prefix('T').ok_or(Wrong::Format) }
}

/// `HHMMSS` or `HH:MM:SS`, to the end.
fn alternative_time(
    sum: &mut Sum,
    field: &str,
    (count, fraction): (i64, f64),
    unit: Option<char>,
    has_field: bool,
    rest: &str,
) -> Result<(), Wrong> {
    if unit.is_none() && digits(field) == 6 && !has_field {
        sum.add(Unit::Hour, count / 10_000, 0.0)?;
        sum.add(Unit::Minute, count / 100 % 100, 0.0)?;
        return sum.add(Unit::Second, count % 100, fraction);
    }
    if has_field {
        return Err(Wrong::Format);
    }
    sum.add(Unit::Hour, count, fraction)?;
    if unit.is_none() {
        return Ok(());
    }
    let (count, fraction, rest) = number(rest)?;
    sum.add(Unit::Minute, count, fraction)?;
    if rest.is_empty() {
        return Ok(());
    }
    let (count, fraction, rest) = number(rest.strip_prefix(':').ok_or(Wrong::Format)?)?;
    sum.add(Unit::Second, count, fraction)?;
    if rest.is_empty() { Ok(()) } else { Err(Wrong::Format) }
}

/// A number with a fraction, and what follows.
fn number(text: &str) -> Result<(i64, f64, &str), Wrong> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(Wrong::Format);
    }
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let (written, rest) = digits.split_at(end);
    let value: f64 = written.parse().map_err(|_| Wrong::Format)?;
    let value = if text.starts_with('-') { -value } else { value };
    if value.abs() > 1e15 {
        return Err(Wrong::Field);
    }
    let whole = value.trunc();
    Ok((whole as i64, value - whole, rest))
}

/// The digits before the point.
fn digits(text: &str) -> usize {
    let text = text.strip_prefix('-').unwrap_or(text);
    text.bytes().take_while(u8::is_ascii_digit).count()
}
