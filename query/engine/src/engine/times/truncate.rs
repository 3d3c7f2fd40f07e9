//! `date_trunc(unit, time [, zone])`.

use super::calendar::{Date, HOUR, MINUTE, SECOND, floor, join, split};
use super::columns::{constant_text, times, zone_of_micros};
use super::zone::Zone;
use arrow_schema::{DataType, FieldRef, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// What a time is truncated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Units of the clock, up to an hour, by their microseconds.
    Clock(i64),
    Day,
    /// From Monday.
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    /// From a year that ends in 01.
    Century,
    /// From a year that ends in 001.
    Millennium,
}

impl Unit {
    /// The unit with a name of PostgreSQL.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => Self::Clock(1),
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => Self::Clock(1_000),
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Clock(SECOND),
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Clock(MINUTE),
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Clock(HOUR),
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "mons" | "month" | "months" => Self::Month,
            "qtr" | "quarter" => Self::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Self::Year,
            "dec" | "decs" | "decade" | "decades" => Self::Decade,
            "c" | "cent" | "century" | "centuries" => Self::Century,
            "mil" | "mils" | "millennium" | "millennia" => Self::Millennium,
            _ => return None,
        })
    }

    /// The first day of the unit that `day` is in, both as days since 1970-01-01.
    fn first_day(self, day: i64) -> i64 {
        let date = || Date::of(day);
        let first = |year, month| Date::first(year, month).days();
        // A year of 1 AD is in the first century, and 1 BC in the one before.
        let first_of_years = |years: i64| first((date().year - 1).div_euclid(years) * years + 1, 1);
        match self {
            Self::Clock(_) | Self::Day => day,
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => day - (date().day - 1),
            Self::Quarter => first(date().year, (date().month - 1) / 3 * 3 + 1),
            Self::Year => first(date().year, 1),
            Self::Decade => first(date().year.div_euclid(10) * 10, 1),
            Self::Century => first_of_years(100),
            Self::Millennium => first_of_years(1_000),
        }
    }

    /// The start of the unit that `time` is in, on the clocks and calendars of `zone`. `None` if an `i64` cannot hold it.
    pub(super) fn start(self, time: i64, zone: Zone) -> Option<i64> {
        let offset = zone.offset_at(time);
        let local = time.checked_add(offset)?;
        match self {
            // An hour that the clocks show twice stays the one that it is.
            Self::Clock(length) => floor(local, length)?.checked_sub(offset),
            _ => zone.time_of(join(self.first_day(split(local).0), 0)?),
        }
    }
}

/// The function. Times in other units than microseconds, and times of day, are the engine's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateTrunc {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl DateTrunc {
    pub(super) fn udf() -> ScalarUDF {
        let inner = datafusion::functions::datetime::date_trunc();
        ScalarUDF::new_from_impl(Self { inner, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |data_type: &DataType| data_type.is_string() || data_type.is_null();
        let ([unit, time] | [unit, time, _]) = types else {
            return plan_err!("date_trunc takes a unit, a time and perhaps a zone");
        };
        if !is_text(unit) || !types.get(2).is_none_or(is_text) {
            return plan_err!("the unit and the zone of date_trunc are texts");
        }
        let utc = || Some(Arc::from("UTC"));
        let time = match (time, types.len()) {
            // A time without a zone is one of UTC, the zone of every statement.
            (DataType::Timestamp(_, zone), 3) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            (DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_), 2) => time.clone(),
            (DataType::Date32 | DataType::Date64, _) => {
                DataType::Timestamp(TimeUnit::Microsecond, if types.len() == 3 { utc() } else { None })
            }
            (text, _) if is_text(text) => {
                DataType::Timestamp(TimeUnit::Microsecond, if types.len() == 3 { utc() } else { None })
            }
            (other, _) => return plan_err!("date_trunc takes a time and not a value of type {other}"),
        };
        Ok([DataType::Utf8, time, DataType::Utf8].into_iter().take(types.len()).collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.get(1) {
            Some(DataType::Timestamp(unit, None)) if types.len() == 3 => {
                Ok(DataType::Timestamp(*unit, Some(Arc::from("UTC"))))
            }
            Some(time) => Ok(time.clone()),
            None => plan_err!("date_trunc takes a unit and a time"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(arrow_schema::Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let unit = args.args.first().and_then(constant_text).and_then(Unit::named);
        let time = args.args.get(1);
        let zone = time.and_then(|time| zone_of_micros(&time.data_type()));
        let (Some(unit), Some(time), Some(name)) = (unit, time, zone) else {
            // It refuses what is no unit, in its words.
            let args = ScalarFunctionArgs {
                args: args.args.into_iter().take(2).collect(),
                arg_fields: args.arg_fields.into_iter().take(2).collect(),
                ..args
            };
            return self.inner.invoke_with_args(args);
        };
        let name = if args.args.len() == 3 { name.or_else(|| Some(Arc::from("UTC"))) } else { name };
        let zone = match args.args.get(2) {
            None => Zone::of_type(name.as_deref()),
            Some(ColumnarValue::Scalar(zone)) if zone.is_null() => return times(time, name, |_| None),
            Some(zone) => constant_text(zone).and_then(Zone::named),
        };
        let Some(zone) = zone else { return exec_err!("the time zone of date_trunc is not known") };
        times(time, name, |time| unit.start(time, zone))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        if inputs.len() == 2 { self.inner.output_ordering(inputs) } else { Ok(SortProperties::Unordered) }
    }
}
