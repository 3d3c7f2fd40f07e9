//! Dates, times and intervals, as PostgreSQL 15 has them with time zone UTC, `DateStyle` ISO, MDY and `IntervalStyle`
//! postgres.
//!
//! ```text
//! text ─▶ tokens ─▶ decode ─▶ parse: date, time, timestamp        interval, iso_interval ─▶ interval_sum: interval
//! value ─▶ format: text              pattern ─▶ to_char, from_char
//! casts, arithmetic, part, truncate, rounded, make, local, overlaps, now: functions of values
//! ```
//!
//! `calendar`, `zone`, `american` and `posix` compute. Times are microseconds since 1970, and so PostgreSQL's from 4714-11-24 BC to the
//! year 294247.

mod abbreviations;
mod american;
mod arithmetic;
mod calendar;
mod casts;
mod decode;
mod error;
mod fields;
mod format;
mod from_char;
mod interval;
mod interval_sum;
mod iso_interval;
mod local;
mod make;
mod now;
mod overlaps;
mod parse;
mod part;
mod pattern;
mod posix;
mod preimage;
mod rounded;
mod shift;
mod sql_types;
mod starts;
mod to_char;
mod tokens;
mod truncate;
mod values;
mod words;
mod zone;

pub(crate) use arithmetic::length;
pub(crate) use format::{format_timestamp, format_timestamptz};
pub(crate) use interval::{Fields, parse_interval};
pub(crate) use now::moments;
pub(crate) use parse::{parse_timestamp, parse_timestamptz};
pub(crate) use shift::Chains;
pub(crate) use sql_types::Times;
pub(crate) use values::DIFFERENCE;

use crate::SqlError;
use crate::cast::CastRule;
use crate::function::Function;
use arrow_array::types::IntervalMonthDayNano;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    [
        arithmetic::functions(),
        from_char::functions(),
        interval::functions(),
        local::functions(),
        make::functions(),
        overlaps::functions(),
        part::functions(),
        rounded::functions(),
        to_char::functions(),
        truncate::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The average of intervals with this sum: `sum / count`.
pub(crate) fn average_interval(sum: IntervalMonthDayNano, count: i64) -> Result<IntervalMonthDayNano, SqlError> {
    arithmetic::scaled(sum, |value| value / count as f64)
}

/// The interval at `fraction` of the way from one to another.
pub(crate) fn interval_between(
    low: IntervalMonthDayNano,
    high: IntervalMonthDayNano,
    fraction: f64,
) -> Result<IntervalMonthDayNano, SqlError> {
    let distance = arithmetic::sum(high, low, -1).ok_or_else(interval_out_of_range)?;
    let way = arithmetic::scaled(distance, |value| value * fraction)?;
    arithmetic::sum(way, low, 1).ok_or_else(interval_out_of_range)
}

/// An interval is out of range (22008).
pub(crate) fn interval_out_of_range() -> SqlError {
    error::out_of_range("interval")
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    arithmetic::operators()
}

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    casts::casts()
}

#[cfg(test)]
mod tests;
