//! `time + interval - interval ..` as one call of a function, which [`super::rule`] puts in its place.
//!
//! The engine writes the names of all arguments of a call while it finds its type, so calls within calls would take more
//! than the square of the chain's length.

use super::columns::{both, like_both, times, zone_of_micros};
use super::interval::{Sign, shifted};
use super::zone::Zone;
use arrow_array::cast::AsArray;
use arrow_array::types::{DurationMicrosecondType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use arrow_array::{Array, PrimitiveArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The function of a time and of as many intervals as it has signs. NULL is what no result can hold.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    signs: Vec<Sign>,
    signature: Signature,
}

/// `time` and `interval`, in the same call as the intervals before it.
pub(super) fn with_interval(time: Expr, sign: Sign, interval: Expr) -> Expr {
    let (mut signs, mut arguments) = match time {
        Expr::ScalarFunction(call) => match signs_of(&call).map(<[Sign]>::to_vec) {
            Some(signs) => (signs, call.args),
            None => (Vec::new(), vec![Expr::ScalarFunction(call)]),
        },
        other => (Vec::new(), vec![other]),
    };
    signs.push(sign);
    arguments.push(interval);
    let shift = Shift { signs, signature: Signature::variadic_any(Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(shift));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

/// The time that the intervals of `expression` are added to: an expression of the same type, which is found sooner.
pub(super) fn without_intervals(expression: &Expr) -> &Expr {
    match expression {
        Expr::ScalarFunction(call) if signs_of(call).is_some() => call.args.first().unwrap_or(expression),
        other => other,
    }
}

fn signs_of(call: &ScalarFunction) -> Option<&[Sign]> {
    call.func.inner().downcast_ref::<Shift>().map(|shift| shift.signs.as_slice())
}

impl ScalarUDFImpl for Shift {
    fn name(&self) -> &str {
        "time_shift"
    }

    /// As the engine names the chain. The signs tell one call from another.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [time, intervals @ ..] = args else { return plan_err!("{} takes a time", self.name()) };
        let terms = self.signs.iter().zip(intervals);
        let terms = terms.map(|(sign, interval)| format!(" {} {}", sign.symbol(), interval.schema_name()));
        Ok(std::iter::once(time.schema_name().to_string()).chain(terms).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [time, ..] => Ok(time.clone()),
            [] => plan_err!("{} takes a time", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let mut arguments = args.args.into_iter();
        let Some(time) = arguments.next().filter(|_| arguments.len() == self.signs.len()) else {
            return exec_err!("{} takes a time and an interval for each sign", self.name());
        };
        arguments.zip(&self.signs).try_fold(time, |time, (interval, sign)| shift(&time, &interval, *sign, rows))
    }
}

fn shift(time: &ColumnarValue, interval: &ColumnarValue, sign: Sign, rows: usize) -> Result<ColumnarValue> {
    let Some(name) = zone_of_micros(&time.data_type()) else { return exec_err!("it is no time in microseconds") };
    let Some(zone) = Zone::of_type(name.as_deref()) else { return exec_err!("the time zone of a time is not known") };
    if let ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(interval))) = interval {
        return times(time, name, |time| shifted(time, *interval, sign, zone));
    }
    let [left, right] = both(time, interval, rows)?;
    let left = left.as_primitive::<TimestampMicrosecondType>().iter();
    let sums: PrimitiveArray<TimestampMicrosecondType> = match right.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let right = right.as_primitive::<IntervalMonthDayNanoType>().iter();
            left.zip(right).map(|(time, interval)| shifted(time?, interval?, sign, zone)).collect()
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let right = right.as_primitive::<DurationMicrosecondType>().iter();
            let sum = |time: i64, difference| match sign {
                Sign::Plus => time.checked_add(difference),
                Sign::Minus => time.checked_sub(difference),
            };
            left.zip(right).map(|(time, difference)| sum(time?, difference?)).collect()
        }
        other => return exec_err!("a value of type {other} cannot be added to a time"),
    };
    like_both(time, interval, Arc::new(sums.with_timezone_opt(name)))
}
