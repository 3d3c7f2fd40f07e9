//! The interface of the encoders: rows to bytes, one batch at a time.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::problem::Problem;

/// The format cannot represent the rows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unrepresentable(pub(super) String);

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

/// Encodes rows. Each call appends to `out`; the caller empties `out` between calls.
pub(crate) trait RowEncoder: Send {
    /// Writes what precedes the rows.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// Writes rows.
    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// Writes what follows the last row. `rows` is the number of all rows.
    fn end(&mut self, rows: u64, out: &mut Vec<u8>) -> Result<(), Unrepresentable>;

    /// Ends incomplete output with `problem`. Returns `false` if the format has no place for an error.
    fn abort(&mut self, rows: u64, problem: &Problem, out: &mut Vec<u8>) -> bool;
}
