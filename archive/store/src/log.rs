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
mod snapshot;
mod state;
mod storage;

pub(crate) use actions::{CLUSTER_ID, COMMIT_ID, parse_app_id};
pub use change::{Advance, Change};
pub use snapshot::{DataFile, Snapshot, TopicPartition};

use crate::error::{ArchiveError, CommitError};
use crate::proof::attest::PROOF_MEMBER;
use crate::segment::Segment;
use crate::table::{PARTITION_COLUMNS, Table};
use actions::{add_action, app_id, data_file, delta_type, file_path, relative_path, remove_action};
use change::check_offsets;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, DataType, PrimitiveType, StructField, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use holdfast_events::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use state::LogState;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use storage::{LogStorage, log_error};
use tokio::sync::Mutex;

/// Attempts of one commit, each lost to another writer. The caller may then try the same commit again.
const MAX_ATTEMPTS: usize = 100;

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
        let version = state.version();
        if let Some(snapshot) = &state.snapshot
            && snapshot.version == version
        {
            return Ok(Arc::clone(snapshot));
        }
        let files = match &state.delta {
            None => Vec::new(),
            Some(delta) => {
                let adds = delta.snapshot().map_err(log_error("read the Delta log"))?.log_data();
                adds.iter().map(|add| data_file(self.table(), &add)).collect::<Result<_, _>>()?
            }
        };
        let snapshot = Arc::new(Snapshot { version, files, offsets: state.offsets.clone() });
        state.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
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
        Ok(state.offsets.clone())
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
        let Change { segments, removed, advances, commit_id, attestation } = *change;
        let mut state = self.state.lock().await;
        state.refresh(&self.storage).await?;
        if state.delta.is_none() {
            self.create(&mut state).await?;
        }
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
        for _ in 0..MAX_ATTEMPTS {
            if state.commits.iter().any(|known| known == commit_id) {
                return Ok(state.version().unwrap_or_default());
            }
            check_offsets(&state.offsets, advances)?;
            if !removed.is_empty() {
                self.check_removed(&state, removed)?;
            }
            let delta = state.delta.as_ref().expect("the table was opened or created above");
            let cluster = state.own_cluster.clone().map(|id| (CLUSTER_ID.to_owned(), id.into()));
            let proof = attestation.map(|attestation| (PROOF_MEMBER.to_owned(), attestation.to_json()));
            let properties = CommitProperties::default()
                .with_max_retries(0)
                .with_metadata([(COMMIT_ID.to_owned(), commit_id.into())].into_iter().chain(cluster).chain(proof))
                .with_application_transactions(transactions.clone());
            let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
            let table = delta.snapshot().map_err(log_error("read the Delta log"))?.snapshot();
            let result = CommitBuilder::from(properties)
                .with_actions(actions.clone())
                .build(Some(table), delta.log_store(), operation)
                .await;
            let lost_race = matches!(
                &result,
                Err(DeltaTableError::VersionAlreadyExists(_)
                    | DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) })
            );
            // The log decides what happened, not the result: an entry may have been written although the store returned
            // an error, and a later step may have failed although the entry is in the log.
            let refreshed = state.refresh(&self.storage).await;
            refreshed?;
            match result {
                Ok(committed) => return Ok(committed.version),
                Err(_) if lost_race => {}
                Err(source) => {
                    if state.commits.iter().any(|known| known == commit_id) {
                        return Ok(state.version().unwrap_or_default());
                    }
                    return Err(log_error("commit to the Delta log")(source).into());
                }
            }
        }
        Err(CommitError::Archive(ArchiveError::Log {
            doing: "commit to the Delta log",
            source: Box::new(DeltaTableError::Generic(format!("{MAX_ATTEMPTS} attempts lost against other writers"))),
        }))
    }

    /// Refuses to remove a file that is not part of the table.
    fn check_removed(&self, state: &LogState, removed: &[DataFile]) -> Result<(), CommitError> {
        let delta = state.delta.as_ref().expect("the table was opened or created before");
        let live = delta.snapshot().map_err(log_error("read the Delta log"))?.log_data();
        let live: HashSet<Path> = live.iter().map(|add| file_path(self.table(), &add.path())).collect();
        match removed.iter().find(|file| !live.contains(&file.path)) {
            Some(file) => Err(CommitError::ConcurrentRemove { id: file.id.clone() }),
            None => Ok(()),
        }
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
            .with_configuration_property(deltalake_core::TableProperty::EnableExpiredLogCleanup, Some("false"))
            .await;
        // The table exists now, whichever writer created it. If it does not, opening it reports the error.
        let refreshed = state.refresh(&self.storage).await;
        match (result, state.delta.is_some()) {
            (_, true) => refreshed,
            (Err(error), false) => Err(log_error("create the table")(error)),
            (Ok(_), false) => refreshed.and(Err(ArchiveError::Damaged {
                what: format!("the Delta log of {}", self.table().name()),
                why: "the table was created and does not exist".to_owned(),
            })),
        }
    }

    /// The path of a segment's file in the store, whether or not it was put.
    pub(crate) fn path_of(&self, segment: &Segment) -> Path {
        file_path(self.table(), &relative_path(segment))
    }
}

#[cfg(test)]
mod tests;
