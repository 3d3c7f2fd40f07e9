//! Counts rows that wait for who takes them: the reader of a statement, or another task of it.
//!
//! ```text
//! batches that are ready ─▶ one of all their rows, or full ─▶ memory of its own ─▶ owns a reservation ─▶ dropped: returned
//!                                            if it is a small part of what it points into
//! ```
//!
//! A reader may keep a batch as long as its statement may take: a cursor from which nobody fetches, a client that does not
//! read. The batch may outlive the operators, so it keeps nothing of theirs.

use super::batch_bytes::bytes_of_values;
use super::full_batches::Filling;
use super::owned_arrays::{Reserved, add_buffers, address, owning};
use crate::statement_memory::ExecutionMemory;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array, make_array};
use arrow_schema::{DataType, SchemaRef};
use datafusion::arrow::compute::take;
use datafusion::common::{DataFusionError, Result};
use futures::stream::{self, Stream};
use futures::{FutureExt, StreamExt};
use std::sync::Arc;

/// Bytes of a batch that is counted, and of a column that is copied, at least.
const LEAST: usize = 16 << 10;

/// `rows`, in batches that own what is reserved for them. What is ready is joined to full batches: to count each of many
/// small ones takes longer than to make it.
pub(super) fn waiting<S>(
    rows: S,
    schema: SchemaRef,
    batch_size: usize,
    memory: ExecutionMemory,
) -> impl Stream<Item = Result<RecordBatch>> + Send
where
    S: Stream<Item = Result<RecordBatch>> + Unpin + Send,
{
    let waiting = Waiting { rows: Some(rows), filling: Filling::new(schema, batch_size), failed: None, memory };
    stream::try_unfold(waiting, |mut waiting| async move {
        let next = waiting.next().await?;
        Ok(next.map(|batch| (batch, waiting)))
    })
}

struct Waiting<S> {
    /// `None` at their end.
    rows: Option<S>,
    filling: Filling,
    /// Why they ended.
    failed: Option<DataFusionError>,
    memory: ExecutionMemory,
}

impl<S: Stream<Item = Result<RecordBatch>> + Unpin> Waiting<S> {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.filling.next() {
                return counted(batch, &self.memory).map(Some);
            }
            let next = match &mut self.rows {
                Some(rows) => match rows.next().now_or_never() {
                    None if self.filling.is_empty() => Some(rows.next().await),
                    ready => ready,
                },
                None if self.filling.is_empty() => return self.failed.take().map_or(Ok(None), Err),
                None => None,
            };
            match next {
                Some(Some(Ok(batch))) => self.filling.push(batch)?,
                Some(Some(Err(error))) => (self.rows, self.failed) = (None, Some(error)),
                Some(None) => self.rows = None,
                // Nothing is ready, and no row waits for others.
                None => self.filling.finish()?,
            }
        }
    }
}

/// `batch`, which owns what is reserved for it. Columns that functions made, and that own what is reserved for them, are
/// not counted again.
///
/// # Errors
/// The statement has no memory for it.
fn counted(batch: RecordBatch, memory: &ExecutionMemory) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    let (mut bytes, mut owner) = (0, None);
    for (place, column) in columns.iter_mut().enumerate() {
        let mut own = Buffers::of(column);
        if memory.is_counted(&own.addresses) {
            continue;
        }
        if own.bytes >= LEAST && own.bytes / 2 > bytes_of_values(column)? {
            *column = apart(column)?;
            own = Buffers::of(column);
        }
        // One whose values take no time to check again, if there is one.
        if let Some(first) = own.addresses.first()
            && owner.is_none_or(|(other, _)| !is_fixed(&batch, other) && is_fixed(&batch, place))
        {
            owner = Some((place, *first));
        }
        bytes += own.bytes;
    }
    if let Some((place, first)) = owner.filter(|_| bytes >= LEAST) {
        let mut reserved = Some(Reserved::new(memory, "rows that are not read", bytes)?);
        columns[place] = make_array(owning(columns[place].to_data(), first, &mut reserved)?);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &rows)?)
}

fn is_fixed(batch: &RecordBatch, place: usize) -> bool {
    batch.column(place).data_type().is_primitive()
}

/// The buffers of a column.
struct Buffers {
    addresses: Vec<usize>,
    /// What they take.
    bytes: usize,
}

impl Buffers {
    fn of(column: &ArrayRef) -> Self {
        let mut own = Self { addresses: Vec::new(), bytes: 0 };
        add_buffers(&column.to_data(), &mut |buffer| {
            own.addresses.push(address(buffer));
            own.bytes += buffer.capacity();
        });
        own
    }
}

/// A copy of `column` that keeps nothing beside its values.
fn apart(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => take(column, &UInt64Array::from_iter_values((0..column.len()).map(|row| row as u64)), None)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringArray, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::physical_plan::spill::get_record_batch_memory_size;

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
            let rest = batch.slice(ROWS - 1, 1);
            drop(batch);
            assert_eq!(memory.pool.reserved(), taken);
            drop(rest);
            assert_eq!(memory.pool.reserved(), 0);
        }
    }

    #[tokio::test]
    async fn what_is_ready_is_joined_and_what_is_not_is_not_waited_for() {
        let [_, batch, _] = batches();
        let (schema, memory) = (batch.schema(), memory());
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let rows = stream::poll_fn(move |context| receiver.poll_recv(context));
        let mut rows = Box::pin(waiting(rows, Arc::clone(&schema), 1000, memory.clone()));
        let mut next =
            || rows.next().now_or_never().map(|batch| batch.map(|batch| batch.map(|batch| batch.num_rows())));
        assert!(next().is_none());
        for row in 0..3 {
            sender.send(Ok(batch.slice(row, 1))).unwrap();
        }
        assert_eq!(next().unwrap().unwrap().unwrap(), 3);
        for part in 0..4 {
            sender.send(Ok(batch.slice(400 * part, 400))).unwrap();
        }
        sender.send(datafusion::common::exec_err!("on purpose")).unwrap();
        // All rows before the error.
        assert_eq!(next().unwrap().unwrap().unwrap(), 1000);
        assert_eq!(next().unwrap().unwrap().unwrap(), 600);
        assert!(next().unwrap().unwrap().is_err());
        drop(rows);
        assert_eq!(memory.pool.reserved(), 0);

        let all = waiting(stream::iter([Ok(batch.clone()), Ok(batch.slice(0, 1))]), schema, 1000, memory.clone());
        let rows: usize = all.map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>().await.iter().sum();
        assert_eq!(rows, ROWS + 1);
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
            // Also if it is too small to be counted.
            let row = counted(batch.slice(ROWS - 1, 1), &memory).unwrap();
            assert_eq!(row, batch.slice(ROWS - 1, 1));
            assert!(get_record_batch_memory_size(&row) < LEAST && memory.pool.reserved() == kept);
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
