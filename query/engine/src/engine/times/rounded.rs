//! A time in nanoseconds as one in microseconds, which [`super::rule`] puts in its place.

use arrow_array::PrimitiveArray;
use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Rounded {
    signature: Signature,
}

impl Rounded {
    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { signature: Signature::any(1, Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for Rounded {
    fn name(&self) -> &str {
        "time_in_microseconds"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Timestamp(_, zone)] => Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
            _ => plan_err!("{} takes a time", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [time] = args.args.as_slice() else { return exec_err!("{} takes a time", self.name()) };
        let DataType::Timestamp(TimeUnit::Nanosecond, zone) = time.data_type() else {
            return exec_err!("it is no time in nanoseconds");
        };
        let array = time.to_array(1)?;
        let nearest: PrimitiveArray<TimestampMicrosecondType> =
            array.as_primitive::<TimestampNanosecondType>().unary(nearest_microsecond);
        let nearest = nearest.with_timezone_opt(zone);
        Ok(match time {
            ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&nearest, 0)?),
            ColumnarValue::Array(_) => ColumnarValue::Array(Arc::new(nearest)),
        })
    }
}

/// The nearest microsecond to nanoseconds: of two, the even one, as PostgreSQL rounds.
pub(super) fn nearest_microsecond(time: i64) -> i64 {
    let (before, rest) = (time.div_euclid(1_000), time.rem_euclid(1_000));
    let is_after = rest > 500 || (rest == 500 && before % 2 != 0);
    before + i64::from(is_after)
}
