//! `date_part(part, time)` and `EXTRACT(part FROM time)`.

use super::calendar::{Date, HOUR, MINUTE, SECOND, split};
use super::columns::{constant_text, values, zone_of_micros};
use super::zone::Zone;
use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{
    Date32Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_schema::{DataType, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// A part of a time, a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Week,
    Month,
    Quarter,
    Year,
    IsoYear,
    Decade,
    Century,
    Millennium,
}

impl Part {
    /// The part with a name of PostgreSQL, or of the engine, which also takes plurals and names in quotes.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match unquoted(name).to_ascii_lowercase().as_str() {
            "nanosecond" | "nanoseconds" => Self::Nanosecond,
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => Self::Microsecond,
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => Self::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Self::Year,
            "isoyear" => Self::IsoYear,
            "dec" | "decs" | "decade" | "decades" => Self::Decade,
            "c" | "cent" | "cents" | "century" | "centuries" => Self::Century,
            "mil" | "mils" | "millennium" | "millennia" => Self::Millennium,
            _ => return None,
        })
    }

    /// The part of the time that is `of_day` microseconds after the beginning of `day`, in days since 1970-01-01.
    pub(super) fn of(self, day: i64, of_day: i64) -> i64 {
        let date = || Date::of(day);
        match self {
            Self::Nanosecond => of_day % MINUTE * 1_000,
            Self::Microsecond => of_day % MINUTE,
            Self::Millisecond => of_day % MINUTE / 1_000,
            Self::Second => of_day % MINUTE / SECOND,
            Self::Minute => of_day % HOUR / MINUTE,
            Self::Hour => of_day / HOUR,
            Self::Day => date().day,
            Self::DayOfWeek => (day + 4).rem_euclid(7),
            Self::IsoDayOfWeek => (day + 3).rem_euclid(7) + 1,
            Self::DayOfYear => day - Date::first(date().year, 1).days() + 1,
            Self::Week => {
                let thursday = thursday_of_week(day);
                (thursday - Date::first(Date::of(thursday).year, 1).days()) / 7 + 1
            }
            Self::Month => date().month,
            Self::Quarter => (date().month - 1) / 3 + 1,
            Self::Year => named_year(date().year),
            Self::IsoYear => named_year(Date::of(thursday_of_week(day)).year),
            Self::Decade => date().year.div_euclid(10),
            Self::Century => named_years(date().year, 100),
            Self::Millennium => named_years(date().year, 1_000),
        }
    }
}

/// The Thursday of the week from Monday to Sunday that `day` is in. A week belongs to the year of its Thursday.
fn thursday_of_week(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7) + 3
}

/// The number by which a year is called: there is no year 0, and 1 BC is -1.
fn named_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// The number by which `years` years are called: the first century is from 1 to 100, and the one before is -1.
fn named_years(year: i64, years: i64) -> i64 {
    let number = (year - 1).div_euclid(years);
    if year > 0 { number + 1 } else { number }
}

/// A name without the quotes that it may have.
fn unquoted(name: &str) -> &str {
    let inside = name.strip_prefix(['\'', '"']).and_then(|rest| rest.strip_suffix(['\'', '"']));
    inside.unwrap_or(name)
}

/// The function. What is neither a time in microseconds nor a date is the engine's, and so is the number of seconds since
/// 1970, which it computes of all times.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DatePart {
    inner: Arc<ScalarUDF>,
}

impl DatePart {
    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { inner: datafusion::functions::datetime::date_part() })
    }
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [name, value] = args.args.as_slice() else { return exec_err!("date_part takes a part and a time") };
        let (data_type, name) = (value.data_type(), constant_text(name));
        let Some(part) = name.and_then(Part::named) else {
            let is_epoch = name.is_some_and(|name| unquoted(name).eq_ignore_ascii_case("epoch"));
            return match data_type {
                DataType::Duration(TimeUnit::Microsecond) if is_epoch => seconds(value),
                _ => self.inner.invoke_with_args(args),
            };
        };
        if data_type == DataType::Date32 {
            return part_of::<Date32Type>(part, value, |day| Some((day.into(), 0)));
        }
        let Some(zone) = zone_of_micros(&data_type) else { return self.inner.invoke_with_args(args) };
        let Some(zone) = Zone::of_type(zone.as_deref()) else {
            return exec_err!("the time zone of a time is not known");
        };
        part_of::<TimestampMicrosecondType>(part, value, |time| zone.local_of(time).map(split))
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        // Years before 1 have other numbers in the engine.
        match literal {
            Expr::Literal(ScalarValue::Int32(Some(1..)), _) => self.inner.preimage(args, literal, info),
            _ => Ok(PreimageResult::None),
        }
    }
}

/// The part of each value, whose day and microseconds of the day `split` returns.
fn part_of<T: ArrowPrimitiveType>(
    part: Part,
    value: &ColumnarValue,
    split: impl Fn(T::Native) -> Option<(i64, i64)>,
) -> Result<ColumnarValue> {
    let part_at = |value| split(value).map(|(day, of_day)| part.of(day, of_day));
    if part == Part::Nanosecond {
        return values::<T, Int64Type>(value, part_at);
    }
    values::<T, Int32Type>(value, |value| part_at(value).and_then(|part| i32::try_from(part).ok()))
}

/// The seconds of a difference.
fn seconds(value: &ColumnarValue) -> Result<ColumnarValue> {
    values::<DurationMicrosecondType, Float64Type>(value, |value| Some(value as f64 / SECOND as f64))
}
