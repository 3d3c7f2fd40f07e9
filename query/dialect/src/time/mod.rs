//! Dates, times and intervals, as PostgreSQL 15 has them with time zone UTC, `DateStyle` ISO, MDY and `IntervalStyle`
//! postgres.
//!
//! ```text
//! text ─▶ tokens ─▶ decode ─▶ parse: date, time, timestamp        interval, iso_interval: interval
//! value ─▶ format: text              pattern ─▶ to_char, from_char
//! casts, arithmetic, part, truncate, make, local, overlaps, now: functions of values
//! order: comparisons, groups and aggregates of intervals, by their lengths
//! ```
//!
//! `calendar`, `zone` and `posix` compute. Times are microseconds since 1970, and so PostgreSQL's from 4714-11-24 BC to the
//! year 294247.

mod abbreviations;
mod arithmetic;
mod calendar;
mod casts;
mod decode;
mod error;
mod fields;
mod format;
mod from_char;
mod interval;
mod iso_interval;
mod local;
mod make;
mod now;
mod order;
mod overlaps;
mod parse;
mod part;
mod pattern;
mod posix;
mod sql_types;
mod to_char;
mod tokens;
mod truncate;
mod values;
mod words;
mod zone;

pub(crate) use now::moments;
pub(crate) use order::{ByLength, TextsAsIntervals};
pub(crate) use sql_types::Times;

use crate::cast::CastRule;
use crate::function::Function;

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
        to_char::functions(),
        truncate::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
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
