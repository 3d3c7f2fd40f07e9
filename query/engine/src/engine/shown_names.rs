//! The names under which columns are shown: the engine demands different names, and a statement may have the same ones.

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use datafusion::common::Result;
use holdfast_dialect::shown_name;
use std::sync::Arc;

/// `schema` with the names that are shown.
pub(super) fn shown(schema: &SchemaRef) -> SchemaRef {
    if schema.fields().iter().all(|field| shown_name(field.name()).len() == field.name().len()) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_name(shown_name(field.name())));
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// `batch` with the schema that is shown.
pub(super) fn with_shown_names(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}
