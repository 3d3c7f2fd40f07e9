//! What has been read of the log, and how it is brought up to the newest version.
//!
//! ```text
//! first time   _last_checkpoint ─▶ checkpoint: `txn` ─▶ its entry and all that follow ─┐
//! later                            the entries since the last call ────────────────────┴─▶ offsets, commits, cluster
//! ```
//!
//! The files of the table are the Delta reader's; it keeps them itself. Offsets, the ids of commits and the cluster are
//! taken from the entries here, one entry after the other.
//!
//! Invariants:
//! - No entry from the checkpoint's own on is passed over: one that is missing is damage, and one that could not be read is
//!   read again the next time.
//! - What was taken in is of entries that stand in the log, never of a commit that was only tried.

use super::actions::parse_app_id;
use super::{CLUSTER_ID, COMMIT_ID, Snapshot, TableLog, TopicPartition, log_error};
use crate::error::ArchiveError;
use crate::table::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, StructArray};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Ids of this many entries are remembered, for recognising our own.
const REMEMBERED_COMMITS: usize = 256;

/// How often a listing with a gap is made again, and the pause before.
const LISTINGS: u32 = 10;
const LISTING_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) delta: Option<DeltaTable>,
    /// The newest version whose offsets and commit were taken in. It lags behind `delta` when reading an entry failed.
    applied: Option<u64>,
    pub(super) offsets: BTreeMap<TopicPartition, i64>,
    pub(super) commits: VecDeque<String>,
    /// The cluster that the newest entry names.
    pub(super) cluster: Option<String>,
    /// The cluster that our entries name.
    pub(super) own_cluster: Option<String>,
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

impl TableLog {
    /// Brings the state up to the log's newest version.
    pub(super) async fn refresh(&self, state: &mut State) -> Result<(), ArchiveError> {
        match state.version() {
            None if !self.exists().await? => return Ok(()),
            // Most statements find nothing new, and one question for the next entry is less than a listing of all.
            Some(version) if state.applied == Some(version) && !self.has_entry(version + 1).await? => return Ok(()),
            _ => {}
        }
        for attempt in 1.. {
            let read = match &mut state.delta {
                Some(delta) => delta.update_state().await,
                None => {
                    let mut delta = DeltaTable::new(self.log_store()?);
                    delta.load().await.map(|()| state.delta = Some(delta))
                }
            };
            match read {
                Ok(()) => break,
                Err(error) if attempt < LISTINGS && is_torn_listing(&error) => tokio::time::sleep(LISTING_PAUSE).await,
                Err(error) => return Err(log_error("read the Delta log")(error)),
            }
        }
        let Some(newest) = state.version() else { return Ok(()) };
        let first = match state.applied {
            Some(applied) => applied + 1,
            None => self.read_checkpoint(state, newest).await?,
        };
        let log_store = self.log_store()?;
        for version in first..=newest {
            let entry =
                log_store.read_commit_entry(version).await.map_err(log_error("read an entry of the Delta log"))?;
            let entry = entry.ok_or_else(|| ArchiveError::Damaged {
                what: format!("the Delta log of {}", self.table.name()),
                why: format!("its entry {version} is missing"),
            })?;
            state.apply(&entry, version, self.table)?;
            state.applied = Some(version);
        }
        Ok(())
    }

    /// Whether the log has any entry.
    async fn exists(&self) -> Result<bool, ArchiveError> {
        let directory = self.table.directory().join("_delta_log");
        let first = self.store.list(Some(&directory)).next().await;
        match first.transpose() {
            Ok(found) => Ok(found.is_some()),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("list {directory}"), source }),
        }
    }

    async fn has_entry(&self, version: u64) -> Result<bool, ArchiveError> {
        let entry = self.table.directory().join("_delta_log").join(format!("{version:020}.json"));
        match self.store.head(&entry).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("look for {entry}"), source }),
        }
    }

    /// Takes the offsets from the newest checkpoint up to `newest`. Returns the version from which on entries are to be
    /// read: the checkpoint's own, because the checkpoint does not keep what an entry says of its commit.
    async fn read_checkpoint(&self, state: &mut State, newest: u64) -> Result<u64, ArchiveError> {
        let directory = self.table.directory().join("_delta_log");
        let hint = match self.get(&directory.clone().join("_last_checkpoint")).await {
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
        let file = self.get(&directory.clone().join(format!("{version:020}.checkpoint.parquet"))).await?;
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
                    state.set_offset(ids.value(row), versions.value(row));
                }
            }
        }
        Ok(version)
    }

    async fn get(&self, path: &Path) -> Result<bytes::Bytes, ArchiveError> {
        let read = async { self.store.get(path).await?.bytes().await };
        read.await.map_err(|source| ArchiveError::Store { doing: format!("read {path}"), source })
    }
}

impl State {
    pub(super) fn version(&self) -> Option<u64> {
        self.delta.as_ref().and_then(DeltaTable::version)
    }

    /// Takes the offsets and the commit's id from one entry of the log.
    fn apply(&mut self, entry: &[u8], version: u64, table: Table) -> Result<(), ArchiveError> {
        for line in entry.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // Most lines are files, which are not wanted here.
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
                if self.commits.len() == REMEMBERED_COMMITS {
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

/// Whether the log's entries do not follow each other. A folder that is written to while it is listed may show a new
/// entry and not the one before; the next listing does. A gap that stays is damage.
fn is_torn_listing(error: &DeltaTableError) -> bool {
    error.to_string().contains("contiguous commit files")
}
