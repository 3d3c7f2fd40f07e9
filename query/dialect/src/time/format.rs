//! Writes dates, times and intervals as PostgreSQL does with `DateStyle` ISO, `IntervalStyle` postgres and time zone UTC.

use super::calendar::{DAY, Date, EARLY, EARLY_DATE, HOUR, LATE, LATE_DATE, MINUTE, SECOND, microseconds, split};
use arrow_array::types::IntervalMonthDayNano;
use std::fmt::Write;

/// A text that is written to. Writing to a text does not fail.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => {
        let _ = write!($out, $($arguments)*);
    };
}

/// A `date`.
pub(crate) fn format_date(date: i32) -> String {
    match date {
        LATE_DATE => "infinity".to_owned(),
        EARLY_DATE => "-infinity".to_owned(),
        day => {
            let date = Date::of(day.into());
            let mut out = String::with_capacity(13);
            put_date(&mut out, date);
            put_era(&mut out, date);
            out
        }
    }
}

/// A `time`.
pub(crate) fn format_time(of_day: i64) -> String {
    let mut out = String::with_capacity(15);
    put_clock(&mut out, of_day);
    out
}

/// A `timestamp`.
pub(crate) fn format_timestamp(time: i64) -> String {
    timestamp(time, "")
}

/// A `timestamp with time zone`, in UTC.
pub(crate) fn format_timestamptz(time: i64) -> String {
    timestamp(time, "+00")
}

fn timestamp(time: i64, zone: &str) -> String {
    match time {
        LATE => "infinity".to_owned(),
        EARLY => "-infinity".to_owned(),
        time => {
            let (day, of_day) = split(time);
            let date = Date::of(day);
            let mut out = String::with_capacity(32);
            put_date(&mut out, date);
            out.push(' ');
            put_clock(&mut out, of_day);
            out.push_str(zone);
            put_era(&mut out, date);
            out
        }
    }
}

fn put_date(out: &mut String, date: Date) {
    let year = if date.year > 0 { date.year } else { 1 - date.year };
    put!(out, "{year:04}-{:02}-{:02}", date.month, date.day);
}

fn put_era(out: &mut String, date: Date) {
    if date.year <= 0 {
        out.push_str(" BC");
    }
}

fn put_clock(out: &mut String, of_day: i64) {
    put!(out, "{:02}:{:02}:{:02}", of_day / HOUR, of_day % HOUR / MINUTE, of_day % MINUTE / SECOND);
    put_fraction(out, of_day % SECOND);
}

fn put_fraction(out: &mut String, microseconds: i64) {
    if microseconds != 0 {
        put!(out, ".{microseconds:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// An `interval`.
pub(crate) fn format_interval(interval: IntervalMonthDayNano) -> String {
    let time = microseconds(interval);
    let mut out = String::with_capacity(32);
    // After a negative part, a positive one has its sign.
    let mut is_after_negative = false;
    let (years, months) = (interval.months / 12, interval.months % 12);
    for (count, unit) in [(years, "year"), (months, "mon"), (interval.days, "day")] {
        if count == 0 {
            continue;
        }
        let space = if out.is_empty() { "" } else { " " };
        let sign = if is_after_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        put!(out, "{space}{sign}{count} {unit}{plural}");
        is_after_negative = count < 0;
    }
    if out.is_empty() || time != 0 {
        if !out.is_empty() {
            out.push(' ');
        }
        if time < 0 {
            out.push('-');
        } else if is_after_negative {
            out.push('+');
        }
        let (hour, minute, rest) = (time / HOUR, time % HOUR / MINUTE, time % MINUTE);
        put!(out, "{:02}:{:02}:{:02}", hour.abs(), minute.abs(), (rest / SECOND).abs());
        put_fraction(&mut out, (rest % SECOND).abs());
    }
    out
}

/// A difference of times as an interval of days and a time.
pub(super) fn of_difference(difference: i64) -> IntervalMonthDayNano {
    // At most some 107 million days.
    let days = i32::try_from(difference / DAY).unwrap_or_default();
    IntervalMonthDayNano::new(0, days, difference % DAY * 1_000)
}
