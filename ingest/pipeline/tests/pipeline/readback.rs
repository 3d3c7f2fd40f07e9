//! Reads both tables of the archive back: decrypted with the compliance officer's key, with the Parquet reader alone.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use holdfast_archive::keys::Unlocker;
use holdfast_archive::recordings::{self, ChunkLocation};
use holdfast_archive::{Archive, DataFile, Table};
use holdfast_events::canonical_bytes_of_row;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

/// Topic, partition, offset.
pub(crate) type KafkaPosition = (String, i32, i64);

/// A row of `events`.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) position: KafkaPosition,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) type_: String,
    /// Microseconds.
    pub(crate) time: i64,
    /// The date of its partition, in days since 1970.
    pub(crate) date: i32,
    pub(crate) class: String,
    pub(crate) archived_at: i64,
    pub(crate) implausible: bool,
    pub(crate) seq: Option<i64>,
    pub(crate) object: Option<(String, i64)>,
    pub(crate) size: Option<i64>,
    pub(crate) data: Option<String>,
    pub(crate) canonical: Vec<u8>,
}

/// A row of `dead_letters`.
#[derive(Debug)]
pub(crate) struct DeadLetterRow {
    pub(crate) position: KafkaPosition,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Option<String>,
    pub(crate) value: Option<Vec<u8>>,
}

/// Everything in the archive.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) events: Vec<EventRow>,
    pub(crate) dead: Vec<DeadLetterRow>,
}

impl Contents {
    /// Reads the archive with the keys of `officer`.
    pub(crate) async fn read(archive: &Archive, officer: &age::x25519::Identity) -> Self {
        let mut contents = Self::default();
        for (file, batch) in rows(archive, officer, Table::Events).await {
            contents.events.extend((0..batch.num_rows()).map(|row| event_row(&file, &batch, row)));
        }
        for (_, batch) in rows(archive, officer, Table::DeadLetters).await {
            contents.dead.extend((0..batch.num_rows()).map(|row| dead_row(&batch, row)));
        }
        contents
    }

    /// The one event with this id.
    #[track_caller]
    pub(crate) fn event(&self, id: &str) -> &EventRow {
        let mut rows = self.events.iter().filter(|row| row.id == id);
        let row = rows.next().unwrap_or_else(|| panic!("no event {id}"));
        assert!(rows.next().is_none(), "the event {id} is archived more than once");
        row
    }
}

async fn rows(archive: &Archive, officer: &age::x25519::Identity, table: Table) -> Vec<(DataFile, RecordBatch)> {
    let unlocker = Unlocker::new(archive.clone(), vec![officer.clone()]);
    let snapshot = archive.table(table).snapshot().await.unwrap();
    unlocker.prepare(&snapshot.files).await.unwrap();
    let mut batches = Vec::new();
    for file in snapshot.files.iter() {
        let bytes = archive.store().get(&file.path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, file.size, "{}", file.path);
        let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap().build().unwrap();
        let mut found = 0;
        for batch in reader {
            let batch = batch.unwrap();
            found += batch.num_rows() as u64;
            batches.push((file.clone(), batch));
        }
        assert_eq!(found, file.rows, "the log says how many rows {} has", file.path);
    }
    batches
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

fn binary(batch: &RecordBatch, name: &str, row: usize) -> Option<Vec<u8>> {
    let column = batch.column_by_name(name).unwrap().as_binary::<i32>();
    column.is_valid(row).then(|| column.value(row).to_vec())
}

fn long(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    column.is_valid(row).then(|| column.value(row))
}

fn time(batch: &RecordBatch, name: &str, row: usize) -> i64 {
    batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().value(row)
}

fn position(batch: &RecordBatch, row: usize) -> KafkaPosition {
    let partition = batch.column_by_name("kafka_partition").unwrap().as_primitive::<Int32Type>().value(row);
    (text(batch, "kafka_topic", row).unwrap(), partition, long(batch, "kafka_offset", row).unwrap())
}

fn event_row(file: &DataFile, batch: &RecordBatch, row: usize) -> EventRow {
    let object = text(batch, "object_path", row);
    EventRow {
        position: position(batch, row),
        source: text(batch, "source", row).unwrap(),
        id: text(batch, "id", row).unwrap(),
        type_: text(batch, "type", row).unwrap(),
        time: time(batch, "time", row),
        date: file.date,
        class: file.class.clone(),
        archived_at: time(batch, "archived_at", row),
        implausible: batch.column_by_name("time_implausible").unwrap().as_boolean().value(row),
        seq: long(batch, "seq", row),
        object: object.map(|path| (path, long(batch, "object_offset", row).unwrap())),
        size: long(batch, "size", row),
        data: text(batch, "data", row),
        canonical: canonical_bytes_of_row(batch, row).expect("all columns were decrypted"),
    }
}

fn dead_row(batch: &RecordBatch, row: usize) -> DeadLetterRow {
    DeadLetterRow {
        position: position(batch, row),
        reason: text(batch, "reason", row).unwrap(),
        message: text(batch, "message", row).unwrap(),
        key: binary(batch, "key", row),
        headers: text(batch, "headers", row),
        value: binary(batch, "value", row),
    }
}

/// The bytes of the chunk that a row describes.
pub(crate) async fn chunk_bytes(archive: &Archive, officer: &age::x25519::Identity, row: &EventRow) -> Vec<u8> {
    let unlocker = Unlocker::new(archive.clone(), vec![officer.clone()]);
    let (path, offset) = row.object.as_ref().unwrap_or_else(|| panic!("the row of {} names no object", row.id));
    let (offset, length) = (u64::try_from(*offset).unwrap(), u64::try_from(row.size.unwrap()).unwrap());
    let location = ChunkLocation { class: &row.class, date: row.date, path, offset, length };
    recordings::read_chunk(archive, &unlocker, &location).await.unwrap().to_vec()
}
