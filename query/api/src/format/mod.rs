//! Rows in the requested format, in slices.
//!
//! ```text
//! batch ─▶ shape: unique names; views and dictionaries become plain arrays ─▶ slices ─▶ RowEncoder ─▶ bytes
//! ```
//!
//! Invariant: an encoder buffers at most one slice. Parquet buffers one row group of bounded size.

mod arrow;
mod cell;
mod csv;
mod json;
mod media_type;
mod parquet;
mod row_encoder;
mod shape;

use arrow_schema::SchemaRef;
use holdfast_query::Notice;

pub(crate) use json::Column;
pub(crate) use media_type::Format;
pub(crate) use row_encoder::{RowEncoder, Unrepresentable};
pub(crate) use shape::{Shape, slices};

/// The encoder of `format` for rows of `schema`; `None` if `format` is no format of rows.
pub(crate) fn encoder(
    format: Format,
    schema: &SchemaRef,
    notices: &[Notice],
) -> Result<Option<Box<dyn RowEncoder>>, Unrepresentable> {
    let encoder: Box<dyn RowEncoder> = match format {
        Format::Json => Box::new(json::Json::new(schema, notices)),
        Format::Ndjson => Box::new(json::Ndjson::default()),
        Format::Csv => Box::new(csv::Csv::new(schema)),
        Format::Arrow => Box::new(arrow::Arrow::new(schema)?),
        Format::Parquet => Box::new(parquet::Parquet::new(schema)?),
        Format::Svg => return Ok(None),
    };
    Ok(Some(encoder))
}
