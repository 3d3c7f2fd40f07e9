//! `extract(part from x)`, a numeric with PostgreSQL's digits, and `date_part(part, x)`, a double precision.
//!
//! A numeric has no infinity here, so that `extract` of the year of an infinite time is refused; `date_part` has it.

use super::calendar::{
    DAY, Date, HOUR, MINUTE, SECOND, day_of_week, is_finite, is_finite_date, iso_week, microseconds, named_year, split,
};
use super::casts::midnight;
use super::preimage::of_year;
use super::values::Memo;
use super::words::{DateWord, Unit, of_date};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Arguments, Evaluate, Form, Function, Returns, Takes, form};
use crate::types::{OPEN_SCALE, PgType};
use arrow_array::ArrayRef;
use arrow_array::types::{Decimal256Type, Float64Type, IntervalMonthDayNano};
use arrow_buffer::i256;
use arrow_schema::DataType;
use datafusion::common::Result;

/// The Julian day of 1970-01-01.
const JULIAN: i64 = 2_440_588;

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Unit(Unit),
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Epoch,
    Julian,
    /// Seconds, hours or minutes of the offset.
    Zone,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        if let Some(unit) = Unit::named(&lower) {
            return Some(Self::Unit(unit));
        }
        Some(match lower.as_str() {
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "isoyear" => Self::IsoYear,
            "timezone" | "timezone_hour" | "timezone_minute" | "timezone_h" | "timezone_m" => Self::Zone,
            lower => match of_date(lower)? {
                DateWord::Epoch => Self::Epoch,
                DateWord::JulianFollows => Self::Julian,
                _ => return None,
            },
        })
    }

    /// Whether it grows with time, so that it is infinite at the end of time.
    fn is_monotonic(self) -> bool {
        matches!(
            self,
            Self::Unit(Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium)
                | Self::IsoYear
                | Self::Epoch
                | Self::Julian
        )
    }
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Whole(i64),
    /// Microseconds as seconds.
    Seconds(i64),
    /// Microseconds as milliseconds.
    Milliseconds(i64),
    /// A Julian day and the microseconds of the day.
    Julian(i64, i64),
    /// Seconds of years and months and of days, and microseconds.
    Epoch(IntervalMonthDayNano),
    Null,
    Infinity,
    MinusInfinity,
}

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Date, Float8, Interval, Text, Time, Timestamp, Timestamptz};
    let all: [(PgType, Evaluate, Evaluate); 5] = [
        (Timestamptz, |call| numerics(call, of_timestamp), |call| floats(call, of_timestamp)),
        (Timestamp, |call| numerics(call, of_timestamp), |call| floats(call, of_timestamp)),
        (Date, |call| numerics(call, of_date_alone), |call| floats(call, of_date_as_timestamp)),
        (Time, |call| numerics(call, of_time), |call| floats(call, of_time)),
        (Interval, |call| numerics(call, of_interval), |call| floats(call, of_interval)),
    ];
    let (mut extracts, mut parts) = (Vec::new(), Vec::new());
    for (of, extract, part) in all {
        let takes = vec![Takes::Of(Text), Takes::Of(of.clone())];
        extracts.push(Form::new(takes, Returns::Scale(scale), extract));
        parts.push(form([Text, of], || Float8, part));
    }
    vec![
        Function::new("extract", extracts).preimage(of_year),
        Function::new("date_part", parts).or("datepart").preimage(of_year),
    ]
}

/// The digits after the point of an extracted part.
fn scale(arguments: &Arguments<'_>) -> i8 {
    let part = arguments.constant_text(0).and_then(Part::named);
    let is_date = PgType::of(arguments.data_type(1)) == PgType::Date;
    match part {
        Some(Part::Unit(Unit::Second)) => 6,
        Some(Part::Unit(Unit::Millisecond)) => 3,
        Some(Part::Epoch) if !is_date => 6,
        Some(Part::Julian) if !is_date => OPEN_SCALE,
        Some(_) => 0,
        // It may be any.
        None => OPEN_SCALE,
    }
}

/// How a row's value has a part, whose name is for errors.
type ValueOf = fn(&Call, usize, Part, &str) -> Result<Value>;

/// The part of a row.
fn value_of(call: &Call, row: usize, memo: &mut Memo<Part>, of: ValueOf) -> Result<Value> {
    let names = call.text(0);
    let Some(name) = names.get(row) else { return Ok(Value::Null) };
    let part = memo.of(name, |name| Part::named(name).ok_or_else(|| unknown(call, name)))?;
    of(call, row, part, name)
}

fn type_name(call: &Call) -> PgType {
    PgType::of(call.any(1).array().data_type())
}

fn shown(name: &str) -> String {
    name.to_lowercase().chars().take(100).collect()
}

fn unknown(call: &Call, name: &str) -> SqlError {
    SqlError::invalid_parameter(format!("unit \"{}\" not recognized for type {}", shown(name), type_name(call)))
}

fn unsupported(call: &Call, name: &str) -> SqlError {
    SqlError::not_supported(format!("unit \"{}\" not supported for type {}", shown(name), type_name(call)))
}

fn numerics(call: &Call, of: ValueOf) -> Result<ArrayRef> {
    let DataType::Decimal256(_, scale) = *call.result() else {
        return Err(SqlError::not_supported("the result of extract is a numeric").into());
    };
    let mut memo = Memo::new();
    call.primitives::<Decimal256Type>(|row| {
        let (digits, digits_after_point) = match value_of(call, row, &mut memo, of)? {
            Value::Null => return Ok(None),
            Value::Infinity | Value::MinusInfinity => {
                return Err(SqlError::not_supported("an infinite numeric is not supported")
                    .with_hint("date_part() has an infinite result.")
                    .into());
            }
            Value::Whole(value) => (value.into(), 0),
            Value::Seconds(value) => (value.into(), 6),
            Value::Milliseconds(value) => (value.into(), 3),
            Value::Julian(day, 0) => (day.into(), 0),
            Value::Julian(day, of_day) => julian(day, of_day),
            Value::Epoch(interval) => (epoch(interval), 6),
        };
        let power = u32::try_from(scale - digits_after_point).unwrap_or(0);
        Ok(Some(i256::from_i128(digits).wrapping_mul(i256::from_i128(10).wrapping_pow(power))))
    })
}

/// The digits of a Julian day with its fraction, which has as many digits as PostgreSQL gives to this quotient.
fn julian(day: i64, of_day: i64) -> (i128, i8) {
    // In digits of 10000: a day is 864|0000|0000 microseconds.
    let weight = match of_day {
        100_000_000.. => 2,
        10_000.. => 1,
        _ => 0,
    };
    let first = of_day / 10_i64.pow(4 * weight);
    let of_quotient = 2 - i32::try_from(weight).unwrap_or(0) + i32::from(first <= 864);
    let scale = 16 + 4 * of_quotient;
    let power = 10_i128.pow(scale.unsigned_abs());
    let fraction = (i128::from(of_day) * power * 2 + i128::from(DAY)) / (2 * i128::from(DAY));
    (i128::from(day) * power + fraction, i8::try_from(scale).unwrap_or(28))
}

/// The microseconds of an interval whose years have 365.25 days.
fn epoch(interval: IntervalMonthDayNano) -> i128 {
    let IntervalMonthDayNano { months, days, .. } = interval;
    let quarters_of_days = 1_461 * i128::from(months / 12) + 120 * i128::from(months % 12) + 4 * i128::from(days);
    quarters_of_days * i128::from(DAY / 4) + i128::from(microseconds(interval))
}

fn floats(call: &Call, of: ValueOf) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    call.primitives::<Float64Type>(|row| {
        Ok(match value_of(call, row, &mut memo, of)? {
            Value::Null => None,
            Value::Infinity => Some(f64::INFINITY),
            Value::MinusInfinity => Some(f64::NEG_INFINITY),
            Value::Whole(value) => Some(value as f64),
            // A second and its fraction are added as PostgreSQL adds them, where that matters.
            Value::Seconds(value) if value.abs() < MINUTE => {
                Some((value / SECOND) as f64 + (value % SECOND) as f64 / 1e6)
            }
            Value::Seconds(value) => Some(value as f64 / 1e6),
            Value::Milliseconds(value) => Some((value / SECOND) as f64 * 1e3 + (value % SECOND) as f64 / 1e3),
            Value::Julian(day, of_day) => {
                let seconds = (of_day / SECOND) as f64 + (of_day % SECOND) as f64 / 1e6;
                Some(day as f64 + seconds / 86_400.0)
            }
            Value::Epoch(interval) => {
                let IntervalMonthDayNano { months, days, .. } = interval;
                let years = 365.25 * 86_400.0 * f64::from(months / 12);
                let months = 30.0 * 86_400.0 * f64::from(months % 12);
                Some(microseconds(interval) as f64 / 1e6 + years + months + 86_400.0 * f64::from(days))
            }
        })
    })
}

fn of_timestamp(call: &Call, row: usize, part: Part, name: &str) -> Result<Value> {
    if part == Part::Zone && type_name(call) == PgType::Timestamp {
        return Err(unsupported(call, name).into());
    }
    Ok(match call.timestamp(1).get(row) {
        None => Value::Null,
        Some(time) => part_of_timestamp(part, time),
    })
}

fn of_date_as_timestamp(call: &Call, row: usize, part: Part, name: &str) -> Result<Value> {
    if part == Part::Zone {
        return Err(unsupported(call, name).into());
    }
    Ok(match call.date(1).get(row) {
        None => Value::Null,
        Some(date) => part_of_timestamp(part, midnight(date)?),
    })
}

fn of_date_alone(call: &Call, row: usize, part: Part, name: &str) -> Result<Value> {
    use Unit::{Hour, Microsecond, Millisecond, Minute, Second};
    if matches!(part, Part::Zone | Part::Unit(Microsecond | Millisecond | Second | Minute | Hour)) {
        return Err(unsupported(call, name).into());
    }
    Ok(match call.date(1).get(row) {
        None => Value::Null,
        Some(date) if !is_finite_date(date) => infinite(part, date > 0),
        Some(date) if part == Part::Epoch => Value::Whole(i64::from(date) * 86_400),
        Some(date) => part_of(part, date.into(), 0),
    })
}

fn of_time(call: &Call, row: usize, part: Part, name: &str) -> Result<Value> {
    use Unit::{Hour, Microsecond, Millisecond, Minute, Second};
    if !matches!(part, Part::Epoch | Part::Unit(Microsecond | Millisecond | Second | Minute | Hour)) {
        return Err(unsupported(call, name).into());
    }
    Ok(match call.time(1).get(row) {
        None => Value::Null,
        Some(time) if part == Part::Epoch => Value::Seconds(time),
        Some(time) => part_of(part, 0, time),
    })
}

fn of_interval(call: &Call, row: usize, part: Part, name: &str) -> Result<Value> {
    let unit = match part {
        Part::Unit(Unit::Week) => return Err(unsupported(call, name).into()),
        Part::Unit(unit) => Some(unit),
        Part::Epoch => None,
        _ => return Err(unsupported(call, name).into()),
    };
    let Some(interval) = call.interval(1).get(row) else { return Ok(Value::Null) };
    let Some(unit) = unit else { return Ok(Value::Epoch(interval)) };
    let time = microseconds(interval);
    let (year, month) = (i64::from(interval.months / 12), i64::from(interval.months % 12));
    Ok(match unit {
        Unit::Microsecond => Value::Whole(time % MINUTE),
        Unit::Millisecond => Value::Milliseconds(time % MINUTE),
        Unit::Second => Value::Seconds(time % MINUTE),
        Unit::Minute => Value::Whole(time % HOUR / MINUTE),
        Unit::Hour => Value::Whole(time / HOUR),
        Unit::Day | Unit::Week => Value::Whole(interval.days.into()),
        Unit::Month => Value::Whole(month),
        Unit::Quarter => Value::Whole(month / 3 + 1),
        Unit::Year => Value::Whole(year),
        Unit::Decade => Value::Whole(year / 10),
        Unit::Century => Value::Whole(year / 100),
        Unit::Millennium => Value::Whole(year / 1_000),
    })
}

fn infinite(part: Part, is_late: bool) -> Value {
    match (part.is_monotonic(), is_late) {
        (false, _) => Value::Null,
        (true, true) => Value::Infinity,
        (true, false) => Value::MinusInfinity,
    }
}

fn part_of_timestamp(part: Part, time: i64) -> Value {
    if !is_finite(time) {
        return infinite(part, time > 0);
    }
    let (day, of_day) = split(time);
    if part == Part::Epoch { Value::Seconds(time) } else { part_of(part, day, of_day) }
}

/// The part of the time that is `of_day` microseconds after the beginning of `day`, in days since 1970-01-01.
fn part_of(part: Part, day: i64, of_day: i64) -> Value {
    let date = || Date::of(day);
    let years = |length: i64| {
        let year = date().year;
        if year > 0 { (year + length - 1) / length } else { -((length - year) / length) }
    };
    Value::Whole(match part {
        Part::Unit(Unit::Microsecond) => of_day % MINUTE,
        Part::Unit(Unit::Millisecond) => return Value::Milliseconds(of_day % MINUTE),
        Part::Unit(Unit::Second) => return Value::Seconds(of_day % MINUTE),
        Part::Unit(Unit::Minute) => of_day % HOUR / MINUTE,
        Part::Unit(Unit::Hour) => of_day / HOUR,
        Part::Unit(Unit::Day) => date().day,
        Part::Unit(Unit::Week) => iso_week(day).1,
        Part::Unit(Unit::Month) => date().month,
        Part::Unit(Unit::Quarter) => (date().month - 1) / 3 + 1,
        Part::Unit(Unit::Year) => named_year(date().year),
        Part::Unit(Unit::Decade) => date().year.div_euclid(10),
        Part::Unit(Unit::Century) => years(100),
        Part::Unit(Unit::Millennium) => years(1_000),
        Part::DayOfWeek => day_of_week(day),
        Part::IsoDayOfWeek => (day + 3).rem_euclid(7) + 1,
        Part::DayOfYear => date().day_of_year(),
        Part::IsoYear => named_year(iso_week(day).0),
        Part::Julian => return Value::Julian(day + JULIAN, of_day),
        Part::Epoch => return Value::Seconds(of_day),
        Part::Zone => 0,
    })
}
