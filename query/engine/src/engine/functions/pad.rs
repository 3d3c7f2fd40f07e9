//! Negative lengths of `lpad` and `rpad`.

use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, cast::AsArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

/// `lengths` with 0 for what is negative, which gives an empty text as in PostgreSQL. The engine itself takes the sum of all
/// lengths as the room that it needs, and would take a negative one for 2^64.
pub(super) fn not_negative(lengths: ColumnarValue) -> Result<ColumnarValue> {
    Ok(match lengths {
        ColumnarValue::Scalar(length) => match length.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(length)) => ScalarValue::from(length.max(0)).into(),
            unknown => unknown.into(),
        },
        ColumnarValue::Array(lengths) => {
            let lengths = cast(&lengths, &DataType::Int64)?;
            let lengths: Int64Array = lengths.as_primitive::<Int64Type>().unary(|length| length.max(0));
            ColumnarValue::Array(Arc::new(lengths))
        }
    })
}
