//! Merges many files into one: decrypts their rows, sorts them, and writes them into one sealed file.
//!
//! ```text
//! file ─▶ digest as attested? ─▶ decrypt ─▶ columns ─┐
//! file ─▶ ...                                        ├─▶ sort keys (subject, time, topic, partition, offset) ─▶ sort
//! file ─▶ ...                                        ┘          └─▶ columns in that order ─▶ encrypt ─▶ Segment
//! ```
//!
//! Invariants:
//! - Every column of every row is preserved bit by bit, NULLs included, and so is the row's secret of the proof log.
//!   Only the place of a chunk's bytes may change, which [`super::join`] does in between.
//! - A file that is not the one that was attested is refused, even if its rows decrypt: public keys are enough to write
//!   a file, and merging it would remove the evidence that it was exchanged.
//! - Memory is bounded by the bounds of a group and by `max_memory`, whichever is smaller.
//!
//! Rows are copied column by column. A sort key has a fixed size: subjects and Kafka partitions are replaced by their
//! ranks.

use crate::error::ArchiveError;
use crate::file_id;
use crate::keys::{KeyRing, Unlocker};
use crate::log::DataFile;
use crate::proof::entry::get;
use crate::proof::secrets::Secrets;
use crate::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use crate::table::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::interleave::interleave;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_proof::FileDigest;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

const BATCH_ROWS: usize = 16 * 1024;
/// Files that are fetched ahead.
const CONCURRENT_READS: usize = 4;
/// Rows of a sorted batch.
const MAX_BATCH_ROWS: usize = 64 * 1024;
/// Bytes of one column in a sorted batch: half of what offsets of 32 bits can address.
const MAX_COLUMN_BYTES: usize = 1 << 30;

/// Why a file is not merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LeftOut {
    /// No entry of the log attests it: it is older than the proof log, or was committed without attestation.
    Unattested,
    /// It has columns that this version does not support.
    NewerColumns,
}

/// Rows of several files.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The files of these rows.
    pub(crate) files: Vec<DataFile>,
    pub(crate) batches: Vec<RecordBatch>,
    /// Files that are not merged.
    pub(crate) left: Vec<(DataFile, LeftOut)>,
}

/// Takes files from the front of `waiting` and reads them, until none is left or `max_memory` bytes are used.
///
/// # Errors
/// `Damaged` when a file is missing, is not the one that was attested, or cannot be decrypted.
pub(crate) async fn gather(
    store: &Arc<dyn ObjectStore>,
    unlocker: &Arc<Unlocker>,
    table: Table,
    waiting: &mut VecDeque<DataFile>,
    digests: &HashMap<String, FileDigest>,
    max_memory: usize,
) -> Result<Gathered, ArchiveError> {
    let mut gathered = Gathered::default();
    let mut memory = 0;
    let files: Vec<DataFile> = waiting.iter().cloned().collect();
    let mut reads = stream::iter(files)
        .map(|file| {
            let (store, is_attested) = (Arc::clone(store), digests.contains_key(&file.id));
            async move {
                let bytes = if is_attested { get(store.as_ref(), &file.path).await? } else { None };
                Ok::<_, ArchiveError>((file, bytes))
            }
        })
        .buffered(CONCURRENT_READS);
    while let Some((file, bytes)) = reads.try_next().await? {
        let damaged = |why: &str| ArchiveError::Damaged { what: file.path.to_string(), why: why.to_owned() };
        let Some(digest) = digests.get(&file.id).cloned() else {
            gathered.left.push((file, LeftOut::Unattested));
            waiting.pop_front();
            continue;
        };
        let bytes = bytes.ok_or_else(|| damaged("it is missing"))?;
        let (unlocker, reading) = (Arc::clone(unlocker), file.clone());
        let read = tokio::task::spawn_blocking(move || read(table, &reading, bytes, &digest, &unlocker));
        match read.await.map_err(|_| damaged("reading it panicked"))?? {
            Ok(batches) => {
                let size: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
                if memory > 0 && memory + size > max_memory {
                    return Ok(gathered);
                }
                memory += size;
                gathered.batches.extend(batches);
                gathered.files.push(file);
            }
            Err(left) => gathered.left.push((file, left)),
        }
        waiting.pop_front();
    }
    Ok(gathered)
}

/// Decrypts the rows of a file, with the columns of its table.
fn read(
    table: Table,
    file: &DataFile,
    bytes: Bytes,
    digest: &FileDigest,
    unlocker: &Unlocker,
) -> Result<Result<Vec<RecordBatch>, LeftOut>, ArchiveError> {
    let damaged = |why: String| ArchiveError::Damaged { what: file.path.to_string(), why };
    if digest.sha256.0 != <[u8; 32]>::from(Sha256::digest(&bytes)) {
        return Err(damaged("it is not the file that was written".to_owned()));
    }
    let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id)?);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .map_err(|error| damaged(error.to_string()))?;
    let schema = table.schema();
    if builder.schema().fields().iter().any(|field| schema.index_of(field.name()).is_err()) {
        return Ok(Err(LeftOut::NewerColumns));
    }
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(error.to_string()))?;
    let (mut batches, mut secrets) = (Vec::new(), Secrets::default());
    for batch in reader {
        let batch = with_schema(&batch.map_err(|error| damaged(error.to_string()))?, &schema).map_err(damaged)?;
        match secrets.spread(&batch) {
            Some(batch) => batches.push(batch.map_err(|error| damaged(error.to_string()))?),
            None => return Ok(Err(LeftOut::Unattested)),
        }
    }
    let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    if rows != file.rows {
        return Err(damaged(format!("it has {rows} rows, and the log has {}", file.rows)));
    }
    Ok(Ok(batches))
}

/// The batch with the table's columns. A column that an older file lacks is NULL.
fn with_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => new_null_array(field.data_type(), batch.num_rows()),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).map_err(|error| error.to_string())
}

/// Writes the sorted rows of `batches` into one sealed file.
pub(crate) async fn write(
    ring: &KeyRing,
    table: Table,
    partition: &Partition,
    batches: Vec<RecordBatch>,
) -> Result<Segment, ArchiveError> {
    let id = file_id::sealed(uuid::Uuid::now_v7());
    let keys = SegmentKeys::new(ring, table, partition, id.clone()).await?;
    let partition = partition.clone();
    let written = tokio::task::spawn_blocking(move || {
        let mut writer = SegmentWriter::sealed(table, partition, keys)?;
        write_sorted(&mut writer, table, &batches)?;
        writer.finish()
    });
    written.await.map_err(|_| ArchiveError::Damaged { what: id, why: "writing it panicked".to_owned() })?
}

fn write_sorted(writer: &mut SegmentWriter, table: Table, batches: &[RecordBatch]) -> Result<(), ArchiveError> {
    let failed = |why: String| ArchiveError::Damaged { what: "the rows of a sealed file".to_owned(), why };
    let schema = table.schema();
    let order = order(table, batches).ok_or_else(|| failed("they lack columns".to_owned()))?;
    let columns: Vec<Option<Vec<&dyn Array>>> = (0..schema.fields().len())
        .map(|index| {
            let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
            // Most columns have no value, so there is nothing to sort.
            parts.iter().any(|part| part.null_count() < part.len()).then_some(parts)
        })
        .collect();
    let mut secrets = Secrets::default();
    for keys in order.chunks(batch_rows(batches)) {
        let rows: Vec<(usize, usize)> = keys.iter().map(|key| (key.batch as usize, key.row as usize)).collect();
        let ordered = columns.iter().zip(schema.fields()).map(|(parts, field)| match parts {
            Some(parts) => interleave(parts, &rows).map_err(|error| failed(error.to_string())),
            None => Ok(new_null_array(field.data_type(), rows.len())),
        });
        let batch = RecordBatch::try_new(Arc::clone(&schema), ordered.collect::<Result<_, _>>()?);
        let batch = batch.and_then(|batch| secrets.gather(&batch)).map_err(|error| failed(error.to_string()))?;
        writer.write(&batch)?;
    }
    Ok(())
}

/// A sort key, and the row's place in `batches`. Dead letters have neither subject nor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey {
    /// The subject's rank.
    subject: u32,
    time: i64,
    /// The rank of topic and partition.
    place: u32,
    offset: i64,
    batch: u32,
    row: u32,
}

/// The order of the rows. `None` if a column is missing.
fn order(table: Table, batches: &[RecordBatch]) -> Option<Vec<SortKey>> {
    let (mut subjects, mut places) = (Ranks::default(), Ranks::default());
    let mut keys = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let topics = batch.column_by_name("kafka_topic")?.as_string_opt::<i32>()?;
        let partitions = batch.column_by_name("kafka_partition")?.as_primitive_opt::<Int32Type>()?;
        let offsets = batch.column_by_name("kafka_offset")?.as_primitive_opt::<Int64Type>()?;
        let sessions = match table {
            Table::Events => Some((
                batch.column_by_name("subject")?.as_string_opt::<i32>()?,
                batch.column_by_name("time")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            )),
            Table::DeadLetters | Table::Sessions => None,
        };
        for row in 0..batch.num_rows() {
            let (subject, time) = sessions.map_or(("", 0), |(subjects, times)| (subjects.value(row), times.value(row)));
            keys.push(SortKey {
                subject: subjects.number(subject),
                time,
                place: places.number((topics.value(row), partitions.value(row))),
                offset: offsets.value(row),
                batch: number as u32,
                row: row as u32,
            });
        }
    }
    let (subjects, places) = (subjects.ranks(), places.ranks());
    for key in &mut keys {
        key.subject = subjects[key.subject as usize];
        key.place = places[key.place as usize];
    }
    keys.sort_unstable();
    Some(keys)
}

/// Numbers the values in the order of their first appearance, and then gives their ranks.
struct Ranks<T> {
    numbers: HashMap<T, u32>,
    /// Rows often have the value of the row before.
    last: Option<(T, u32)>,
}

impl<T> Default for Ranks<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), last: None }
    }
}

impl<T: Copy + Ord + Hash> Ranks<T> {
    fn number(&mut self, value: T) -> u32 {
        if let Some((last, number)) = self.last
            && last == value
        {
            return number;
        }
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        self.last = Some((value, number));
        number
    }

    /// The rank of each number.
    fn ranks(self) -> Vec<u32> {
        let mut values: Vec<(T, u32)> = self.numbers.into_iter().collect();
        values.sort_unstable();
        let mut ranks = vec![0; values.len()];
        for (rank, (_, number)) in values.into_iter().enumerate() {
            ranks[number as usize] = rank as u32;
        }
        ranks
    }
}

/// How many rows a sorted batch may have, so that no column exceeds [`MAX_COLUMN_BYTES`].
fn batch_rows(batches: &[RecordBatch]) -> usize {
    let longest = batches.iter().flat_map(RecordBatch::columns).map(longest_value).max().unwrap_or(0);
    (MAX_COLUMN_BYTES / longest.max(1)).clamp(1, MAX_BATCH_ROWS)
}

fn longest_value(column: &ArrayRef) -> usize {
    let offsets = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value_offsets(),
        DataType::Binary => column.as_binary::<i32>().value_offsets(),
        _ => return 0,
    };
    offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::{EventBatchBuilder, Position, Timestamp, decode_structured};

    fn batch(rows: &[(&str, &str, i32, i64)]) -> RecordBatch {
        let mut builder = EventBatchBuilder::new();
        for (subject, time, partition, offset) in rows {
            let line = format!(
                r#"{{"specversion":"1.0","id":"i","source":"s","type":"t","subject":"{subject}","time":"{time}"}}"#
            );
            let position = Position { topic: "t", partition: *partition, offset: *offset };
            builder.append(&decode_structured(line.as_bytes()).unwrap(), position, Timestamp(0), false, None);
        }
        builder.finish()
    }

    #[test]
    fn events_are_sorted_by_session_time_and_kafka_position() {
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        let batches = [
            batch(&[("b", late, 0, 7), ("a", late, 1, 1), ("a", late, 0, 9)]),
            batch(&[("b", early, 0, 8), ("a", early, 5, 5), ("a", late, 0, 2)]),
        ];
        let order = order(Table::Events, &batches).unwrap();
        let places: Vec<_> = order.iter().map(|key| (key.batch, key.row)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (0, 2), (0, 1), (1, 0), (0, 0)]);
        // Dead letters are sorted by their Kafka position alone.
        let order = super::order(Table::DeadLetters, &batches).unwrap();
        let places: Vec<_> = order.iter().map(|key| (key.batch, key.row)).collect();
        assert_eq!(places, [(1, 2), (0, 0), (1, 0), (0, 2), (0, 1), (1, 1)]);
    }

    #[test]
    fn long_values_are_sorted_in_small_batches() {
        assert_eq!(batch_rows(&[]), MAX_BATCH_ROWS);
        assert_eq!(batch_rows(&[batch(&[("a", "2026-01-01T00:00:00Z", 0, 0)])]), MAX_BATCH_ROWS);
        let long = "x".repeat(1 << 20);
        assert_eq!(batch_rows(&[batch(&[(&long, "2026-01-01T00:00:00Z", 0, 0)])]), 1024);
    }
}
