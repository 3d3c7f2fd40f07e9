//! The checkpoints of a Delta log: its state at one version in one file, so that readers need not begin at entry 0.
//!
//! They are derived from the entries, and the Delta library writes them. They are no evidence, and the sweeper deletes
//! those that newer ones have superseded.

use super::actions::{LoggedFile, data_file, parse_app_id};
use super::snapshot::{DataFile, TopicPartition};
use super::storage::{LogStorage, log_error};
use crate::error::ArchiveError;
use crate::table::{PARTITION_COLUMNS, Table};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, MapArray, StringArray, StructArray};
use bytes::Bytes;
use deltalake_core::DeltaTable;
use deltalake_core::checkpoints::create_checkpoint;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

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
    let mut table = DeltaTable::new(storage.log_store()?);
    table.load_version(version).await.map_err(log_error("read the Delta log for its checkpoint"))?;
    create_checkpoint(&table, None).await.map_err(log_error("write a checkpoint of the Delta log"))
}

/// Reads the bytes of the checkpoint `version`.
pub(super) fn read(table: Table, version: u64, bytes: Bytes) -> Result<Checkpoint, ArchiveError> {
    let parquet = |source| ArchiveError::Parquet { doing: format!("read the checkpoint {version}"), source };
    let damaged = |why: &str| ArchiveError::Damaged {
        what: format!("the checkpoint {version} of the Delta log of {}", table.name()),
        why: why.to_owned(),
    };
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
