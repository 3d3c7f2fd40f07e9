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

use crate::error::{ArchiveError, CommitError};
use crate::proof::attest::{Attestation, PROOF_MEMBER};
use crate::segment::Segment;
use crate::table::{PARTITION_COLUMNS, Table};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, StructArray};
use arrow_schema::DataType as ArrowType;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, DataType, LogicalFileView, PrimitiveType, Remove, StructField, Transaction};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::StreamExt;
use holdfast_events::Timestamp;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// The commit's own id in the log entry's commit information.
pub(crate) const COMMIT_ID: &str = "holdfastCommit";
/// The Kafka cluster's id in the log entry's commit information.
pub(crate) const CLUSTER_ID: &str = "kafkaCluster";
/// Ids of this many entries are remembered, for recognising our own.
const REMEMBERED_COMMITS: usize = 256;
/// A commit gives up after losing this many races, and may be tried again.
const RACES: usize = 100;

/// How often a listing with a gap is made again, and the pause before.
const LISTINGS: u32 = 10;
const LISTING_PAUSE: Duration = Duration::from_millis(20);

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

#[derive(Debug, Default)]
struct State {
    delta: Option<DeltaTable>,
    /// The newest version whose offsets and commit were taken in. It lags behind `delta` when reading an entry failed.
    applied: Option<u64>,
    offsets: BTreeMap<TopicPartition, i64>,
    commits: VecDeque<String>,
    /// The cluster that the newest entry names.
    cluster: Option<String>,
    /// The cluster that our entries name.
    own_cluster: Option<String>,
    snapshot: Option<Arc<Snapshot>>,
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

    fn remove_action(&self, file: &DataFile, now: Timestamp, data_change: bool) -> Remove {
        let directory = format!("{}/", self.table.directory());
        let path = file.path.as_ref();
        let date = Timestamp(0).plus_days(file.date.into()).date_text();
        Remove {
            path: path.strip_prefix(&directory).unwrap_or(path).to_owned(),
            data_change,
            deletion_timestamp: Some(now.0 / 1_000),
            extended_file_metadata: Some(true),
            partition_values: Some(HashMap::from([
                (PARTITION_COLUMNS[0].to_owned(), Some(file.class.clone())),
                (PARTITION_COLUMNS[1].to_owned(), Some(date)),
            ])),
            size: Some(file.size as i64),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
        }
    }

    /// Brings the state up to the log's newest version.
    async fn refresh(&self, state: &mut State) -> Result<(), ArchiveError> {
        if state.delta.is_none() && !self.exists().await? {
            return Ok(());
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

    fn data_file(&self, add: &LogicalFileView) -> Result<DataFile, ArchiveError> {
        let path = add.path();
        let damaged = |why: &str| ArchiveError::Damaged {
            what: format!("the Delta log's entry for {path}"),
            why: why.to_owned(),
        };
        let partitions = add.partition_values_map();
        let partition = |name: &str| partitions.get(name).cloned().flatten();
        let date = partition("date").ok_or_else(|| damaged("it has no date"))?;
        let date = Timestamp::parse(&format!("{date}T00:00:00Z")).map_err(|_| damaged("its date is not a date"))?;
        let stats: serde_json::Value = match add.stats() {
            Some(stats) => serde_json::from_str(&stats).map_err(|_| damaged("its statistics are not JSON"))?,
            None => serde_json::Value::Null,
        };
        let schema = self.table.schema();
        let column = schema.field(self.table.time_column()).name();
        let bound = |which: &str| Timestamp::parse(stats[which][column].as_str()?).ok();
        let id = path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
        Ok(DataFile {
            path: self.file_path(&path),
            id: id.ok_or_else(|| damaged("its name does not end in .parquet"))?.to_owned(),
            class: partition("class").ok_or_else(|| damaged("it has no class"))?,
            date: date.days() as i32,
            rows: stats["numRecords"].as_u64().ok_or_else(|| damaged("it does not say how many rows it has"))?,
            size: add.size() as u64,
            time: bound("minValues").zip(bound("maxValues")).map(|(low, high)| (low.0, high.0)),
        })
    }
}

impl State {
    fn version(&self) -> Option<u64> {
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

fn app_id(topic: &str, partition: i32) -> String {
    format!("kafka:{topic}:{partition}")
}

pub(crate) fn parse_app_id(id: &str) -> Option<TopicPartition> {
    let (topic, partition) = id.strip_prefix("kafka:")?.rsplit_once(':')?;
    Some((topic.to_owned(), partition.parse().ok()?))
}

fn relative_path(segment: &Segment) -> String {
    crate::paths::data_file(&segment.partition.class, &segment.partition.date_text(), &segment.id)
}

/// The log is plain text: of all columns, only the time's bounds stand in it.
fn add_action(segment: &Segment, now: Timestamp, data_change: bool) -> Add {
    let schema = segment.table.schema();
    let column = schema.field(segment.table.time_column()).name();
    let mut stats = serde_json::json!({ "numRecords": segment.rows });
    if let Some((low, high)) = segment.time {
        stats["minValues"] = serde_json::json!({ column: Timestamp(low).to_string() });
        stats["maxValues"] = serde_json::json!({ column: Timestamp(high).to_string() });
    }
    Add {
        path: relative_path(segment),
        partition_values: HashMap::from([
            (PARTITION_COLUMNS[0].to_owned(), Some(segment.partition.class.clone())),
            (PARTITION_COLUMNS[1].to_owned(), Some(segment.partition.date_text())),
        ]),
        size: segment.bytes.len() as i64,
        modification_time: now.0 / 1_000,
        data_change,
        stats: Some(stats.to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn delta_type(data_type: &ArrowType) -> DataType {
    DataType::Primitive(match data_type {
        ArrowType::Int32 => PrimitiveType::Integer,
        ArrowType::Int64 => PrimitiveType::Long,
        ArrowType::Float64 => PrimitiveType::Double,
        ArrowType::Boolean => PrimitiveType::Boolean,
        ArrowType::Binary => PrimitiveType::Binary,
        ArrowType::Timestamp(..) => PrimitiveType::Timestamp,
        _ => PrimitiveType::String,
    })
}

fn log_error(doing: &'static str) -> impl FnOnce(DeltaTableError) -> ArchiveError {
    move |source| ArchiveError::Log { doing, source: Box::new(source) }
}

/// Whether the log's entries do not follow each other. A folder that is written to while it is listed may show a new
/// entry and not the one before; the next listing does. A gap that stays is damage.
fn is_torn_listing(error: &DeltaTableError) -> bool {
    error.to_string().contains("contiguous commit files")
}

#[cfg(test)]
mod tests;
