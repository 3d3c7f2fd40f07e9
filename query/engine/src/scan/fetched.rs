//! Counts what a scan has read of a file and not decoded to the end.
//!
//! ```text
//! ranges of a file ─▶ reserve: the bytes, and what decoding them takes ─▶ read ─▶ the bytes own it
//!                    returned when the row group is decoded, or the scan ends ◀────────┘
//! ```
//!
//! A scan reads the columns of a row group at a time. While nobody reads the rows of its statement, it keeps them.

use crate::statement_memory::StatementMemory;
use bytes::Bytes;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use std::collections::HashSet;
use std::ops::Range;

/// The most bytes that the decoded pages of one column take at a time: a dictionary and a page, each of a mebibyte.
const PAGES_BYTES: u64 = 2 << 20;
/// What decompresses the pages of one column: a context of zstd.
const CONTEXT_BYTES: u64 = 128 << 10;

/// What is reserved for ranges of a file.
pub(super) struct Reserved(Vec<MemoryReservation>);

impl Reserved {
    /// Reserves memory of the statement that executes for `ranges` of `file`. Outside of statements, nothing.
    ///
    /// # Errors
    /// The statement has no memory for them.
    pub(super) fn new(ranges: &[Range<u64>], file: &ParquetMetaData) -> Result<Self> {
        let Some(StatementMemory::Execution(memory)) = StatementMemory::current() else { return Ok(Self(Vec::new())) };
        let mut columns = HashSet::new();
        let reserved = ranges.iter().map(|range| {
            let column = column_at(file, range.start);
            // Of the ranges of one column, only the first is for what decodes it.
            let first = column.filter(|(start, _)| columns.insert(*start));
            let decoding = first.map_or(0, |(_, column)| decoding_bytes(column));
            let bytes = (range.end - range.start).saturating_add(decoding);
            let reservation = MemoryConsumer::new("scan").register(&memory.pool);
            match reservation.try_grow(usize::try_from(bytes).unwrap_or(usize::MAX)) {
                Ok(()) => Ok(reservation),
                Err(error) => Err(ParquetError::External(Box::new(error))),
            }
        });
        reserved.collect::<Result<_>>().map(Self)
    }

    /// `bytes` of the ranges, which own what is reserved for them.
    pub(super) fn of(self, bytes: Vec<Bytes>) -> Vec<Bytes> {
        let mut reserved = self.0.into_iter();
        let owned = bytes.into_iter().map(|bytes| match reserved.next() {
            Some(reservation) => Bytes::from_owner(Owned { bytes, _reservation: reservation }),
            None => bytes,
        });
        owned.collect()
    }
}

/// The column with the byte at `place`, and where it starts.
fn column_at(file: &ParquetMetaData, place: u64) -> Option<(u64, &ColumnChunkMetaData)> {
    let mut columns = file.row_groups().iter().flat_map(|group| group.columns());
    columns.find_map(|column| {
        let (start, length) = column.byte_range();
        (start..start.saturating_add(length)).contains(&place).then_some((start, column))
    })
}

fn decoding_bytes(column: &ColumnChunkMetaData) -> u64 {
    CONTEXT_BYTES + u64::try_from(column.uncompressed_size()).unwrap_or(0).min(PAGES_BYTES)
}

/// Bytes with what is reserved for them.
struct Owned {
    bytes: Bytes,
    _reservation: MemoryReservation,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement_memory::ExecutionMemory;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ArrowReaderMetadata;
    use std::sync::Arc;

    const LIMIT: usize = 1 << 20;

    /// A file with two columns of 10,000 rows.
    fn file() -> (Bytes, Arc<ParquetMetaData>) {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..10_000).map(|row| format!("row {row}"))));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let bytes = Bytes::from(bytes);
        let metadata = ArrowReaderMetadata::load(&bytes, Default::default()).unwrap();
        (bytes, Arc::clone(metadata.metadata()))
    }

    fn within<T>(pool: &Arc<dyn MemoryPool>, work: impl FnOnce() -> T) -> T {
        StatementMemory::Execution(ExecutionMemory::new(Arc::clone(pool))).during_call(work)
    }

    #[test]
    fn bytes_and_pages_are_counted_until_the_bytes_are_dropped() {
        let (bytes, metadata) = file();
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(LIMIT));
        let chunk = metadata.row_group(0).column(1);
        let (start, length) = chunk.byte_range();
        // In two parts.
        let ranges = [start..start + 100, start + 100..start + length];
        let reserved = within(&pool, || Reserved::new(&ranges, &metadata)).unwrap();
        let decoding = chunk.uncompressed_size() as usize + CONTEXT_BYTES as usize;
        let expected = length as usize + decoding;
        assert_eq!(pool.reserved(), expected);
        let parts = ranges.iter().map(|range| bytes.slice(range.start as usize..range.end as usize)).collect();
        let mut owned = reserved.of(parts);
        assert_eq!(owned.concat(), bytes.slice(start as usize..(start + length) as usize));
        assert_eq!(pool.reserved(), expected);
        let part = owned.remove(0).slice(10..20);
        drop(owned);
        assert_eq!(pool.reserved(), 100 + decoding);
        drop(part);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_has_no_memory_is_not_read() {
        let (_, metadata) = file();
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(LIMIT));
        let column = metadata.row_group(0).column(0);
        let start = column.byte_range().0;
        // No column ends there, but that is for the reader to say.
        let ranges = [start..start + 10, start + 10..start + LIMIT as u64];
        let refused = within(&pool, || Reserved::new(&ranges, &metadata).map(drop));
        assert!(matches!(refused, Err(ParquetError::External(_))), "{refused:?}");
        assert_eq!(pool.reserved(), 0);
        // Outside of statements.
        assert!(Reserved::new(&ranges, &metadata).is_ok());
    }
}
