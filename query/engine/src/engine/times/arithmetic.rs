//! The operators of times and intervals as functions, which [`super::rule`] puts in their places.

use super::columns::{both, like, like_both, values};
use super::interval::{length, of_length};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    IntervalMonthDayNanoType, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{ArrowPrimitiveType, Decimal128Array, PrimitiveArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion::arrow::compute::kernels::numeric::sub;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The type of a length of an interval in nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    /// `time - time`, in microseconds.
    Difference,
    /// The length of an interval or a difference, by which it is compared.
    Length,
    /// A difference as an interval of days and a time.
    Interval,
    /// A time in nanoseconds as the nearest one in microseconds.
    Rounded,
}

/// Its function. NULL is what no result can hold.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Arithmetic {
    operation: Operation,
    signature: Signature,
}

impl Arithmetic {
    pub(super) fn udf(operation: Operation) -> ScalarUDF {
        let arguments = match operation {
            Operation::Difference => 2,
            Operation::Length | Operation::Interval | Operation::Rounded => 1,
        };
        ScalarUDF::new_from_impl(Self { operation, signature: Signature::any(arguments, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Difference => "time_difference",
            Operation::Length => "interval_length",
            Operation::Interval => "interval_of_difference",
            Operation::Rounded => "time_in_microseconds",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.operation, types) {
            (Operation::Difference, _) => Ok(DataType::Duration(TimeUnit::Microsecond)),
            (Operation::Length, _) => Ok(LENGTH),
            (Operation::Interval, _) => Ok(DataType::Interval(IntervalUnit::MonthDayNano)),
            (Operation::Rounded, [DataType::Timestamp(_, zone)]) => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            (Operation::Rounded, _) => plan_err!("{} takes a time", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.operation, args.args.as_slice()) {
            (Operation::Difference, [one, other]) => difference(one, other, args.number_rows),
            (Operation::Length, [interval]) => lengths(interval),
            (Operation::Interval, [difference]) => intervals(difference),
            (Operation::Rounded, [time]) => rounded(time),
            _ => exec_err!("{} is called with other arguments than it takes", self.name()),
        }
    }
}

fn difference(one: &ColumnarValue, other: &ColumnarValue, rows: usize) -> Result<ColumnarValue> {
    let [left, right] = both(one, other, rows)?;
    // Nearly always they fit, and the engine subtracts them many at a time.
    if let Ok(differences) = sub(&left, &right) {
        return like_both(one, other, differences);
    }
    let (left, right) =
        (left.as_primitive::<TimestampMicrosecondType>(), right.as_primitive::<TimestampMicrosecondType>());
    let differences: PrimitiveArray<DurationMicrosecondType> =
        left.iter().zip(right.iter()).map(|(left, right)| left?.checked_sub(right?)).collect();
    like_both(one, other, Arc::new(differences))
}

/// The lengths of intervals or differences in nanoseconds.
fn lengths(interval: &ColumnarValue) -> Result<ColumnarValue> {
    fn of<T: ArrowPrimitiveType>(
        interval: &ColumnarValue,
        length: impl Fn(T::Native) -> i128,
    ) -> Result<ColumnarValue> {
        let array = interval.to_array(1)?;
        let lengths: Decimal128Array = array.as_primitive::<T>().unary(length);
        like(interval, Arc::new(lengths.with_data_type(LENGTH)))
    }
    match interval.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => of::<IntervalMonthDayNanoType>(interval, length),
        DataType::Duration(TimeUnit::Second) => of::<DurationSecondType>(interval, in_nanoseconds(1_000_000_000)),
        DataType::Duration(TimeUnit::Millisecond) => of::<DurationMillisecondType>(interval, in_nanoseconds(1_000_000)),
        DataType::Duration(TimeUnit::Microsecond) => of::<DurationMicrosecondType>(interval, in_nanoseconds(1_000)),
        DataType::Duration(TimeUnit::Nanosecond) => of::<DurationNanosecondType>(interval, in_nanoseconds(1)),
        other => exec_err!("a value of type {other} has no length"),
    }
}

fn in_nanoseconds(unit: i128) -> impl Fn(i64) -> i128 {
    move |difference| i128::from(difference) * unit
}

/// Differences as intervals of days and times.
fn intervals(difference: &ColumnarValue) -> Result<ColumnarValue> {
    let lengths = lengths(difference)?;
    values::<Decimal128Type, IntervalMonthDayNanoType>(&lengths, of_length)
}

fn rounded(time: &ColumnarValue) -> Result<ColumnarValue> {
    let DataType::Timestamp(TimeUnit::Nanosecond, zone) = time.data_type() else {
        return exec_err!("it is no time in nanoseconds");
    };
    let array = time.to_array(1)?;
    let nearest: PrimitiveArray<TimestampMicrosecondType> =
        array.as_primitive::<TimestampNanosecondType>().unary(nearest_microsecond);
    like(time, Arc::new(nearest.with_timezone_opt(zone)))
}

/// The nearest microsecond to nanoseconds: of two, the even one, as PostgreSQL rounds.
pub(super) fn nearest_microsecond(time: i64) -> i64 {
    let (before, rest) = (time.div_euclid(1_000), time.rem_euclid(1_000));
    let is_after = rest > 500 || (rest == 500 && before % 2 != 0);
    before + i64::from(is_after)
}
