//! The state of the log as far as it was read, and its refresh to the newest version.
//!
//! ```text
//! first time   _last_checkpoint ─▶ checkpoint: `txn` ─▶ its entry and all that follow ─┐
//! later                            the entries since the last call ────────────────────┴─▶ offsets, commits, cluster
//! ```
//!
//! The Delta reader keeps the files of the table. This module reads offsets, commit ids and the cluster from the
//! entries, one entry after the other.
//!
//! Invariants:
//! - No entry is skipped from the checkpoint's own entry on. A missing entry is damage. An entry that could not be read
//!   is read again at the next refresh.
//! - The state reflects only entries that are in the log, never a commit that was only tried.

use super::actions::{CLUSTER_ID, COMMIT_ID, parse_app_id};
use super::snapshot::{Snapshot, TopicPartition};
use super::storage::{LogStorage, log_error};
use crate::error::ArchiveError;
use crate::paths;
use crate::table::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, StructArray};
use deltalake_core::{DeltaTable, DeltaTableError};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Commit ids that are kept, so that a writer recognises its own commits.
const MAX_COMMIT_IDS: usize = 256;

/// How often a listing with a gap is repeated, and the pause before each repetition.
const MAX_LISTINGS: u32 = 10;
const LISTING_PAUSE: Duration = Duration::from_millis(20);

/// What was read of one log.
#[derive(Debug, Default)]
pub(super) struct LogState {
    pub(super) delta: Option<DeltaTable>,
    /// The newest version whose offsets and commit id were applied. It lags behind `delta` when an entry could not be
    /// read.
    applied: Option<u64>,
    pub(super) offsets: BTreeMap<TopicPartition, i64>,
    pub(super) commits: VecDeque<String>,
    /// The cluster that the newest entry names.
    pub(super) cluster: Option<String>,
    /// The cluster that the entries of this writer name.
    pub(super) own_cluster: Option<String>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

impl LogState {
    /// Brings the state up to the log's newest version.
    pub(super) async fn refresh(&mut self, storage: &LogStorage) -> Result<(), ArchiveError> {
        match self.version() {
            None if !storage.exists().await? => return Ok(()),
            // Most statements find nothing new, and one request for the next entry costs less than a listing of all.
            Some(version) if self.applied == Some(version) && !storage.has_entry(version + 1).await? => return Ok(()),
            _ => {}
        }
        for attempt in 1.. {
            let read = match &mut self.delta {
                Some(delta) => delta.update_state().await,
                None => {
                    let mut delta = DeltaTable::new(storage.log_store()?);
                    delta.load().await.map(|()| self.delta = Some(delta))
                }
            };
            match read {
                Ok(()) => break,
                Err(error) if attempt < MAX_LISTINGS && is_torn_listing(&error) => {
                    tokio::time::sleep(LISTING_PAUSE).await;
                }
                Err(error) => return Err(log_error("read the Delta log")(error)),
            }
        }
        let Some(newest) = self.version() else { return Ok(()) };
        let first = match self.applied {
            Some(applied) => applied + 1,
            None => self.read_checkpoint(storage, newest).await?,
        };
        let log_store = storage.log_store()?;
        for version in first..=newest {
            let entry =
                log_store.read_commit_entry(version).await.map_err(log_error("read an entry of the Delta log"))?;
            let entry = entry.ok_or_else(|| ArchiveError::Damaged {
                what: format!("the Delta log of {}", storage.table.name()),
                why: format!("its entry {version} is missing"),
            })?;
            self.apply(&entry, version, storage.table)?;
            self.applied = Some(version);
        }
        Ok(())
    }

    /// Reads the offsets from the newest checkpoint up to `newest`. Returns the first version whose entry must be read:
    /// the checkpoint's own, because a checkpoint does not keep the commit information of its entry.
    async fn read_checkpoint(&mut self, storage: &LogStorage, newest: u64) -> Result<u64, ArchiveError> {
        let directory = paths::delta_log(storage.table);
        let hint = match storage.get(&directory.clone().join("_last_checkpoint")).await {
            Ok(hint) => hint,
            Err(ArchiveError::Store { source: object_store::Error::NotFound { .. }, .. }) => return Ok(0),
            Err(error) => return Err(error),
        };
        let damaged = |why: String| ArchiveError::Damaged { what: format!("a checkpoint in {directory}"), why };
        let hint: serde_json::Value = serde_json::from_slice(&hint).map_err(|error| damaged(error.to_string()))?;
        let version = hint["version"].as_u64().ok_or_else(|| damaged("it has no version".to_owned()))?;
        if version > newest {
            return Ok(0);
        }
        let file = storage.get(&directory.clone().join(format!("{version:020}.checkpoint.parquet"))).await?;
        let parquet = |source| ArchiveError::Parquet { doing: format!("read the checkpoint {version}"), source };
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
        for batch in builder.with_projection(mask).build().map_err(parquet)? {
            let batch = batch.map_err(|error| damaged(error.to_string()))?;
            let Some(transactions) =
                batch.column_by_name("txn").and_then(|column| column.as_any().downcast_ref::<StructArray>())
            else {
                continue;
            };
            let (Some(ids), Some(versions)) =
                (transactions.column_by_name("appId"), transactions.column_by_name("version"))
            else {
                continue;
            };
            let (ids, versions) = (ids.as_string::<i32>(), versions.as_primitive::<Int64Type>());
            for row in 0..transactions.len() {
                if transactions.is_valid(row) && ids.is_valid(row) {
                    self.set_offset(ids.value(row), versions.value(row));
                }
            }
        }
        Ok(version)
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.delta.as_ref().and_then(DeltaTable::version)
    }

    /// Reads the offsets, the commit id and the cluster from one entry of the log.
    fn apply(&mut self, entry: &[u8], version: u64, table: Table) -> Result<(), ArchiveError> {
        for line in entry.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // Most lines are files, which are not needed here.
            if !line.starts_with(b"{\"txn\"") && !line.starts_with(b"{\"commitInfo\"") {
                continue;
            }
            let action: serde_json::Value = serde_json::from_slice(line).map_err(|error| ArchiveError::Damaged {
                what: format!("entry {version} of the Delta log of {}", table.name()),
                why: error.to_string(),
            })?;
            if let (Some(id), Some(next)) = (action["txn"]["appId"].as_str(), action["txn"]["version"].as_i64()) {
                self.set_offset(id, next);
            }
            if let Some(id) = action["commitInfo"][CLUSTER_ID].as_str() {
                self.cluster = Some(id.to_owned());
            }
            if let Some(id) = action["commitInfo"][COMMIT_ID].as_str() {
                if self.commits.len() == MAX_COMMIT_IDS {
                    self.commits.pop_front();
                }
                self.commits.push_back(id.to_owned());
            }
        }
        Ok(())
    }

    fn set_offset(&mut self, app_id: &str, next: i64) {
        if let Some(key) = parse_app_id(app_id) {
            self.offsets.insert(key, next);
        }
    }
}

/// Whether the listing has a gap in the versions. A folder that is written to while it is listed may show a new entry
/// and not the one before; the next listing shows both. A gap that remains is damage.
fn is_torn_listing(error: &DeltaTableError) -> bool {
    error.to_string().contains("contiguous commit files")
}
