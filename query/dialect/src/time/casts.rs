//! Casts from and to dates, times and intervals.

use super::calendar::{
    DAY, EARLY, EARLY_DATE, LATE, LATE_DATE, SECOND, is_finite, is_finite_date, join, microseconds, split,
};
use super::error::out_of_range;
use super::format::{format_date, format_interval, format_time, format_timestamp, format_timestamptz};
use super::interval::{Fields, parse_interval};
use super::parse::{parse_date, parse_time, parse_timestamp, parse_timestamptz};
use super::values::{DIFFERENCE, Memo, interval_at};
use crate::SqlError;
use crate::call::Call;
use crate::cast::CastRule;
use crate::function::Evaluate;
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{
    Date32Type, DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::Result;

/// The casts.
pub(super) fn casts() -> Vec<CastRule> {
    use PgType::{Date, Float4, Float8, Int2, Int4, Int8, Interval, Numeric, Text, Time, Timestamp, Timestamptz};
    let rule = |(from, to, evaluate): (PgType, PgType, Evaluate)| CastRule { from, to, evaluate };
    let mut rules: Vec<CastRule> = [
        (Text, Date, text_date as Evaluate),
        (Text, Time, text_time),
        (Text, Timestamp, text_timestamp),
        (Text, Timestamptz, text_timestamptz),
        (Text, Interval, text_interval),
        (Date, Text, date_text),
        (Time, Text, time_text),
        (Timestamp, Text, timestamp_text),
        (Timestamptz, Text, timestamptz_text),
        (Interval, Text, interval_text),
        (Date, Timestamp, date_timestamp),
        (Date, Timestamptz, date_timestamp),
        (Timestamp, Date, timestamp_date),
        (Timestamptz, Date, timestamp_date),
        (Timestamp, Time, timestamp_time),
        (Timestamptz, Time, timestamp_time),
        (Timestamp, Timestamptz, same_time),
        (Timestamp, Timestamp, same_time),
        (Timestamptz, Timestamptz, same_time),
        (Time, Interval, time_interval),
        (Interval, Time, interval_time),
        (Interval, Interval, interval_interval),
    ]
    .into_iter()
    .map(rule)
    .collect();
    let times = || [Date, Time, Timestamp, Timestamptz, Interval];
    for number in [Int2, Int4, Int8, Float4, Float8, Numeric] {
        for time in times() {
            rules.push(rule((number.clone(), time.clone(), refused)));
            rules.push(rule((time, number.clone(), refused)));
        }
    }
    for (from, to) in [(Date, Time), (Date, Interval), (Time, Date), (Time, Timestamp), (Time, Timestamptz)] {
        rules.push(rule((from, to, refused)));
    }
    for time in [Date, Timestamp, Timestamptz] {
        rules.push(rule((Interval, time, refused)));
    }
    for time in [Timestamp, Timestamptz] {
        rules.push(rule((time, Interval, refused)));
    }
    rules
}

fn refused(call: &Call) -> Result<ArrayRef> {
    let from = PgType::of(call.any(0).array().data_type());
    let to = PgType::of(call.result());
    Err(SqlError::new("42846", format!("cannot cast type {from} to {to}")).into())
}

fn text_date(call: &Call) -> Result<ArrayRef> {
    let (texts, mut memo) = (call.text(0), Memo::new());
    call.primitives::<Date32Type>(|row| Ok(texts.get(row).map(|text| memo.of(text, parse_date)).transpose()?))
}

fn text_time(call: &Call) -> Result<ArrayRef> {
    let (texts, mut memo) = (call.text(0), Memo::new());
    call.primitives::<Time64MicrosecondType>(|row| {
        Ok(texts.get(row).map(|text| memo.of(text, parse_time)).transpose()?)
    })
}

fn text_timestamp(call: &Call) -> Result<ArrayRef> {
    let (texts, mut memo) = (call.text(0), Memo::new());
    timestamps(call, |row| Ok(texts.get(row).map(|text| memo.of(text, parse_timestamp)).transpose()?))
}

fn text_timestamptz(call: &Call) -> Result<ArrayRef> {
    let (texts, mut memo) = (call.text(0), Memo::new());
    timestamps(call, |row| Ok(texts.get(row).map(|text| memo.of(text, parse_timestamptz)).transpose()?))
}

fn text_interval(call: &Call) -> Result<ArrayRef> {
    let (texts, mut memo) = (call.text(0), Memo::new());
    intervals(call, |row| {
        let parse = |text: &str| parse_interval(text, Fields::default());
        Ok(texts.get(row).map(|text| memo.of(text, parse)).transpose()?)
    })
}

/// Intervals, or differences of times if the result is one.
fn intervals(call: &Call, mut value: impl FnMut(usize) -> Result<Option<IntervalMonthDayNano>>) -> Result<ArrayRef> {
    if *call.result() != DIFFERENCE {
        return call.primitives::<IntervalMonthDayNanoType>(value);
    }
    call.primitives::<DurationMicrosecondType>(|row| {
        let Some(interval) = value(row)? else { return Ok(None) };
        if interval.months != 0 {
            return Err(
                SqlError::not_supported("an interval of months as a difference of times is not supported").into()
            );
        }
        let time = i64::from(interval.days).checked_mul(DAY).and_then(|days| days.checked_add(microseconds(interval)));
        Ok(Some(time.ok_or_else(|| out_of_range("interval"))?))
    })
}

fn date_text(call: &Call) -> Result<ArrayRef> {
    let dates = call.date(0);
    call.texts(|row| Ok(dates.get(row).map(format_date)))
}

fn time_text(call: &Call) -> Result<ArrayRef> {
    let times = call.time(0);
    call.texts(|row| Ok(times.get(row).map(format_time)))
}

fn timestamp_text(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    call.texts(|row| Ok(times.get(row).map(format_timestamp)))
}

fn timestamptz_text(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    call.texts(|row| Ok(times.get(row).map(format_timestamptz)))
}

fn interval_text(call: &Call) -> Result<ArrayRef> {
    let intervals = call.any(0);
    call.texts(|row| Ok(interval_at(&intervals, row)?.map(format_interval)))
}

/// The first moment of a date.
pub(super) fn midnight(date: i32) -> Result<i64, SqlError> {
    match date {
        LATE_DATE => Ok(LATE),
        EARLY_DATE => Ok(EARLY),
        day => join(day.into(), 0).ok_or_else(|| SqlError::new("22008", "date out of range for timestamp")),
    }
}

/// The date of a timestamp.
pub(super) fn date_of(time: i64) -> i32 {
    match time {
        LATE => LATE_DATE,
        EARLY => EARLY_DATE,
        // At most some 107 million days.
        time => i32::try_from(split(time).0).unwrap_or_default(),
    }
}

fn date_timestamp(call: &Call) -> Result<ArrayRef> {
    let dates = call.date(0);
    timestamps(call, |row| Ok(dates.get(row).map(midnight).transpose()?))
}

pub(super) fn timestamp_date(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    call.primitives::<Date32Type>(|row| Ok(times.get(row).map(date_of)))
}

fn timestamp_time(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    call.primitives::<Time64MicrosecondType>(|row| {
        Ok(times.get(row).filter(|time| is_finite(*time)).map(|time| split(time).1))
    })
}

/// A timestamp with the zone of the result: what UTC shows is the moment.
fn same_time(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    timestamps(call, |row| Ok(times.get(row)))
}

/// Timestamps in the unit of the result, which has less digits after the second if the type says so.
fn timestamps(call: &Call, mut value: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = call.result() else {
        return Err(SqlError::not_supported("the result of this cast is a timestamp").into());
    };
    match unit {
        TimeUnit::Microsecond => call.primitives::<TimestampMicrosecondType>(value),
        TimeUnit::Nanosecond => {
            call.primitives::<TimestampNanosecondType>(|row| Ok(value(row)?.and_then(|time| time.checked_mul(1_000))))
        }
        TimeUnit::Millisecond => {
            call.primitives::<TimestampMillisecondType>(|row| Ok(value(row)?.map(|time| rounded(time, 1_000))))
        }
        TimeUnit::Second => {
            call.primitives::<TimestampSecondType>(|row| Ok(value(row)?.map(|time| rounded(time, SECOND))))
        }
    }
}

/// The nearest unit: of two, the one that is further from 2000, as PostgreSQL rounds.
fn rounded(time: i64, unit: i64) -> i64 {
    let since_2000 = i128::from(time) - i128::from(YEAR_2000);
    let unit = i128::from(unit);
    let half = if since_2000 < 0 { -unit / 2 } else { unit / 2 };
    let units = (since_2000 + half) / unit + i128::from(YEAR_2000) / unit;
    i64::try_from(units).unwrap_or(time)
}

/// The beginning of 2000.
const YEAR_2000: i64 = 946_684_800 * SECOND;

fn time_interval(call: &Call) -> Result<ArrayRef> {
    let times = call.time(0);
    intervals(call, |row| Ok(times.get(row).map(|time| IntervalMonthDayNano::new(0, 0, time * 1_000))))
}

fn interval_time(call: &Call) -> Result<ArrayRef> {
    let intervals = call.any(0);
    call.primitives::<Time64MicrosecondType>(|row| {
        Ok(interval_at(&intervals, row)?.map(|interval| microseconds(interval).rem_euclid(DAY)))
    })
}

fn interval_interval(call: &Call) -> Result<ArrayRef> {
    let values = call.any(0);
    intervals(call, |row| interval_at(&values, row))
}

/// `isfinite(x)`.
pub(super) fn is_finite_timestamp(call: &Call) -> Result<ArrayRef> {
    let times = call.timestamp(0);
    call.bools(|row| Ok(times.get(row).map(is_finite)))
}

/// `isfinite(date)`.
pub(super) fn is_finite_of_date(call: &Call) -> Result<ArrayRef> {
    let dates = call.date(0);
    call.bools(|row| Ok(dates.get(row).map(is_finite_date)))
}

/// `isfinite(interval)`: all are.
pub(super) fn is_finite_interval(call: &Call) -> Result<ArrayRef> {
    let values = call.interval(0);
    call.bools(|row| Ok(values.get(row).map(|_| true)))
}
