//! Counts rows that wait for who takes them: the reader of a statement, or another task of it.
//!
//! ```text
//! batch ─▶ memory of its own, if it is a small part of what it points into ─▶ owns a reservation ─▶ dropped: returned
//! ```
//!
//! A reader may keep a batch as long as its statement may take: a cursor from which nobody fetches, a client that does not
//! read. The batch may outlive the operators, so it keeps nothing of theirs.

use super::batch_bytes::bytes_of;
use super::owned_arrays::{Reserved, add_buffers, address, owning_batch};
use crate::statement_memory::ExecutionMemory;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::DataType;
use datafusion::arrow::compute::take_record_batch;
use datafusion::common::Result;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use std::sync::Arc;

/// Bytes of a batch that is counted, at least.
const LEAST: usize = 16 << 10;

/// `batch`, which owns what is reserved for it. Columns for which memory is reserved already are not counted again: a
/// function made them, or they were counted between tasks.
///
/// # Errors
/// The statement has no memory for it.
pub(super) fn counted(batch: RecordBatch, memory: &ExecutionMemory) -> Result<RecordBatch> {
    let batch = apart(batch)?;
    let mut uncounted = Vec::new();
    let mut buffers = Vec::new();
    for (place, column) in batch.columns().iter().enumerate() {
        let mut addresses = Vec::new();
        add_buffers(&column.to_data(), &mut |buffer| addresses.push(address(buffer)));
        if !addresses.iter().any(|address| memory.is_counted(*address)) {
            uncounted.push(place);
            buffers.extend(addresses);
        }
    }
    let bytes = get_record_batch_memory_size(&batch.project(&uncounted)?);
    if bytes < LEAST {
        return Ok(batch);
    }
    let reserved = Reserved::new(memory, "rows that are not read", bytes, buffers)?;
    Ok(owning_batch(batch, reserved)?)
}

/// `batch` in memory of its own, if it keeps more than twice of what it needs.
fn apart(batch: RecordBatch) -> Result<RecordBatch> {
    let kept = get_record_batch_memory_size(&batch);
    if kept < LEAST || kept / 2 <= bytes_of(&batch)? {
        return Ok(batch);
    }
    let rows = UInt64Array::from_iter_values((0..batch.num_rows()).map(|row| row as u64));
    let batch = take_record_batch(&batch, &rows)?;
    // Views that were taken still point into the memory that they had.
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => Arc::clone(column),
    });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    const ROWS: usize = 10_000;

    fn memory() -> ExecutionMemory {
        ExecutionMemory::new(Arc::new(GreedyMemoryPool::new(4 << 20)))
    }

    fn texts() -> impl Iterator<Item = String> {
        (0..ROWS).map(|row| format!("a text of some bytes, number {row}"))
    }

    fn batches() -> [RecordBatch; 3] {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
        let plain: ArrayRef = Arc::new(StringArray::from_iter_values(texts()));
        let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts()));
        [
            RecordBatch::try_from_iter([("n", numbers), ("t", Arc::clone(&plain))]).unwrap(),
            RecordBatch::try_from_iter([("t", plain)]).unwrap(),
            RecordBatch::try_from_iter([("v", views)]).unwrap(),
        ]
    }

    #[test]
    fn rows_are_counted_until_their_last_part_is_dropped() {
        for batch in batches() {
            let (memory, expected) = (memory(), batch.clone());
            let taken = get_record_batch_memory_size(&batch);
            let batch = counted(batch, &memory).unwrap();
            assert_eq!(batch, expected);
            assert_eq!(memory.pool.reserved(), taken);
            // Not twice.
            let batch = counted(batch, &memory).unwrap();
            assert_eq!(memory.pool.reserved(), taken);
            let rest = batch.slice(ROWS - 1, 1);
            drop(batch);
            assert_eq!(memory.pool.reserved(), taken);
            drop(rest);
            assert_eq!(memory.pool.reserved(), 0);
        }
    }

    #[test]
    fn a_part_of_much_keeps_only_its_own() {
        for batch in batches() {
            let memory = memory();
            let part = batch.slice(ROWS / 2, 1000);
            let own = counted(part.clone(), &memory).unwrap();
            assert_eq!(own, part);
            let (all, kept) = (get_record_batch_memory_size(&batch), memory.pool.reserved());
            assert!(kept < all / 4, "{kept} of {all}");
        }
    }

    #[test]
    fn rows_without_memory_are_refused() {
        let memory = memory();
        let kept: Vec<_> = (0..).map_while(|_| counted(batches()[1].clone(), &memory).ok()).collect();
        assert!((4..100).contains(&kept.len()), "{}", kept.len());
        drop(kept);
        assert!(counted(batches()[1].clone(), &memory).is_ok());
        let none = RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty()));
        assert!(counted(none, &memory).is_ok());
        assert_eq!(memory.pool.reserved(), 0);
    }
}
