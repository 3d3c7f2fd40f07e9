//! Functions of a column of times, computed in one pass.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

/// The zone of the type of a time in microseconds; `None` inside if it has none. `None` for other types.
pub(super) fn zone_of_micros(data_type: &DataType) -> Option<Option<Arc<str>>> {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => Some(zone.clone()),
        _ => None,
    }
}

/// `function` of each of `times`, which are microseconds, as times in `zone`.
pub(super) fn times(
    times: &ColumnarValue,
    zone: Option<Arc<str>>,
    function: impl Fn(i64) -> Option<i64>,
) -> Result<ColumnarValue> {
    let array = times.to_array(1)?;
    let array = array.as_primitive::<TimestampMicrosecondType>();
    let mapped: PrimitiveArray<TimestampMicrosecondType> = array.unary_opt(function);
    like(times, Arc::new(mapped.with_timezone_opt(zone)))
}

/// `function` of each of `values`, which are of type `Of`.
pub(super) fn values<Of: ArrowPrimitiveType, To: ArrowPrimitiveType>(
    values: &ColumnarValue,
    function: impl Fn(Of::Native) -> Option<To::Native>,
) -> Result<ColumnarValue> {
    let array = values.to_array(1)?;
    let mapped: PrimitiveArray<To> = array.as_primitive::<Of>().unary_opt(function);
    like(values, Arc::new(mapped))
}

/// `result` as a constant if `argument`, from which it is computed, is one.
pub(super) fn like(argument: &ColumnarValue, result: ArrayRef) -> Result<ColumnarValue> {
    Ok(match argument {
        ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
        ColumnarValue::Array(_) => ColumnarValue::Array(result),
    })
}

/// Both as columns of the same length: of one row if both are constants.
pub(super) fn both(one: &ColumnarValue, other: &ColumnarValue, rows: usize) -> Result<[ArrayRef; 2]> {
    let are_constants = matches!((one, other), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if are_constants { 1 } else { rows };
    Ok([one.to_array(rows)?, other.to_array(rows)?])
}

/// The result of two arguments: a constant if both are.
pub(super) fn like_both(one: &ColumnarValue, other: &ColumnarValue, result: ArrayRef) -> Result<ColumnarValue> {
    like(if matches!(one, ColumnarValue::Array(_)) { one } else { other }, result)
}

/// The text of a constant. `None` if it is NULL or something else.
pub(super) fn constant_text(value: &ColumnarValue) -> Option<&str> {
    match value {
        ColumnarValue::Scalar(value) => value.try_as_str().flatten(),
        ColumnarValue::Array(_) => None,
    }
}
