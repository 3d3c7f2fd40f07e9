//! The Delta log of a table: its files, and the next offset of each Kafka partition.
//!
//! ```text
//! Segment ─▶ put ─▶ file in the store, invisible
//!                     └─▶ commit: one log entry with all files (`add`) and all offsets (`txn`) ─▶ visible
//! ```
//!
//! The log stores offsets as `txn` actions: `appId` is `kafka:<topic>:<partition>`, `version` the next offset. A commit
//! names the offsets that it starts from. If the log has other offsets, another writer has archived those events, and
//! the commit is refused ([`CommitError::Fenced`]). Several writers may commit at the same time if they have different
//! partitions: the loser of the race for a version reads the winner's entry and tries the next version.
//!
//! An entry also names the Kafka cluster of its offsets ([`TableLog::set_cluster`]): offsets of one cluster mean
//! nothing in another, and a writer must detect the difference.
//!
//! A put of a log entry can succeed although the store returns an error. The entry has the commit's own id, so the
//! writer recognises it.

mod actions;
mod change;
mod checkpoint;
mod listing;
mod snapshot;
mod state;
mod storage;

pub(crate) use actions::{CLUSTER_ID, COMMIT_ID, parse_app_id};
pub use change::{Advance, Change};
pub(crate) use checkpoint::CHECKPOINT_INTERVAL;
pub(crate) use listing::hinted_version;
pub use snapshot::{DataFile, Snapshot, TopicPartition};

use crate::error::{ArchiveError, CommitError};
use crate::paths;
use crate::proof::attest::PROOF_MEMBER;
use crate::segment::Segment;
use crate::table::{PARTITION_COLUMNS, Table};
use actions::{add_action, app_id, delta_type, relative_path, remove_action};
use bytes::Bytes;
use change::check_offsets;
use deltalake_core::TableProperty;
use deltalake_core::kernel::transaction::CommitData;
use deltalake_core::kernel::{Action, DataType, PrimitiveType, StructField, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use holdfast_events::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use state::LogState;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage::{LogStorage, log_error};
use tokio::sync::Mutex;

/// Attempts of one commit, each lost to another writer. The caller may then try the same commit again.
const MAX_ATTEMPTS: usize = 100;

/// How long a checkpoint repeats that a file was removed, as Delta Lake writes it. Nothing here reads it from there: who
/// deletes removed files reads the entries.
const REMOVALS_IN_CHECKPOINTS: &str = "interval 1 hours";

/// The Delta log of one table. Clones share their state.
#[derive(Debug, Clone)]
pub struct TableLog {
    storage: LogStorage,
    state: Arc<Mutex<LogState>>,
}

impl TableLog {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, table: Table) -> Self {
        Self { storage: LogStorage { store, table }, state: Arc::default() }
    }

    /// Which table it is.
    pub fn table(&self) -> Table {
        self.storage.table
    }

    /// The table as it is now. Reads only what has been committed since the last call.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, ArchiveError> {
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        Ok(state.snapshot())
    }

    /// The log's newest version; `None` when there is no table yet.
    pub async fn version(&self) -> Result<Option<u64>, ArchiveError> {
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        Ok(state.version())
    }

    /// The next offset of every partition, as the log has it now.
    pub async fn offsets(&self) -> Result<BTreeMap<TopicPartition, i64>, ArchiveError> {
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        Ok(state.offsets().clone())
    }

    /// The Kafka cluster of the log's offsets, as its newest entry names it; `None` when no entry names one.
    pub async fn cluster(&self) -> Result<Option<String>, ArchiveError> {
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        Ok(state.cluster.clone())
    }

    /// Entries of this writer name the cluster `id` from now on.
    pub async fn set_cluster(&self, id: &str) {
        self.state.lock().await.own_cluster = Some(id.to_owned());
    }

    /// Puts a finished file into the store. It stays invisible until it is committed. Doing it twice does no harm.
    pub async fn put(&self, segment: &Segment) -> Result<(), ArchiveError> {
        let path = self.path_of(segment);
        self.storage
            .store
            .put(&path, segment.bytes.clone().into())
            .await
            .map_err(|source| ArchiveError::Store { doing: format!("put {path}"), source })?;
        Ok(())
    }

    /// Makes `segments`, which must have been put, visible, and moves the offsets. Nothing is attested, so these rows
    /// are outside the proof log. See [`TableLog::change`].
    pub async fn commit(
        &self,
        segments: &[Segment],
        advances: &[Advance],
        commit_id: &str,
        now: Timestamp,
    ) -> Result<u64, CommitError> {
        let change = Change { segments, removed: &[], advances, commit_id, attestation: None };
        self.change(&change, now).await
    }

    /// Makes a change. `now` becomes the files' modification time. Returns the version.
    pub async fn change(&self, change: &Change<'_>, now: Timestamp) -> Result<u64, CommitError> {
        let version = self.change_log(change, now).await?;
        if checkpoint::is_due(version)
            && let Err(error) = checkpoint::write(&self.storage, version).await
        {
            // The change is made. Readers begin at an older checkpoint and read more entries.
            tracing::warn!(
                %error,
                table = self.table().name(),
                version,
                "a checkpoint of the Delta log was not written; opening the log takes longer until the next one is"
            );
        }
        Ok(version)
    }

    async fn change_log(&self, change: &Change<'_>, now: Timestamp) -> Result<u64, CommitError> {
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        if state.version().is_none() {
            self.create(&mut state).await?;
        }
        for _ in 0..MAX_ATTEMPTS {
            if state.has_commit(change.commit_id) {
                return Ok(state.version().unwrap_or_default());
            }
            check_offsets(state.offsets(), change.advances)?;
            if let Some(file) = change.removed.iter().find(|file| !state.has_file(&file.path)) {
                return Err(CommitError::ConcurrentRemove { id: file.id.clone() });
            }
            let version = state.next_version();
            let entry = self.entry(change, state.own_cluster.as_deref(), now)?;
            match self.storage.create_entry(version, entry.clone()).await {
                Ok(true) => {
                    if self.is_among_deleted(version).await? {
                        self.storage.delete_entry(version).await?;
                        state.open(&self.storage).await?;
                        continue;
                    }
                    state.apply_entry(self.table(), &entry)?;
                    return Ok(version);
                }
                // Another writer was first. Its entry is read, and this one becomes the next.
                Ok(false) => state.refresh(&self.storage).await?,
                // The log decides what happened, not the response: the entry may have been written although the store
                // returned an error.
                Err(error) => {
                    state.refresh(&self.storage).await?;
                    return match state.has_commit(change.commit_id) {
                        true => Ok(state.version().unwrap_or_default()),
                        false => Err(error.into()),
                    };
                }
            }
        }
        Err(CommitError::Archive(ArchiveError::Store {
            doing: "commit to the Delta log".to_owned(),
            source: object_store::Error::Generic {
                store: "log",
                source: format!("{MAX_ATTEMPTS} attempts lost against other writers").into(),
            },
        }))
    }

    /// Whether the entries around this version were deleted. A process that was suspended for hours between reading the
    /// log and writing its entry finds the name free in a log that is trimmed, and no reader would ever see the entry.
    async fn is_among_deleted(&self, version: u64) -> Result<bool, ArchiveError> {
        match version.checked_sub(1) {
            // Entries are deleted in their order.
            Some(before) if !self.table().is_evidence() => Ok(!self.storage.has_entry(before).await?),
            _ => Ok(false),
        }
    }

    /// The bytes of the entry that makes a change.
    fn entry(&self, change: &Change<'_>, cluster: Option<&str>, now: Timestamp) -> Result<Bytes, ArchiveError> {
        let Change { segments, removed, advances, commit_id, attestation } = *change;
        let data_change = removed.is_empty();
        let mut actions: Vec<Action> =
            segments.iter().map(|segment| Action::Add(add_action(segment, now, data_change))).collect();
        actions.extend(
            removed.iter().map(|file| Action::Remove(remove_action(self.table(), file, now, segments.is_empty()))),
        );
        let transactions: Vec<Transaction> = advances
            .iter()
            .map(|advance| Transaction::new(app_id(&advance.topic, advance.partition), advance.next))
            .collect();
        let cluster = cluster.map(|id| (CLUSTER_ID.to_owned(), id.into()));
        let proof = attestation.map(|attestation| (PROOF_MEMBER.to_owned(), attestation.to_json()));
        let metadata = [(COMMIT_ID.to_owned(), commit_id.into())].into_iter().chain(cluster).chain(proof).collect();
        let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let entry = CommitData::new(actions, operation, metadata, transactions).get_bytes();
        entry.map_err(|error| log_error("encode an entry of the Delta log")(error.into()))
    }

    async fn create(&self, state: &mut LogState) -> Result<(), ArchiveError> {
        let columns = self
            .table()
            .schema()
            .fields()
            .iter()
            .map(|field| (field.name().clone(), delta_type(field.data_type())))
            .collect::<Vec<_>>();
        let partitions = [
            (PARTITION_COLUMNS[0].to_owned(), DataType::Primitive(PrimitiveType::String)),
            (PARTITION_COLUMNS[1].to_owned(), DataType::Primitive(PrimitiveType::Date)),
        ];
        let fields =
            columns.into_iter().chain(partitions).map(|(name, data_type)| StructField::nullable(name, data_type));
        let result = CreateBuilder::new()
            .with_log_store(self.storage.log_store()?)
            .with_table_name(self.table().name())
            .with_columns(fields)
            .with_partition_columns(PARTITION_COLUMNS)
            // The log's history is evidence; Delta must not expire it.
            .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
            .with_configuration_property(TableProperty::DeletedFileRetentionDuration, Some(REMOVALS_IN_CHECKPOINTS))
            .await;
        // The table exists now, whichever writer created it. If it does not, opening it reports the error.
        let refreshed = state.refresh(&self.storage).await;
        match (result, state.version().is_some()) {
            (_, true) => refreshed,
            (Err(error), false) => Err(log_error("create the table")(error)),
            (Ok(_), false) => refreshed.and(Err(ArchiveError::Damaged {
                what: format!("the Delta log of {}", self.table().name()),
                why: "the table was created and does not exist".to_owned(),
            })),
        }
    }

    /// A segment's file as the log describes it once it is committed.
    pub fn file_of(&self, segment: &Segment) -> DataFile {
        DataFile {
            path: self.path_of(segment),
            id: segment.id.clone(),
            class: segment.partition.class.clone(),
            date: segment.partition.date,
            rows: segment.rows,
            size: segment.bytes.len() as u64,
            time: segment.time,
        }
    }

    /// The path of a segment's file in the store, whether or not it was put.
    pub(crate) fn path_of(&self, segment: &Segment) -> Path {
        paths::in_table(self.table(), &relative_path(segment))
    }
}

#[cfg(test)]
mod tests;
