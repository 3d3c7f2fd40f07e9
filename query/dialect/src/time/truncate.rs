//! `date_trunc(unit, x [, zone])`, `date_bin(stride, x, origin)`.
//!
//! A start that no timestamp holds is NULL.

use super::calendar::{DAY, Date, HOUR, MINUTE, SECOND, interval_of, is_finite, join, microseconds, split};
use super::error::out_of_range;
use super::preimage::of_truncation;
use super::starts::start;
use super::values::{Memo, interval_at};
use super::words::Unit;
use super::zone::Zone;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{IntervalMonthDayNano, IntervalMonthDayNanoType, TimestampMicrosecondType};
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Interval, Text, Time, Timestamp, Timestamptz};
    vec![
        Function::new(
            "date_trunc",
            vec![
                form([Text, Timestamptz], || Timestamptz, truncated),
                form([Text, Timestamp], || Timestamp, truncated),
                form([Text, Interval], || Interval, truncated_intervals),
                form([Text, Time], || Interval, truncated_intervals),
                form([Text, Timestamptz, Text], || Timestamptz, truncated),
            ],
        )
        .preimage(of_truncation),
        Function::new(
            "date_bin",
            vec![
                form([Interval, Timestamptz, Timestamptz], || Timestamptz, binned),
                form([Interval, Timestamp, Timestamp], || Timestamp, binned),
                // The origin is 1970-01-01 if it is left out.
                form([Interval, Timestamptz], || Timestamptz, binned),
                form([Interval, Timestamp], || Timestamp, binned),
            ],
        ),
    ]
}

fn unit(call: &Call, name: &str) -> Result<Unit, SqlError> {
    let data_type = PgType::of(call.any(1).array().data_type());
    let shown: String = name.to_lowercase().chars().take(100).collect();
    let lower = name.to_ascii_lowercase();
    Unit::named(&lower)
        .ok_or_else(|| SqlError::invalid_parameter(format!("unit \"{shown}\" not recognized for type {data_type}")))
}

fn truncated(call: &Call) -> Result<ArrayRef> {
    let (units, times) = (call.text(0), call.timestamp(1));
    let zones = (call.len() == 3).then(|| call.text(2));
    let (mut unit_of, mut zone_of) = (Memo::new(), Memo::new());
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(name), Some(time)) = (units.get(row), times.get(row)) else { return Ok(None) };
        let zone = match &zones {
            None => Zone::Utc,
            Some(zones) => match zones.get(row) {
                None => return Ok(None),
                Some(name) => zone_of.of(name, Zone::named)?,
            },
        };
        let unit = unit_of.of(name, |name| unit(call, name))?;
        Ok(if is_finite(time) { start(unit, time, &zone) } else { Some(time) })
    })
}

fn truncated_intervals(call: &Call) -> Result<ArrayRef> {
    let (units, intervals) = (call.text(0), call.any(1));
    let mut memo = Memo::new();
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(name), Some(interval)) = (units.get(row), interval_at(&intervals, row)?) else { return Ok(None) };
        let unit = memo.of(name, |name| unit(call, name))?;
        Ok(Some(start_of_interval(unit, interval)?))
    })
}

fn start_of_interval(unit: Unit, interval: IntervalMonthDayNano) -> Result<IntervalMonthDayNano, SqlError> {
    let (months, days, time) = (i64::from(interval.months), i64::from(interval.days), microseconds(interval));
    let whole = |value: i64, length: i64| value / length * length;
    let (months, days, time) = match unit {
        Unit::Microsecond => (months, days, time),
        Unit::Millisecond => (months, days, whole(time, 1_000)),
        Unit::Second => (months, days, whole(time, SECOND)),
        Unit::Minute => (months, days, whole(time, MINUTE)),
        Unit::Hour => (months, days, whole(time, HOUR)),
        Unit::Day => (months, days, 0),
        Unit::Week => {
            return Err(SqlError::not_supported("unit \"week\" not supported for type interval")
                .with_detail("Months usually have fractional weeks."));
        }
        Unit::Month => (months, 0, 0),
        // Of the months of the year, so that it truncates towards zero.
        Unit::Quarter => (whole(months, 12) + whole(months % 12, 3), 0, 0),
        Unit::Year => (whole(months, 12), 0, 0),
        Unit::Decade => (whole(months, 120), 0, 0),
        Unit::Century => (whole(months, 1_200), 0, 0),
        Unit::Millennium => (whole(months, 12_000), 0, 0),
    };
    interval_of(months, days, time).ok_or_else(|| out_of_range("interval"))
}

fn binned(call: &Call) -> Result<ArrayRef> {
    let (strides, times) = (call.interval(0), call.timestamp(1));
    let origins = (call.len() == 3).then(|| call.timestamp(2));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(stride), Some(time)) = (strides.get(row), times.get(row)) else { return Ok(None) };
        let origin = match &origins {
            None => 0,
            Some(origins) => match origins.get(row) {
                None => return Ok(None),
                Some(origin) => origin,
            },
        };
        if !is_finite(time) {
            return Ok(Some(time));
        }
        if !is_finite(origin) {
            return Err(SqlError::new("22008", "origin out of range").into());
        }
        bin(stride, time, origin)
    })
}

/// The start of the bin that `time` is in.
pub(super) fn bin(stride: IntervalMonthDayNano, time: i64, origin: i64) -> Result<Option<i64>> {
    if stride.months != 0 && (stride.days != 0 || stride.nanoseconds != 0) {
        let what = "timestamps cannot be binned into intervals containing months or years and days or times";
        return Err(SqlError::not_supported(what).into());
    }
    let not_positive = || SqlError::new("22008", "stride must be greater than zero");
    if stride.months != 0 {
        if stride.months < 0 {
            return Err(not_positive().into());
        }
        return Ok(month_bin(stride.months.into(), time, origin));
    }
    let length = i64::from(stride.days).checked_mul(DAY).and_then(|days| days.checked_add(microseconds(stride)));
    let length = length.ok_or_else(|| out_of_range("interval"))?;
    if length <= 0 {
        return Err(not_positive().into());
    }
    let distance = i128::from(time) - i128::from(origin);
    let start = i128::from(origin) + distance.div_euclid(length.into()) * i128::from(length);
    Ok(i64::try_from(start).ok().filter(|start| is_finite(*start)))
}

/// The start of a bin of whole months, which PostgreSQL does not have.
fn month_bin(months: i64, time: i64, origin: i64) -> Option<i64> {
    let (origin_day, origin_of_day) = split(origin);
    let origin_date = Date::of(origin_day);
    let month_of = |time| {
        let date = Date::of(split(time).0);
        date.year * 12 + date.month - 1
    };
    let bins = (month_of(time) - month_of(origin)).div_euclid(months);
    let start = |bins: i64| join(origin_date.plus_months(bins * months).days(), origin_of_day);
    start(bins).filter(|start| *start <= time).or_else(|| start(bins - 1))
}
