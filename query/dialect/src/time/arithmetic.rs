//! Sums, differences, products and quotients.
//!
//! A sum of a timestamp and an interval that no timestamp holds is NULL, and so is a difference of timestamps that no
//! number of microseconds holds: a time that a source claims fails no statement. Between constants and in all other types
//! it is the error that PostgreSQL has.

use super::calendar::{
    DAY, Date, HOUR, SECOND, has_date, interval_of, is_finite, is_finite_date, join, microseconds, split,
};
use super::casts::midnight;
use super::error::out_of_range;
use super::values::DIFFERENCE;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{
    Date32Type, DurationMicrosecondType, Int32Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::Result;

const SECONDS_OF_DAY: f64 = 86_400.0;

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    use PgType::{Date, Float8, Int4, Interval, Time, Timestamp, Timestamptz};
    let difference = |of: PgType, evaluate| {
        let takes = vec![Takes::Of(of.clone()), Takes::Of(of)];
        Form::new(takes, Returns::Computed(|_| Ok(DIFFERENCE)), evaluate)
    };
    vec![
        Function::new(
            "+",
            vec![
                form([Interval, Interval], || Interval, |call| sum_of_intervals(call, 1)),
                form([Timestamptz, Interval], || Timestamptz, |call| shift(call, 0, 1, 1)),
                form([Interval, Timestamptz], || Timestamptz, |call| shift(call, 1, 0, 1)),
                form([Timestamp, Interval], || Timestamp, |call| shift(call, 0, 1, 1)),
                form([Interval, Timestamp], || Timestamp, |call| shift(call, 1, 0, 1)),
                form([Date, Interval], || Timestamp, |call| shift_date(call, 0, 1, 1)),
                form([Interval, Date], || Timestamp, |call| shift_date(call, 1, 0, 1)),
                form([Date, Int4], || Date, |call| days_after(call, 0, 1, 1)),
                form([Int4, Date], || Date, |call| days_after(call, 1, 0, 1)),
                form([Date, Time], || Timestamp, |call| date_and_time(call, 0, 1)),
                form([Time, Date], || Timestamp, |call| date_and_time(call, 1, 0)),
                form([Time, Interval], || Time, |call| shift_time(call, 0, 1, 1)),
                form([Interval, Time], || Time, |call| shift_time(call, 1, 0, 1)),
            ],
        ),
        Function::new(
            "-",
            vec![
                difference(Timestamptz, difference_of_timestamps),
                difference(Timestamp, difference_of_timestamps),
                form([Interval, Interval], || Interval, |call| sum_of_intervals(call, -1)),
                form([Timestamptz, Interval], || Timestamptz, |call| shift(call, 0, 1, -1)),
                form([Timestamp, Interval], || Timestamp, |call| shift(call, 0, 1, -1)),
                form([Date, Interval], || Timestamp, |call| shift_date(call, 0, 1, -1)),
                form([Date, Int4], || Date, |call| days_after(call, 0, 1, -1)),
                form([Date, Date], || Int4, difference_of_dates),
                form([Time, Interval], || Time, |call| shift_time(call, 0, 1, -1)),
                form([Time, Time], || Interval, difference_of_times),
            ],
        ),
        Function::new(
            "*",
            vec![
                form([Interval, Float8], || Interval, |call| scale(call, 0, 1, |value, factor| value * factor)),
                form([Float8, Interval], || Interval, |call| scale(call, 1, 0, |value, factor| value * factor)),
            ],
        ),
        Function::new("/", vec![form([Interval, Float8], || Interval, divide)]),
    ]
}

/// The functions that stand for operators with one operand.
pub(super) fn functions() -> Vec<Function> {
    vec![Function::new("pg_negative", vec![form([PgType::Interval], || PgType::Interval, negate)])]
}

/// `time` and `interval`, with its sign: first its months and days on the calendar, then its time. `None` if no timestamp
/// holds the sum.
pub(super) fn shifted(time: i64, interval: IntervalMonthDayNano, sign: i64) -> Option<i64> {
    if !is_finite(time) {
        return Some(time);
    }
    let mut moved = time;
    if interval.months != 0 || interval.days != 0 {
        let (mut day, of_day) = split(time);
        if interval.months != 0 {
            day = Date::of(day).plus_months(sign * i64::from(interval.months)).days();
        }
        moved = join(day + sign * i64::from(interval.days), of_day)?;
    }
    moved.checked_add(microseconds(interval).checked_mul(sign)?).filter(|time| is_finite(*time))
}

fn shift(call: &Call, time: usize, interval: usize, sign: i64) -> Result<ArrayRef> {
    let (times, intervals) = (call.timestamp(time), call.interval(interval));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(time), Some(interval)) = (times.get(row), intervals.get(row)) else { return Ok(None) };
        Ok(shifted(time, interval, sign))
    })
}

fn shift_date(call: &Call, date: usize, interval: usize, sign: i64) -> Result<ArrayRef> {
    let (dates, intervals) = (call.date(date), call.interval(interval));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(date), Some(interval)) = (dates.get(row), intervals.get(row)) else { return Ok(None) };
        let sum = shifted(midnight(date)?, interval, sign).ok_or_else(|| out_of_range("timestamp"))?;
        Ok(Some(sum))
    })
}

fn days_after(call: &Call, date: usize, days: usize, sign: i64) -> Result<ArrayRef> {
    let (dates, days) = (call.date(date), call.int4(days));
    call.primitives::<Date32Type>(|row| {
        let (Some(date), Some(days)) = (dates.get(row), days.get(row)) else { return Ok(None) };
        if !is_finite_date(date) {
            return Ok(Some(date));
        }
        let sum = i64::from(date) + sign * i64::from(days);
        let sum = i32::try_from(sum).ok().filter(|day| has_date(i64::from(*day)));
        Ok(Some(sum.ok_or_else(|| out_of_range("date"))?))
    })
}

fn date_and_time(call: &Call, date: usize, time: usize) -> Result<ArrayRef> {
    let (dates, times) = (call.date(date), call.time(time));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(date), Some(time)) = (dates.get(row), times.get(row)) else { return Ok(None) };
        let midnight = midnight(date)?;
        if !is_finite(midnight) {
            return Ok(Some(midnight));
        }
        let sum = midnight.checked_add(time).filter(|time| is_finite(*time));
        Ok(Some(sum.ok_or_else(|| out_of_range("timestamp"))?))
    })
}

fn shift_time(call: &Call, time: usize, interval: usize, sign: i64) -> Result<ArrayRef> {
    let (times, intervals) = (call.time(time), call.interval(interval));
    call.primitives::<Time64MicrosecondType>(|row| {
        let (Some(time), Some(interval)) = (times.get(row), intervals.get(row)) else { return Ok(None) };
        Ok(Some((time + sign * microseconds(interval).rem_euclid(DAY)).rem_euclid(DAY)))
    })
}

fn difference_of_timestamps(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.timestamp(0), call.timestamp(1));
    call.primitives::<DurationMicrosecondType>(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        if !is_finite(left) || !is_finite(right) {
            return Err(SqlError::new("22008", "cannot subtract infinite timestamps").into());
        }
        Ok(left.checked_sub(right))
    })
}

fn difference_of_dates(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.date(0), call.date(1));
    call.primitives::<Int32Type>(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        if !is_finite_date(left) || !is_finite_date(right) {
            return Err(SqlError::new("22008", "cannot subtract infinite dates").into());
        }
        Ok(Some(left.checked_sub(right).ok_or_else(|| out_of_range("date"))?))
    })
}

fn difference_of_times(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.time(0), call.time(1));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        Ok(Some(IntervalMonthDayNano::new(0, 0, (left - right) * 1_000)))
    })
}

/// The sum of two intervals, part by part.
pub(super) fn sum(one: IntervalMonthDayNano, other: IntervalMonthDayNano, sign: i64) -> Option<IntervalMonthDayNano> {
    let add = |one: i32, other: i32| i32::try_from(i64::from(one) + sign * i64::from(other)).ok();
    Some(IntervalMonthDayNano::new(
        add(one.months, other.months)?,
        add(one.days, other.days)?,
        one.nanoseconds.checked_add(other.nanoseconds.checked_mul(sign)?)?,
    ))
}

fn sum_of_intervals(call: &Call, sign: i64) -> Result<ArrayRef> {
    let (left, right) = (call.interval(0), call.interval(1));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        Ok(Some(sum(left, right, sign).ok_or_else(|| out_of_range("interval"))?))
    })
}

fn negate(call: &Call) -> Result<ArrayRef> {
    let values = call.interval(0);
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let Some(interval) = values.get(row) else { return Ok(None) };
        let negated = sum(IntervalMonthDayNano::default(), interval, -1);
        Ok(Some(negated.ok_or_else(|| out_of_range("interval"))?))
    })
}

fn scale(call: &Call, interval: usize, factor: usize, by: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (intervals, factors) = (call.interval(interval), call.float8(factor));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(interval), Some(factor)) = (intervals.get(row), factors.get(row)) else { return Ok(None) };
        Ok(Some(scaled(interval, |value| by(value, factor))?))
    })
}

fn divide(call: &Call) -> Result<ArrayRef> {
    let (intervals, divisors) = (call.interval(0), call.float8(1));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(interval), Some(divisor)) = (intervals.get(row), divisors.get(row)) else { return Ok(None) };
        if divisor == 0.0 {
            return Err(SqlError::division_by_zero().into());
        }
        Ok(Some(scaled(interval, |value| value / divisor)?))
    })
}

/// Each part of an interval by a factor. What is left of a month becomes days, and what is left of a day becomes time.
pub(super) fn scaled(
    interval: IntervalMonthDayNano,
    by: impl Fn(f64) -> f64,
) -> Result<IntervalMonthDayNano, SqlError> {
    let failed = || out_of_range("interval");
    let whole = |value: f64| -> Result<i64, SqlError> {
        let is_held = value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
        if is_held { Ok(value as i64) } else { Err(failed()) }
    };
    let rounded = |value: f64| (value * 1e6).round_ties_even() / 1e6;
    let (months, days) = (by(interval.months.into()), by(interval.days.into()));
    let (whole_months, mut whole_days) = (whole(months)?, whole(days)?);
    let days_of_months = rounded((months - whole_months as f64) * 30.0);
    let mut seconds = rounded((days - whole_days as f64 + days_of_months - days_of_months.trunc()) * SECONDS_OF_DAY);
    if seconds.abs() >= SECONDS_OF_DAY {
        let more = (seconds / SECONDS_OF_DAY).trunc();
        whole_days += more as i64;
        seconds -= more * SECONDS_OF_DAY;
    }
    whole_days += days_of_months as i64;
    let time = (by(microseconds(interval) as f64) + seconds * SECOND as f64).round_ties_even();
    // The largest number of microseconds whose nanoseconds an interval holds.
    if time.is_nan() || time.abs() > (i64::MAX / 1_000) as f64 {
        return Err(failed());
    }
    interval_of(whole_months, whole_days, time as i64).ok_or_else(failed)
}

/// The length of an interval in nanoseconds, by which it is compared. A month has 30 days and a day 24 hours.
pub(crate) fn length(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * 30 + i128::from(interval.days);
    days * i128::from(24 * HOUR) * 1_000 + i128::from(interval.nanoseconds)
}
