//! Times of fewer digits behind the second: `x::timestamptz(3)`, of timestamps, times of day and intervals (PostgreSQL 15, 8.5).

use super::calendar::{is_finite, microseconds};
use super::error::out_of_range;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{
    IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::Result;

/// Digits of a microsecond.
const DIGITS: i32 = 6;

/// 2000-01-01, in microseconds since 1970: PostgreSQL's timestamps begin there, and halves are rounded away from it.
const FIRST: i64 = 946_684_800_000_000;

/// The function, of which casts are made.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Int4, Interval, Time, Timestamp, Timestamptz};
    vec![Function::new(
        "round_time",
        vec![
            form([Timestamptz, Int4], || Timestamptz, timestamps),
            form([Timestamp, Int4], || Timestamp, timestamps),
            form([Time, Int4], || Time, times),
            form([Interval, Int4], || Interval, intervals),
        ],
    )]
}

/// A number of microseconds to so many digits behind the second, a half away from zero.
pub(super) fn to_digits(time: i64, digits: i32) -> Option<i64> {
    let unit = 10_i64.pow(DIGITS.abs_diff(digits.clamp(0, DIGITS)));
    let half = if time < 0 { -(unit / 2) } else { unit / 2 };
    Some(time.checked_add(half)? / unit * unit)
}

fn timestamps(call: &Call) -> Result<ArrayRef> {
    let (times, digits) = (call.timestamp(0), call.int4(1));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(time), Some(digits)) = (times.get(row), digits.get(row)) else { return Ok(None) };
        if !is_finite(time) {
            return Ok(Some(time));
        }
        let rounded = time.checked_sub(FIRST).and_then(|time| to_digits(time, digits)?.checked_add(FIRST));
        Ok(Some(rounded.ok_or_else(|| out_of_range("timestamp"))?))
    })
}

fn times(call: &Call) -> Result<ArrayRef> {
    let (times, digits) = (call.time(0), call.int4(1));
    call.primitives::<Time64MicrosecondType>(|row| {
        let (Some(time), Some(digits)) = (times.get(row), digits.get(row)) else { return Ok(None) };
        Ok(to_digits(time, digits))
    })
}

fn intervals(call: &Call) -> Result<ArrayRef> {
    let (intervals, digits) = (call.interval(0), call.int4(1));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(interval), Some(digits)) = (intervals.get(row), digits.get(row)) else { return Ok(None) };
        let time = to_digits(microseconds(interval), digits).and_then(|time| time.checked_mul(1_000));
        let nanoseconds = time.ok_or_else(|| out_of_range("interval"))?;
        Ok(Some(IntervalMonthDayNano { nanoseconds, ..interval }))
    })
}
