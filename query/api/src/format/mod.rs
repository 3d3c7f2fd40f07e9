//! Rows in the format that was asked for, a piece at a time.
//!
//! ```text
//! batch ─▶ shape: names made unique, views and dictionaries made plain ─▶ pieces of bounded size ─▶ Encoder ─▶ bytes
//! ```
//!
//! Invariant: an encoder keeps no more than one piece, save Parquet, which keeps one row group of bounded size.

mod arrow;
mod cell;
mod csv;
mod json;
mod parquet;
mod shape;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use holdfast_query::Notice;

use crate::problem::Problem;

pub(crate) use json::Column;
pub(crate) use shape::{Shape, pieces};

/// What an answer can be sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated, with a header (RFC 4180).
    Csv,
    /// The Arrow IPC stream.
    Arrow,
    /// One Parquet file.
    Parquet,
    /// A plot.
    Svg,
}

impl Format {
    /// What rows can be sent as. The first is what is sent where anything will do.
    pub(crate) const ROWS: [Self; 5] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet];
    /// What reports can be sent as.
    pub(crate) const REPORT: [Self; 6] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow, Self::Parquet, Self::Svg];

    /// Its name in the parameter `format`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Svg => "svg",
        }
    }

    /// The media types that mean it. The first is its own.
    pub(crate) fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::Ndjson => &["application/x-ndjson", "application/jsonl"],
            Self::Csv => &["text/csv"],
            Self::Arrow => &["application/vnd.apache.arrow.stream"],
            Self::Parquet => &["application/vnd.apache.parquet"],
            Self::Svg => &["image/svg+xml"],
        }
    }

    /// What Content-Type says.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            other => other.media_types()[0],
        }
    }
}

/// The rows cannot be written in the format.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unrepresentable(String);

impl From<ArrowError> for Unrepresentable {
    fn from(error: ArrowError) -> Self {
        Self(error.to_string())
    }
}

impl From<::parquet::errors::ParquetError> for Unrepresentable {
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        Self(error.to_string())
    }
}

/// Writes rows. What it has written is taken away after each call.
pub(crate) trait Encoder: Send {
    /// What stands before the rows.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// Rows.
    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// What stands behind all rows.
    fn end(&mut self, rows: u64, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// Says that rows are missing, and why. `false` where the format cannot say it.
    fn break_off(&mut self, rows: u64, problem: &Problem, out: &mut Vec<u8>) -> bool;
}

/// Writes rows of `schema`; `None` where the format is not one of rows.
pub(crate) fn encoder(
    format: Format,
    schema: &SchemaRef,
    notices: &[Notice],
) -> Result<Option<Box<dyn Encoder>>, Unrepresentable> {
    let encoder: Box<dyn Encoder> = match format {
        Format::Json => Box::new(json::Json::new(schema, notices)),
        Format::Ndjson => Box::new(json::Ndjson::default()),
        Format::Csv => Box::new(csv::Csv::new(schema)),
        Format::Arrow => Box::new(arrow::Arrow::new(schema)?),
        Format::Parquet => Box::new(parquet::Parquet::new(schema)?),
        Format::Svg => return Ok(None),
    };
    Ok(Some(encoder))
}
