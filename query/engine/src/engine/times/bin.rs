//! `date_bin(stride, time [, origin])`.

use super::calendar::{DAY, Date, join, split};
use super::columns::{times, zone_of_micros};
use arrow_array::types::IntervalMonthDayNano;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The width of a bin. It is above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stride {
    Microseconds(i64),
    /// Of a width that is no number of microseconds, or one that an `i64` does not hold.
    Nanoseconds(i128),
    Months(i64),
}

impl Stride {
    pub(super) fn of(interval: IntervalMonthDayNano) -> Result<Self> {
        let nanoseconds = i128::from(interval.days) * i128::from(DAY) * 1_000 + i128::from(interval.nanoseconds);
        match (i64::from(interval.months), nanoseconds) {
            (1.., 0) => Ok(Self::Months(interval.months.into())),
            (0, 1..) => Ok(match i64::try_from(nanoseconds / 1_000) {
                Ok(microseconds) if nanoseconds % 1_000 == 0 => Self::Microseconds(microseconds),
                _ => Self::Nanoseconds(nanoseconds),
            }),
            (0, _) | (_, 0) => exec_err!("the stride of date_bin must be greater than zero"),
            _ => not_impl_err!("the stride of date_bin is either of months or of days and times"),
        }
    }

    /// The start of the bin that `time` is in, if a bin starts at `origin`. `None` if an `i64` cannot hold it.
    pub(super) fn start(self, time: i64, origin: i64) -> Option<i64> {
        match self {
            Self::Microseconds(stride) => {
                let start = time.checked_sub(origin).and_then(|after| time.checked_sub(after.rem_euclid(stride)));
                start.or_else(|| in_nanoseconds(i128::from(stride) * 1_000, time, origin))
            }
            Self::Nanoseconds(stride) => in_nanoseconds(stride, time, origin),
            Self::Months(stride) => in_months(stride, time, origin),
        }
    }
}

fn in_nanoseconds(stride: i128, time: i64, origin: i64) -> Option<i64> {
    let (time, origin) = (i128::from(time) * 1_000, i128::from(origin) * 1_000);
    i64::try_from((time - (time - origin).rem_euclid(stride)).div_euclid(1_000)).ok()
}

fn in_months(stride: i64, time: i64, origin: i64) -> Option<i64> {
    let (time, (origin, of_day)) = (split(time), split(origin));
    let (date, origin) = (Date::of(time.0), Date::of(origin));
    let between = (date.year - origin.year) * 12 + date.month - origin.month;
    let months = between - between.rem_euclid(stride);
    let start = |months| (origin.plus_months(months).days(), of_day);
    let (day, of_day) = if start(months) > time { start(months - stride) } else { start(months) };
    join(day, of_day)
}

/// The function. Times of day are the engine's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateBin {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl DateBin {
    pub(super) fn udf() -> ScalarUDF {
        let inner = datafusion::functions::datetime::date_bin();
        ScalarUDF::new_from_impl(Self { inner, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let ([stride, time] | [stride, time, _]) = types else {
            return plan_err!("date_bin takes a stride, a time and perhaps an origin");
        };
        if !(matches!(stride, DataType::Interval(_)) || stride.is_string() || stride.is_null()) {
            return plan_err!("the stride of date_bin is an interval and not a value of type {stride}");
        }
        let is_time = |data_type: &DataType| {
            matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
                || data_type.is_string()
                || data_type.is_null()
        };
        let of_day = |data_type: &DataType| matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
        let origin = types.get(2);
        let time = match time {
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            time if of_day(time) && origin.is_none_or(of_day) => time.clone(),
            time if is_time(time) => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => return plan_err!("date_bin takes a time and not a value of type {other}"),
        };
        if !of_day(&time) && !origin.is_none_or(is_time) {
            return plan_err!("the origin of date_bin is a time as its second argument is");
        }
        let stride = DataType::Interval(IntervalUnit::MonthDayNano);
        Ok([stride, time.clone(), time].into_iter().take(types.len()).collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.get(1) {
            Some(time) => Ok(time.clone()),
            None => plan_err!("date_bin takes a stride and a time"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [stride, time, origin @ ..] = args.args.as_slice() else {
            return exec_err!("date_bin takes a stride and a time");
        };
        let Some(zone) = zone_of_micros(&time.data_type()) else { return self.inner.invoke_with_args(args) };
        let null = || times(time, zone.clone(), |_| None);
        let stride = match stride {
            ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(stride))) => Stride::of(*stride)?,
            ColumnarValue::Scalar(_) => return null(),
            ColumnarValue::Array(_) => return not_impl_err!("the stride of date_bin must be a constant"),
        };
        let origin = match origin {
            [] => 0,
            [ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(Some(origin), _)), ..] => *origin,
            [ColumnarValue::Scalar(_), ..] => return null(),
            [ColumnarValue::Array(_), ..] => return not_impl_err!("the origin of date_bin must be a constant"),
        };
        times(time, zone.clone(), |time| stride.start(time, origin))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }
}
