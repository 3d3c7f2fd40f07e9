//! The checkpoints of a Delta log: its state at one version in one file, so that readers need not begin at entry 0.
//!
//! They are derived from the entries, and the Delta library writes them. They are no evidence, and the sweeper deletes
//! those that newer ones have superseded.

use super::actions::{LoggedFile, data_file, parse_app_id};
use super::listing::Listing;
use super::snapshot::{DataFile, TopicPartition};
use super::storage::{LogStorage, log_error};
use crate::error::ArchiveError;
use crate::paths;
use crate::table::{PARTITION_COLUMNS, Table};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, MapArray, StringArray, StructArray};
use bytes::Bytes;
use deltalake_core::DeltaTable;
use deltalake_core::checkpoints::create_checkpoint;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

/// Every so many entries there is a checkpoint, at the last of them.
pub(crate) const CHECKPOINT_INTERVAL: u64 = 100;

/// What a checkpoint has.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) files: Vec<DataFile>,
    pub(super) offsets: Vec<(TopicPartition, i64)>,
}

/// Whether a checkpoint of this version is due.
pub(super) fn is_due(version: u64) -> bool {
    (version + 1).is_multiple_of(CHECKPOINT_INTERVAL)
}

/// Writes the checkpoint of a version, which must be in the log.
pub(super) async fn write(storage: &LogStorage, version: u64) -> Result<(), ArchiveError> {
    let written = try_write(storage, version).await;
    // The Delta library begins at the newest checkpoint, and would never write another one.
    match written.is_err() && delete_torn(storage).await? {
        true => try_write(storage, version).await,
        false => written,
    }
}

async fn try_write(storage: &LogStorage, version: u64) -> Result<(), ArchiveError> {
    let mut table = DeltaTable::new(storage.log_store()?);
    table.load_version(version).await.map_err(log_error("read the Delta log for its checkpoint"))?;
    create_checkpoint(&table, None).await.map_err(log_error("write a checkpoint of the Delta log"))
}

/// Deletes the newest checkpoints as long as they are no Parquet files, if the log can be read without them. Returns
/// whether there were any. What another version may be able to read stays.
async fn delete_torn(storage: &LogStorage) -> Result<bool, ArchiveError> {
    let mut listing = Listing::of(storage.names(None).await?.iter().map(String::as_str));
    let mut torn = Vec::new();
    while let Some(version) = listing.checkpoint() {
        let Some(bytes) = storage.checkpoint(version).await? else { return Ok(false) };
        match read(storage.table, version, bytes.clone()) {
            Ok(_) => break,
            Err(_) if is_parquet(bytes.clone()) => return Ok(false),
            Err(_) => torn.push(version),
        }
        listing.forget_checkpoint(version);
    }
    // All entries from an older checkpoint or from the first one on.
    if !matches!(listing.versions(), Ok(Some(_))) {
        return Ok(false);
    }
    for version in &torn {
        storage.delete_checkpoint(*version).await?;
    }
    Ok(!torn.is_empty())
}

/// Whether all columns and rows of a Parquet file can be decoded, whatever they mean.
fn is_parquet(bytes: Bytes) -> bool {
    let rows = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
    rows.is_ok_and(|mut rows| rows.all(|batch| batch.is_ok()))
}

/// Reads the bytes of the checkpoint `version`.
pub(super) fn read(table: Table, version: u64, bytes: Bytes) -> Result<Checkpoint, ArchiveError> {
    let damaged = |why: &str| ArchiveError::Damaged {
        what: paths::delta_log_checkpoint(table, version).to_string(),
        why: why.to_owned(),
    };
    let parquet = |error: ParquetError| damaged(&error.to_string());
    let mut checkpoint = Checkpoint::default();
    // All columns are decoded, also those that are not needed: a file that is damaged anywhere is not trusted.
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(parquet)?.build().map_err(parquet)? {
        let batch = batch.map_err(|error| damaged(&error.to_string()))?;
        let column = |name: &str| batch.column_by_name(name).and_then(|column| column.as_struct_opt());
        if let Some(transactions) = column("txn") {
            read_offsets(transactions, &mut checkpoint).ok_or_else(|| damaged("its offsets cannot be read"))?;
        }
        if let Some(adds) = column("add") {
            let adds = Adds::of(adds).ok_or_else(|| damaged("its files cannot be read"))?;
            for row in (0..adds.all.len()).filter(|row| adds.all.is_valid(*row)) {
                checkpoint.files.push(data_file(table, &adds.file(row))?);
            }
        }
    }
    Ok(checkpoint)
}

fn read_offsets(transactions: &StructArray, checkpoint: &mut Checkpoint) -> Option<()> {
    let ids = transactions.column_by_name("appId")?.as_string_opt::<i32>()?;
    let versions = transactions.column_by_name("version")?.as_primitive_opt::<Int64Type>()?;
    for row in (0..transactions.len()).filter(|row| transactions.is_valid(*row) && ids.is_valid(*row)) {
        if let Some(key) = parse_app_id(ids.value(row)) {
            checkpoint.offsets.push((key, versions.value(row)));
        }
    }
    Some(())
}

/// The columns of `add`.
struct Adds<'b> {
    all: &'b StructArray,
    paths: &'b StringArray,
    partitions: &'b MapArray,
    partition_names: &'b StringArray,
    partition_values: &'b StringArray,
    sizes: &'b Int64Array,
    stats: &'b StringArray,
}

impl<'b> Adds<'b> {
    fn of(all: &'b StructArray) -> Option<Self> {
        let partitions = all.column_by_name("partitionValues")?.as_map_opt()?;
        Some(Self {
            all,
            paths: all.column_by_name("path")?.as_string_opt::<i32>()?,
            partitions,
            partition_names: partitions.keys().as_string_opt::<i32>()?,
            partition_values: partitions.values().as_string_opt::<i32>()?,
            sizes: all.column_by_name("size")?.as_primitive_opt::<Int64Type>()?,
            stats: all.column_by_name("stats")?.as_string_opt::<i32>()?,
        })
    }

    fn file(&self, row: usize) -> LoggedFile<'b> {
        let offsets = self.partitions.value_offsets();
        let values = offsets[row] as usize..offsets[row + 1] as usize;
        let partition = |wanted: &str| {
            let place = values.clone().find(|at| self.partition_names.value(*at) == wanted)?;
            self.partition_values.is_valid(place).then(|| self.partition_values.value(place))
        };
        LoggedFile {
            path: self.paths.value(row),
            class: partition(PARTITION_COLUMNS[0]),
            date: partition(PARTITION_COLUMNS[1]),
            size: self.sizes.value(row),
            stats: self.stats.is_valid(row).then(|| self.stats.value(row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, RecordBatch};
    use arrow_schema::{DataType, Field};
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    const TABLE: Table = Table::Events;

    fn parquet(name: &str, column: ArrayRef) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn numbers() -> ArrayRef {
        Arc::new(Int64Array::from(vec![1]))
    }

    /// A checkpoint without files and offsets.
    fn empty() -> Vec<u8> {
        parquet("other", numbers())
    }

    /// One whose offsets are in another form.
    fn other_form() -> Vec<u8> {
        let field = Arc::new(Field::new("other", DataType::Int64, false));
        parquet("txn", Arc::new(StructArray::from(vec![(field, numbers())])))
    }

    fn torn() -> Vec<u8> {
        let bytes = empty();
        bytes[..bytes.len() / 2].to_vec()
    }

    /// Deletes torn checkpoints of a log whose entries are `first..=9`. Returns those that are left, and the hint.
    async fn left(first: u64, checkpoints: &[(u64, Vec<u8>)], hint: u64) -> (bool, Vec<u64>, Option<u64>) {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for version in first..=9 {
            store.put(&paths::delta_log_entry(TABLE, version), "".into()).await.unwrap();
        }
        for (version, bytes) in checkpoints {
            store.put(&paths::delta_log_checkpoint(TABLE, *version), bytes.clone().into()).await.unwrap();
        }
        let hinted = format!("{{\"version\":{hint}}}");
        store.put(&paths::delta_log_hint(TABLE), hinted.into()).await.unwrap();
        let storage = LogStorage { store, table: TABLE };
        let deleted = delete_torn(&storage).await.unwrap();
        let mut left = Vec::new();
        for (version, _) in checkpoints {
            if storage.checkpoint(*version).await.unwrap().is_some() {
                left.push(*version);
            }
        }
        (deleted, left, storage.hint().await.unwrap())
    }

    #[tokio::test]
    async fn a_checkpoint_is_deleted_only_if_it_is_torn_and_the_log_can_be_read_without_it() {
        assert_eq!(left(0, &[(3, empty()), (6, torn()), (8, torn())], 8).await, (true, vec![3], None));
        assert_eq!(left(0, &[(3, torn()), (6, torn())], 6).await, (true, vec![], None), "from the first entry on");
        assert_eq!(left(2, &[(3, empty()), (6, torn())], 6).await, (true, vec![3], None));
        // Nothing replaces them.
        assert_eq!(left(2, &[(3, torn()), (6, torn())], 6).await, (false, vec![3, 6], Some(6)));
        assert_eq!(left(4, &[(3, empty()), (6, torn())], 6).await, (false, vec![3, 6], Some(6)));
        // One that a newer version may have written.
        assert_eq!(left(0, &[(3, empty()), (6, other_form())], 6).await, (false, vec![3, 6], Some(6)));
        assert_eq!(left(0, &[(3, other_form()), (6, torn())], 6).await, (false, vec![3, 6], Some(6)));
        // The hint names another one.
        assert_eq!(left(0, &[(3, empty()), (6, torn())], 3).await, (true, vec![3], Some(3)));
        assert_eq!(left(0, &[(3, empty())], 3).await, (false, vec![3], Some(3)));
        assert_eq!(left(0, &[], 3).await, (false, vec![], Some(3)));
    }
}
