//! Values as they are shown to people and programs that read texts.

use crate::call::Call;
use crate::number;
use crate::types::{PgType, SHOWN_SCALE};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Schema};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

/// Numerics whose scale nothing determines as texts without the zeros at the end; all other values as they are.
///
/// # Errors
/// None but those of the engine's cast of decimals.
pub fn shown_values(values: &ArrayRef) -> Result<ArrayRef> {
    let is_open = matches!(values.data_type(), DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) if *scale > SHOWN_SCALE);
    let rule = number::casts().into_iter().find(|rule| rule.from == PgType::Numeric && rule.to == PgType::Text);
    match rule {
        Some(rule) if is_open => {
            let numeric = arrow_cast::cast(values, &PgType::numeric_of(values.data_type()))?;
            let call = Call::new(vec![ColumnarValue::Array(numeric)], values.len(), DataType::Utf8View)?;
            (rule.evaluate)(&call)
        }
        _ => Ok(Arc::clone(values)),
    }
}

/// A batch whose columns are [`shown_values`].
///
/// # Errors
/// As [`shown_values`].
pub fn shown_batch(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(shown_values).collect::<Result<_>>()?;
    if columns.iter().zip(batch.columns()).all(|(shown, column)| shown.data_type() == column.data_type()) {
        return Ok(batch.clone());
    }
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields: Vec<_> =
        fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    Ok(RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Decimal256Array;
    use arrow_array::cast::AsArray;
    use arrow_buffer::i256;

    #[test]
    fn zeros_of_an_open_scale_are_not_shown() {
        let digits = |text: &str| i256::from_string(text).unwrap();
        let quotients = Decimal256Array::from(vec![digits("4500000000000000000000000000000"), i256::ZERO]);
        let quotients: ArrayRef = Arc::new(quotients.with_precision_and_scale(76, 30).unwrap());
        let shown = shown_values(&quotients).unwrap();
        assert_eq!(shown.as_string_view().iter().collect::<Vec<_>>(), [Some("4.5"), Some("0")]);
        let prices: ArrayRef =
            Arc::new(Decimal256Array::from(vec![digits("450")]).with_precision_and_scale(76, 2).unwrap());
        assert_eq!(shown_values(&prices).unwrap().data_type(), prices.data_type());
    }
}
