//! `to_char(timestamp, pattern)` and `to_char(interval, pattern)`, in the locale C.

use super::calendar::{
    Date, HOUR, MINUTE, SECOND, day_of_week, first_monday, is_finite, iso_week, microseconds, split,
};
use super::pattern::{Case, Key, Node, checked};
use super::values::{Memo, has_zone, interval_at};
use super::words::MONTHS;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::IntervalMonthDayNano;
use datafusion::common::Result;
use std::fmt::Write;

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
/// Bytes that the texts of one call have at most.
const LARGEST: usize = 64 << 20;
const JULIAN: i64 = 2_440_588;

/// The function.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Interval, Text, Time, Timestamp, Timestamptz};
    vec![Function::new(
        "to_char",
        vec![
            form([Timestamptz, Text], || Text, of_timestamps),
            form([Timestamp, Text], || Text, of_timestamps),
            form([Interval, Text], || Text, of_intervals),
            form([Time, Text], || Text, of_intervals),
        ],
    )]
}

/// What a pattern is filled with.
#[derive(Debug, Clone, Copy, Default)]
struct Parts {
    /// 0 is 1 BC.
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    fraction: i64,
    day_of_year: i64,
    /// 0 for Sunday.
    weekday: i64,
    iso_year: i64,
    iso_week: i64,
    iso_day_of_year: i64,
    julian: i64,
    is_interval: bool,
    has_zone: bool,
}

impl Parts {
    fn of_timestamp(time: i64, has_zone: bool) -> Self {
        let (day, of_day) = split(time);
        let date = Date::of(day);
        let (iso_year, iso_week) = iso_week(day);
        Self {
            year: date.year,
            month: date.month,
            day: date.day,
            hour: of_day / HOUR,
            minute: of_day % HOUR / MINUTE,
            second: of_day % MINUTE / SECOND,
            fraction: of_day % SECOND,
            day_of_year: date.day_of_year(),
            weekday: day_of_week(day),
            iso_year,
            iso_week,
            iso_day_of_year: day - first_monday(iso_year) + 1,
            julian: day + JULIAN,
            is_interval: false,
            has_zone,
        }
    }

    fn of_interval(interval: IntervalMonthDayNano) -> Self {
        let (year, month) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
        let (day, time) = (i64::from(interval.days), microseconds(interval));
        // Of a day and a month of an interval, the calendar has none; PostgreSQL counts on all the same.
        let months = year * 12 + month - 1;
        let first = Date::first(months.div_euclid(12), months.rem_euclid(12) + 1).days();
        let iso = iso_week(first + day - 1);
        Self {
            year,
            month,
            day,
            hour: time / HOUR,
            minute: time % HOUR / MINUTE,
            second: time % MINUTE / SECOND,
            fraction: time % SECOND,
            day_of_year: (year * 12 + month) * 30 + day,
            weekday: 0,
            iso_year: iso.0,
            iso_week: iso.1,
            iso_day_of_year: first + day - 1 - first_monday(iso.0) + 1,
            julian: first + day - 1 + JULIAN,
            is_interval: true,
            has_zone: false,
        }
    }

    /// The number by which a year is called.
    fn called(&self, year: i64) -> i64 {
        if self.is_interval || year > 0 { year } else { 1 - year }
    }
}

fn of_timestamps(call: &Call) -> Result<ArrayRef> {
    let (times, has_zone) = (call.timestamp(0), has_zone(call, 0));
    written(call, |row| {
        let time = times.get(row).filter(|time| is_finite(*time));
        Ok(time.map(|time| Parts::of_timestamp(time, has_zone)))
    })
}

fn of_intervals(call: &Call) -> Result<ArrayRef> {
    let intervals = call.any(0);
    written(call, |row| Ok(interval_at(&intervals, row)?.map(Parts::of_interval)))
}

fn written(call: &Call, parts: impl Fn(usize) -> Result<Option<Parts>>) -> Result<ArrayRef> {
    let (patterns, mut memo, mut total) = (call.text(1), Memo::new(), 0_usize);
    call.texts(|row| {
        let (Some(parts), Some(pattern)) = (parts(row)?, patterns.get(row)) else { return Ok(None) };
        if pattern.is_empty() {
            return Ok(None);
        }
        let nodes = memo.of(pattern, checked)?;
        let mut out = String::new();
        for node in nodes.iter() {
            put(&mut out, node, &parts)?;
        }
        total += out.len();
        if total > LARGEST {
            return Err(SqlError::new("54000", "the texts of to_char are too long").into());
        }
        Ok(Some(out))
    })
}

/// A number with zeros before it, to a width that counts the sign.
fn put_number(out: &mut String, number: i64, width: usize) {
    let _ = write!(out, "{number:0width$}");
}

fn put_name(out: &mut String, name: &str, case: Case, width: usize) {
    let name = match case {
        Case::Upper => name.to_ascii_uppercase(),
        Case::Lower => name.to_ascii_lowercase(),
        Case::Title => {
            let mut title = name.to_owned();
            if let Some(first) = title.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            title
        }
    };
    let _ = write!(out, "{name:<width$}");
}

fn put(out: &mut String, node: &Node, parts: &Parts) -> Result<(), SqlError> {
    let (key, case, fills, is_local, ordinal) = match node {
        Node::Separator(character) | Node::Space(character) | Node::Literal(character) => {
            out.push(*character);
            return Ok(());
        }
        Node::Key { key, case, fills, is_local, ordinal } => (*key, *case, *fills, *is_local, *ordinal),
    };
    let of_calendar =
        matches!(key, Key::DottedEra | Key::Era | Key::Day | Key::ShortDay | Key::DayOfWeek | Key::IsoDayOfWeek)
            || matches!(
                key,
                Key::MonthName | Key::ShortMonth | Key::ZoneName | Key::Offset | Key::OffsetHour | Key::OffsetMinute
            );
    if parts.is_interval && of_calendar {
        return Err(SqlError::new("22007", "invalid format specification for an interval value")
            .with_hint("Intervals are not tied to specific calendar dates."));
    }
    let before = out.len();
    // The width of a number that may be negative.
    let width = |number: i64, digits: usize| match (fills, number < 0) {
        (false, _) => 0,
        (true, false) => digits,
        (true, true) => digits + 1,
    };
    let padded = |length: usize| if fills && !is_local { length } else { 0 };
    let mut is_number = true;
    match key {
        Key::Exact => return Ok(()),
        Key::DottedHalf | Key::Half => {
            let is_afternoon = parts.hour % 24 >= 12;
            let name = match (key == Key::DottedHalf, is_afternoon) {
                (true, true) => "p.m.",
                (true, false) => "a.m.",
                (false, true) => "pm",
                (false, false) => "am",
            };
            put_name(out, name, case, 0);
            is_number = false;
        }
        Key::DottedEra | Key::Era => {
            let name = match (key == Key::DottedEra, parts.year <= 0) {
                (true, true) => "b.c.",
                (true, false) => "a.d.",
                (false, true) => "bc",
                (false, false) => "ad",
            };
            put_name(out, name, case, 0);
            is_number = false;
        }
        Key::Hour12 => {
            let hour = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
            put_number(out, hour, width(parts.hour, 2));
        }
        Key::Hour24 => put_number(out, parts.hour, width(parts.hour, 2)),
        Key::Minute => put_number(out, parts.minute, width(parts.minute, 2)),
        Key::Second => put_number(out, parts.second, width(parts.second, 2)),
        Key::Fraction(digits) => {
            let digits = usize::from(digits);
            put_number(out, parts.fraction / 10_i64.pow(6 - digits as u32), digits);
        }
        Key::Milliseconds => put_number(out, parts.fraction / 1_000, 3),
        Key::Microseconds => put_number(out, parts.fraction, 6),
        Key::SecondOfDay => put_number(out, parts.hour * 3_600 + parts.minute * 60 + parts.second, 0),
        Key::ZoneName => {
            if parts.has_zone {
                put_name(out, "utc", case, 0);
            }
            is_number = false;
        }
        Key::Offset => {
            out.push('+');
            put_number(out, 0, if fills { 2 } else { 0 });
            is_number = false;
        }
        Key::OffsetHour => {
            out.push_str("+00");
            is_number = false;
        }
        Key::OffsetMinute => {
            out.push_str("00");
            is_number = false;
        }
        Key::MonthName | Key::ShortMonth => {
            is_number = false;
            let name = usize::try_from(parts.month - 1).ok().and_then(|month| MONTHS.get(month));
            if let Some(name) = name {
                match key {
                    Key::MonthName => put_name(out, name, case, padded(9)),
                    _ => put_name(out, &name[..3], case, 0),
                }
            }
        }
        Key::Day | Key::ShortDay => {
            is_number = false;
            let name = usize::try_from(parts.weekday).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or("");
            match key {
                Key::Day => put_name(out, name, case, padded(9)),
                _ => put_name(out, &name[..3.min(name.len())], case, 0),
            }
        }
        Key::Month => put_number(out, parts.month, width(parts.month, 2)),
        Key::DayOfYear => put_number(out, parts.day_of_year, if fills { 3 } else { 0 }),
        Key::IsoDayOfYear => put_number(out, parts.iso_day_of_year, if fills { 3 } else { 0 }),
        Key::DayOfMonth => put_number(out, parts.day, if fills { 2 } else { 0 }),
        Key::DayOfWeek => put_number(out, parts.weekday + 1, 0),
        Key::IsoDayOfWeek => put_number(out, if parts.weekday == 0 { 7 } else { parts.weekday }, 0),
        Key::WeekOfYear => put_number(out, (parts.day_of_year - 1) / 7 + 1, if fills { 2 } else { 0 }),
        Key::IsoWeek => put_number(out, parts.iso_week, if fills { 2 } else { 0 }),
        Key::Quarter => {
            if parts.month == 0 {
                return Ok(());
            }
            put_number(out, (parts.month - 1) / 3 + 1, 0);
        }
        Key::Century => {
            let century = if parts.is_interval {
                parts.year / 100
            } else if parts.year > 0 {
                (parts.year - 1) / 100 + 1
            } else {
                parts.year / 100 - 1
            };
            put_number(out, century, if (-99..=99).contains(&century) { width(century, 2) } else { 0 });
        }
        Key::YearWithComma => {
            let year = parts.called(parts.year);
            let _ = write!(out, "{},{:03}", year / 1_000, year % 1_000);
        }
        Key::Year(digits) | Key::IsoYear(digits) => {
            let year = if matches!(key, Key::Year(_)) { parts.year } else { parts.iso_year };
            let year = parts.called(year);
            let shown = if digits == 4 { year } else { year % 10_i64.pow(digits.into()) };
            // The width is that of the year of the calendar.
            put_number(out, shown, width(parts.called(parts.year), digits.into()));
        }
        Key::RomanMonth => {
            is_number = false;
            let place = match parts.month {
                0 if parts.year == 0 => return Ok(()),
                0 if parts.year > 0 => 11,
                0 => 0,
                month if month < 0 => 12 + month,
                month => month - 1,
            };
            let name = usize::try_from(place).ok().and_then(|place| ROMAN.get(place)).copied().unwrap_or("");
            put_name(out, name, case, if fills { 4 } else { 0 });
        }
        Key::WeekOfMonth => put_number(out, (parts.day - 1) / 7 + 1, 0),
        Key::Julian => put_number(out, parts.julian, 0),
    }
    if let (true, Some(case)) = (is_number, ordinal) {
        let ending = ordinal_ending(&out[before..]);
        put_name(out, ending, case, 0);
    }
    Ok(())
}

/// The ending of an ordinal.
fn ordinal_ending(number: &str) -> &'static str {
    let digits = number.as_bytes();
    let last = digits.last().copied().unwrap_or(b'0');
    if digits.len() > 1 && digits[digits.len() - 2] == b'1' {
        return "th";
    }
    match last {
        b'1' => "st",
        b'2' => "nd",
        b'3' => "rd",
        _ => "th",
    }
}
