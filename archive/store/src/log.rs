//! The Delta log of a table: which files it has, and up to which offset of each Kafka partition it goes.
//!
//! ```text
//! Segment ─▶ put ─▶ file in the store, invisible
//!                     └─▶ commit: one log entry with all files (`add`) and all offsets (`txn`) ─▶ visible
//! ```
//!
//! Offsets stand in the log as `txn` actions: `appId` is `kafka:<topic>:<partition>`, `version` the next offset. A commit
//! names the offsets that it starts from; when the log says others, somebody else has archived those events, and the
//! commit is refused ([`CommitError::Fenced`]). Several writers may commit at the same time as long as they have
//! different partitions: the loser of the race for a version reads the winner's entry and tries the next.
//!
//! An entry also says which Kafka cluster its offsets are of ([`TableLog::set_cluster`]): offsets of one cluster mean
//! nothing in another, and a writer must be able to notice.
//!
//! A put of a log entry can succeed and answer an error. The entry bears the commit's own id, by which it is recognised.

mod actions;
mod read;

pub(crate) use actions::parse_app_id;

use crate::error::{ArchiveError, CommitError};
use crate::proof::attest::{Attestation, PROOF_MEMBER};
use crate::segment::Segment;
use crate::table::{PARTITION_COLUMNS, Table};
use actions::{add_action, app_id, delta_type, relative_path};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, DataType, PrimitiveType, StructField, Transaction};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use holdfast_events::Timestamp;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use read::State;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::Mutex;
use url::Url;

/// The commit's own id in the log entry's commit information.
pub(crate) const COMMIT_ID: &str = "holdfastCommit";
/// The Kafka cluster's id in the log entry's commit information.
pub(crate) const CLUSTER_ID: &str = "kafkaCluster";
/// A commit gives up after losing this many races, and may be tried again.
const RACES: usize = 100;

/// The topic and the partition that an offset belongs to.
pub type TopicPartition = (String, i32);

/// How far a commit moves one partition's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset as the log must say it now; `None` when the log must say nothing.
    pub expected: Option<i64>,
    /// The next offset after the commit.
    pub next: i64,
}

/// What a commit does, all of it or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Change<'c> {
    /// Files that were put and become visible.
    pub segments: &'c [Segment],
    /// Files that are no longer part of the table. They must be part of it, or somebody else was first.
    pub removed: &'c [DataFile],
    /// How far offsets move.
    pub advances: &'c [Advance],
    /// Unique to what is committed: a commit that is tried again after an error must bear the same id, and is then done
    /// once.
    pub commit_id: &'c str,
    /// What is attested of it.
    pub attestation: Option<&'c Attestation>,
}

/// A table at one version.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The log's version; `None` when there is no table yet.
    pub version: Option<u64>,
    /// The data files.
    pub files: Vec<DataFile>,
    /// The next offset of every partition that the table has events of.
    pub offsets: BTreeMap<TopicPartition, i64>,
}

/// A data file as the log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its path, relative to the archive.
    pub path: Path,
    /// Its id: its name, and the AAD prefix that it must have been encrypted with.
    pub id: String,
    /// The retention class.
    pub class: String,
    /// The filing date, in days since 1970-01-01.
    pub date: i32,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The smallest and the greatest value of the time column, in microseconds.
    pub time: Option<(i64, i64)>,
}

/// The Delta log of one table. Clones share what they have read.
#[derive(Debug, Clone)]
pub struct TableLog {
    store: Arc<dyn ObjectStore>,
    table: Table,
    state: Arc<Mutex<State>>,
}

impl TableLog {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, table: Table) -> Self {
        Self { store, table, state: Arc::default() }
    }

    /// Which table it is.
    pub fn table(&self) -> Table {
        self.table
    }

    /// The table as it is now. Reads only what has been committed since the last call.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, ArchiveError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
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
                adds.iter().map(|add| self.data_file(&add)).collect::<Result<_, _>>()?
            }
        };
        let snapshot = Arc::new(Snapshot { version, files, offsets: state.offsets.clone() });
        state.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The log's newest version; `None` when there is no table yet.
    pub async fn version(&self) -> Result<Option<u64>, ArchiveError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.version())
    }

    /// The next offset of every partition, as the log says it now.
    pub async fn offsets(&self) -> Result<BTreeMap<TopicPartition, i64>, ArchiveError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.offsets.clone())
    }

    /// The Kafka cluster whose offsets the log has, as its newest entry names it; `None` when none ever was named.
    pub async fn cluster(&self) -> Result<Option<String>, ArchiveError> {
        let mut state = self.state.lock().await;
        self.refresh(&mut state).await?;
        Ok(state.cluster.clone())
    }

    /// From now on our entries name this cluster.
    pub async fn set_cluster(&self, id: &str) {
        self.state.lock().await.own_cluster = Some(id.to_owned());
    }

    /// Puts a finished file into the store. It stays invisible until it is committed. Doing it twice does no harm.
    pub async fn put(&self, segment: &Segment) -> Result<(), ArchiveError> {
        let path = self.path_of(segment);
        self.store
            .put(&path, segment.bytes.clone().into())
            .await
            .map_err(|source| ArchiveError::Store { doing: format!("put {path}"), source })?;
        Ok(())
    }

    /// Makes `segments`, which must have been put, visible, and moves the offsets, without attesting anything: what comes in
    /// this way is outside the proof log. See [`TableLog::change`].
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
        self.refresh(&mut state).await?;
        if state.delta.is_none() {
            self.create(&mut state).await?;
        }
        let data_change = removed.is_empty();
        let mut actions: Vec<Action> =
            segments.iter().map(|segment| Action::Add(add_action(segment, now, data_change))).collect();
        actions.extend(removed.iter().map(|file| Action::Remove(self.remove_action(file, now, segments.is_empty()))));
        let transactions: Vec<Transaction> = advances
            .iter()
            .map(|advance| Transaction::new(app_id(&advance.topic, advance.partition), advance.next))
            .collect();
        for _ in 0..RACES {
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
            // Whatever the answer was, the log says what happened: an entry may have been written although an error
            // came back, and a later step may have failed although the entry stands.
            let refreshed = self.refresh(&mut state).await;
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
            source: Box::new(DeltaTableError::Generic(format!("{RACES} races for a version were lost"))),
        }))
    }

    /// Refuses to remove what is not there.
    fn check_removed(&self, state: &State, removed: &[DataFile]) -> Result<(), CommitError> {
        let delta = state.delta.as_ref().expect("the table was opened or created before");
        let live = delta.snapshot().map_err(log_error("read the Delta log"))?.log_data();
        let live: HashSet<Path> = live.iter().map(|add| self.file_path(&add.path())).collect();
        match removed.iter().find(|file| !live.contains(&file.path)) {
            Some(file) => Err(CommitError::Gone { id: file.id.clone() }),
            None => Ok(()),
        }
    }

    async fn create(&self, state: &mut State) -> Result<(), ArchiveError> {
        let columns = self
            .table
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
            .with_log_store(self.log_store()?)
            .with_table_name(self.table.name())
            .with_columns(fields)
            .with_partition_columns(PARTITION_COLUMNS)
            // The log's history is evidence; nothing may delete it by itself.
            .with_configuration_property(deltalake_core::TableProperty::EnableExpiredLogCleanup, Some("false"))
            .await;
        // Whoever was first, there is a table now. If there is none, opening it says so.
        let refreshed = self.refresh(state).await;
        match (result, state.delta.is_some()) {
            (_, true) => refreshed,
            (Err(error), false) => Err(log_error("create the table")(error)),
            (Ok(_), false) => refreshed.and(Err(ArchiveError::Damaged {
                what: format!("the Delta log of {}", self.table.name()),
                why: "the table was created and is not there".to_owned(),
            })),
        }
    }

    fn log_store(&self) -> Result<LogStoreRef, ArchiveError> {
        let directory = self.table.directory();
        // The Delta reader addresses its files by URL and looks them up in the root store by the URL's path; the scheme
        // has no meaning here.
        let url = Url::parse(&format!("memory:///{directory}/"))
            .map_err(|error| ArchiveError::Location { url: directory.to_string(), why: error.to_string() })?;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&self.store), directory));
        Ok(default_logstore(prefixed, Arc::clone(&self.store), &url, &StorageConfig::default()))
    }

    /// Where a file stands, or will.
    pub(crate) fn path_of(&self, segment: &Segment) -> Path {
        self.file_path(&relative_path(segment))
    }

    fn file_path(&self, relative: &str) -> Path {
        Path::from(format!("{}/{relative}", self.table.directory()))
    }
}

/// Refuses advances that do not start where the log is.
fn check_offsets(offsets: &BTreeMap<TopicPartition, i64>, advances: &[Advance]) -> Result<(), CommitError> {
    for advance in advances {
        let found = offsets.get(&(advance.topic.clone(), advance.partition)).copied();
        if found != advance.expected {
            return Err(CommitError::Fenced {
                topic: advance.topic.clone(),
                partition: advance.partition,
                expected: advance.expected,
                found,
            });
        }
    }
    Ok(())
}

fn log_error(doing: &'static str) -> impl FnOnce(DeltaTableError) -> ArchiveError {
    move |source| ArchiveError::Log { doing, source: Box::new(source) }
}

#[cfg(test)]
mod tests;
