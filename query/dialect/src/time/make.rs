//! Times and intervals made of their parts: `make_date`, `make_interval`, `age`, `justify_days`, ...

use super::calendar::{
    DAY, Date, HOUR, MINUTE, SECOND, days_of_month, has_date, interval_of, is_finite, join, microseconds, split,
};
use super::casts::{is_finite_interval, is_finite_of_date, is_finite_timestamp, timestamp_date};
use super::error::out_of_range;
use super::parse::is_valid;
use super::values::Memo;
use super::zone::Zone;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{
    Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::Result;
use datafusion::logical_expr::Volatility;

/// Days of a month of an interval.
const MONTH_DAYS: i64 = 30;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Bool, Date, Float8, Int4, Interval, Text, Time, Timestamp, Timestamptz};
    let parts = [Int4, Int4, Int4, Int4, Int4, Int4, Float8];
    let intervals = (0..=parts.len()).map(|given| form(parts[..given].to_vec(), || Interval, make_interval)).collect();
    let of_timestamp = [Int4, Int4, Int4, Int4, Int4, Float8];
    let with_zone = of_timestamp.iter().cloned().chain([Text]);
    vec![
        Function::new("make_interval", intervals),
        Function::new("make_date", vec![form([Int4, Int4, Int4], || Date, make_date)]),
        Function::new("make_time", vec![form([Int4, Int4, Float8], || Time, make_time)]),
        Function::new("make_timestamp", vec![form(of_timestamp.clone(), || Timestamp, make_timestamp)]),
        Function::new(
            "make_timestamptz",
            vec![
                form(of_timestamp.clone(), || Timestamptz, make_timestamp),
                form(with_zone, || Timestamptz, make_timestamp),
            ],
        ),
        Function::new("justify_days", vec![form([Interval], || Interval, |call| justified(call, justify_days))]),
        Function::new("justify_hours", vec![form([Interval], || Interval, |call| justified(call, justify_hours))]),
        Function::new(
            "justify_interval",
            vec![form([Interval], || Interval, |call| justified(call, justify_interval))],
        ),
        Function::new(
            "isfinite",
            vec![
                form([Timestamptz], || Bool, is_finite_timestamp),
                form([Timestamp], || Bool, is_finite_timestamp),
                form([Date], || Bool, is_finite_of_date),
                form([Interval], || Bool, is_finite_interval),
            ],
        ),
        Function::new(
            "age",
            vec![
                form([Timestamptz, Timestamptz], || Interval, age),
                form([Timestamp, Timestamp], || Interval, age),
                form([Timestamptz], || Interval, age_today),
                form([Timestamp], || Interval, age_today),
            ],
        )
        .volatility(Volatility::Stable),
        Function::new(
            "date",
            vec![
                form([Timestamptz], || Date, timestamp_date),
                form([Timestamp], || Date, timestamp_date),
                form([Date], || Date, |call| Ok(ArrayRef::clone(call.any(0).array()))),
            ],
        ),
    ]
}

fn field_out_of_range(what: String) -> SqlError {
    SqlError::new("22008", what)
}

fn make_interval(call: &Call) -> Result<ArrayRef> {
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let mut parts = [0_i64; 6];
        let mut seconds = 0.0;
        for (argument, part) in parts.iter_mut().enumerate().take(call.len()) {
            let Some(value) = call.int4(argument).get(row) else { return Ok(None) };
            *part = value.into();
        }
        if call.len() > 6 {
            let Some(value) = call.float8(6).get(row) else { return Ok(None) };
            seconds = value;
        }
        let [years, months, weeks, days, hours, minutes] = parts;
        let failed = || out_of_range("interval");
        // A time of more microseconds is none of an interval.
        if !seconds.is_finite() || seconds.abs() > 9e12 {
            return Err(failed().into());
        }
        let time = hours * HOUR + minutes * MINUTE;
        let time = time.checked_add((seconds * 1e6).round_ties_even() as i64).ok_or_else(failed)?;
        let interval = interval_of(years * 12 + months, weeks * 7 + days, time);
        Ok(Some(interval.ok_or_else(failed)?))
    })
}

/// The days since 1970-01-01 of a date whose year is negative before our era.
fn day_of(year: i32, month: i32, day: i32) -> Result<i64, SqlError> {
    let failed = || field_out_of_range(format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let (month, day) = (i64::from(month), i64::from(day));
    let named = match year {
        0 => return Err(failed()),
        1.. => i64::from(year),
        _ => i64::from(year) + 1,
    };
    if !(1..=12).contains(&month) || !(1..=days_of_month(named, month)).contains(&day) {
        return Err(failed());
    }
    Ok(Date { year: named, month, day }.days())
}

fn time_of(hour: i32, minute: i32, second: f64) -> Result<i64, SqlError> {
    let failed = || field_out_of_range(format!("time field value out of range: {hour}:{minute:02}:{second:02}"));
    if !(0.0..=60.0).contains(&second) || !(0..=24).contains(&hour) || !(0..60).contains(&minute) {
        return Err(failed());
    }
    let seconds = (second * 1e6).round_ties_even() as i64;
    let time = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + seconds;
    if time > DAY { Err(failed()) } else { Ok(time) }
}

fn make_date(call: &Call) -> Result<ArrayRef> {
    let (years, months, days) = (call.int4(0), call.int4(1), call.int4(2));
    call.primitives::<Date32Type>(|row| {
        let (Some(year), Some(month), Some(day)) = (years.get(row), months.get(row), days.get(row)) else {
            return Ok(None);
        };
        let made = day_of(year, month, day)?;
        let held = i32::try_from(made).ok().filter(|_| has_date(made));
        let failed = || field_out_of_range(format!("date out of range: {year}-{month:02}-{day:02}"));
        Ok(Some(held.ok_or_else(failed)?))
    })
}

fn make_time(call: &Call) -> Result<ArrayRef> {
    let (hours, minutes, seconds) = (call.int4(0), call.int4(1), call.float8(2));
    call.primitives::<Time64MicrosecondType>(|row| {
        let (Some(hour), Some(minute), Some(second)) = (hours.get(row), minutes.get(row), seconds.get(row)) else {
            return Ok(None);
        };
        Ok(Some(time_of(hour, minute, second)?))
    })
}

fn make_timestamp(call: &Call) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    call.primitives::<TimestampMicrosecondType>(|row| {
        let mut parts = [0; 5];
        for (argument, part) in parts.iter_mut().enumerate() {
            let Some(value) = call.int4(argument).get(row) else { return Ok(None) };
            *part = value;
        }
        let [year, month, day, hour, minute] = parts;
        let Some(second) = call.float8(5).get(row) else { return Ok(None) };
        let zone = match call.len() {
            7 => match call.text(6).get(row) {
                None => return Ok(None),
                Some(name) => memo.of(name, zone_of_make)?,
            },
            _ => Zone::Utc,
        };
        let local = join(day_of(year, month, day)?, time_of(hour, minute, second)?);
        let time = local.and_then(|local| zone.time_of(local)).filter(|time| is_valid(*time));
        Ok(Some(time.ok_or_else(|| {
            field_out_of_range(format!("timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}"))
        })?))
    })
}

/// A zone whose offset, if it is one, counts to the east.
fn zone_of_make(name: &str) -> Result<Zone, SqlError> {
    if name.starts_with(['+', '-']) {
        let seconds = super::decode::offset(name).map_err(|wrong| match wrong {
            super::error::Wrong::Offset => {
                SqlError::invalid_parameter(format!("numeric time zone \"{name}\" out of range"))
            }
            _ => SqlError::invalid_parameter(format!("invalid input syntax for type numeric time zone: \"{name}\"")),
        })?;
        return Ok(Zone::Fixed(i32::try_from(seconds).unwrap_or_default()));
    }
    Zone::named(name)
}

fn justified(call: &Call, of: fn(i64, i64, i64) -> (i64, i64, i64)) -> Result<ArrayRef> {
    let intervals = call.interval(0);
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let Some(interval) = intervals.get(row) else { return Ok(None) };
        let (months, days, time) = of(interval.months.into(), interval.days.into(), microseconds(interval));
        Ok(Some(interval_of(months, days, time).ok_or_else(|| out_of_range("interval"))?))
    })
}

fn justify_days(months: i64, days: i64, time: i64) -> (i64, i64, i64) {
    let (months, days) = one_sign(months + days / MONTH_DAYS, days % MONTH_DAYS, MONTH_DAYS);
    (months, days, time)
}

fn justify_hours(months: i64, days: i64, time: i64) -> (i64, i64, i64) {
    let (days, time) = one_sign(days + time / DAY, time % DAY, DAY);
    (months, days, time)
}

fn justify_interval(months: i64, days: i64, time: i64) -> (i64, i64, i64) {
    let (mut months, mut days, mut time) = (months, days, time);
    days += time / DAY;
    time %= DAY;
    months += days / MONTH_DAYS;
    days %= MONTH_DAYS;
    if months > 0 && (days < 0 || (days == 0 && time < 0)) {
        days += MONTH_DAYS;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && time > 0)) {
        days -= MONTH_DAYS;
        months += 1;
    }
    let (days, time) = one_sign(days, time, DAY);
    (months, days, time)
}

/// Both with the sign of the larger one.
fn one_sign(large: i64, small: i64, length: i64) -> (i64, i64) {
    if large > 0 && small < 0 {
        (large - 1, small + length)
    } else if large < 0 && small > 0 {
        (large + 1, small - length)
    } else {
        (large, small)
    }
}

fn age(call: &Call) -> Result<ArrayRef> {
    let (ends, starts) = (call.timestamp(0), call.timestamp(1));
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let (Some(end), Some(start)) = (ends.get(row), starts.get(row)) else { return Ok(None) };
        Ok(Some(age_of(end, start)?))
    })
}

/// The age at midnight of today, in UTC.
fn age_today(call: &Call) -> Result<ArrayRef> {
    let starts = call.timestamp(0);
    let today = chrono::Utc::now().timestamp().div_euclid(86_400) * DAY;
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        Ok(starts.get(row).map(|start| age_of(today, start)).transpose()?)
    })
}

/// Years, months, days and a time from `start` to `end`, on the calendar.
fn age_of(end: i64, start: i64) -> Result<IntervalMonthDayNano, SqlError> {
    if !is_finite(end) || !is_finite(start) {
        return Err(out_of_range("timestamp"));
    }
    let is_negative = end < start;
    let (late, early) = if is_negative { (start, end) } else { (end, start) };
    let ((late_day, late_time), (early_day, early_time)) = (split(late), split(early));
    let (late_date, early_date) = (Date::of(late_day), Date::of(early_day));
    let mut months = (late_date.year - early_date.year) * 12 + late_date.month - early_date.month;
    let (mut days, mut time) = (late_date.day - early_date.day, late_time - early_time);
    if time < 0 {
        time += DAY;
        days -= 1;
    }
    while days < 0 {
        // The days of the month of the earlier time.
        days += days_of_month(early_date.year, early_date.month);
        months -= 1;
    }
    let sign = if is_negative { -1 } else { 1 };
    interval_of(sign * months, sign * days, sign * time).ok_or_else(|| out_of_range("interval"))
}

/// The number of seconds since 1970 as a timestamp: `to_timestamp(double precision)`.
pub(super) fn of_epoch(call: &Call) -> Result<ArrayRef> {
    let numbers = call.float8(0);
    call.primitives::<TimestampMicrosecondType>(|row| {
        let Some(seconds) = numbers.get(row) else { return Ok(None) };
        if seconds.is_nan() {
            return Err(SqlError::new("22008", "timestamp cannot be NaN").into());
        }
        if seconds.is_infinite() {
            return Ok(Some(if seconds > 0.0 { super::calendar::LATE } else { super::calendar::EARLY }));
        }
        // Seconds are rounded after they are counted from 2000, as PostgreSQL counts them.
        let since_2000 = (seconds - 946_684_800.0) * SECOND as f64;
        let time = since_2000.round_ties_even();
        let is_held = time.abs() < i64::MAX as f64;
        let time = is_held.then_some(time as i64).and_then(|time| time.checked_add(946_684_800 * SECOND));
        let failed = || SqlError::new("22008", format!("timestamp out of range: \"{seconds}\""));
        Ok(Some(time.filter(|time| is_valid(*time)).ok_or_else(failed)?))
    })
}
