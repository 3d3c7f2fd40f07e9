//! The broker's database, for payload: reads batches by offset, tracks what is durable, and deletes records.
//!
//! ```text
//! produce: tansu's transaction ──▶ fsync of the log (group commit) ──▶ visible ──▶ fetches wake up
//! fetch:   partition row ──▶ the batch with the offset, then the following ones, by primary key, up to a byte limit
//! ```
//!
//! tansu writes everything except deletions and maintenance, through one task. A lock separates these writes, because
//! tansu's connections fail with "busy" at once instead of waiting.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use libsql::{Connection, Database, Value, params};
use tansu_sans_io::{ErrorCode, record::deflated::Batch};
use tansu_storage::{Error, Topition};
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, RwLock, watch},
    task::spawn_blocking,
};
use uuid::Uuid;

use crate::{BrokerError, SpoolKey, envelope};

/// Bytes of a database page. With large pages, tansu's checkpoint after a thousand pages is rarer, and a batch needs
/// fewer pages.
const PAGE_BYTES: u32 = 16_384;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Free pages that one vacuum returns to the file system. The limit keeps the write lock short.
const VACUUM_PAGES: u32 = 4_096;

const PARTITION: &str = "
    select tp.id, coalesce(w.high, 0),
           max(coalesce(w.low, 0), coalesce((select min(r.offset_id) from record r where r.topition = tp.id), w.high, 0))
    from cluster c
    join topic t on t.cluster = c.id
    join topition tp on tp.topic = t.id
    join watermark w on w.topition = tp.id
    where c.name = ?1 and t.name = ?2 and tp.partition = ?3";
const BATCH_OF_OFFSET: &str = "select max(offset_id) from record where topition = ?1 and offset_id <= ?2";
const BATCHES: &str = "
    select offset_id, v from record
    where topition = ?1 and offset_id >= ?2 and offset_id < ?3
    order by offset_id";
const FIRST_SINCE: &str = "
    select offset_id, timestamp from record
    where topition = ?1 and timestamp >= ?2 and offset_id < ?3
    order by offset_id limit 1";
const TOPIC_NAME: &str = "
    select t.name from cluster c join topic t on t.cluster = c.id where c.name = ?1 and t.uuid = ?2";
const PRODUCER_EPOCH: &str = "
    select (select count(*) from producer where id = ?1),
           (select count(*) from producer_epoch where producer = ?1 and epoch = ?2)";
const DELETE_BEFORE: &str = "delete from record where topition = ?1 and offset_id < ?2";
const RAISE_LOW: &str = "update watermark set low = max(coalesce(low, 0), ?2) where topition = ?1";

/// A partition, and the half-open span of offsets that a consumer may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partition {
    id: i64,
    /// The first offset that is not deleted.
    pub(crate) low: i64,
    /// One past the last durable offset.
    pub(crate) high: i64,
}

pub(crate) struct Spool {
    database: Database,
    cluster: String,
    key: SpoolKey,
    readers: Mutex<Vec<Connection>>,
    log: LogFile,
    /// One past the last durable offset, for each partition that was written since the start.
    durable: Mutex<HashMap<Topition, i64>>,
    producers: Mutex<HashSet<(i64, i16)>>,
    changes: watch::Sender<u64>,
    /// Shared while tansu writes, exclusive while this module writes.
    pub(crate) write_lock: RwLock<()>,
}

/// The write-ahead log. One fsync serves all writers that wait at the same time.
struct LogFile {
    file: Arc<File>,
    /// Number of requested syncs.
    requested: AtomicU64,
    /// Number of requests that are synced.
    synced: AsyncMutex<u64>,
    failed: AtomicBool,
}

/// Creates the database file with its page size before tansu opens it.
pub(crate) async fn prepare(path: &Path) -> Result<Database, BrokerError> {
    let failed = |error: libsql::Error| BrokerError::database("open", error);
    let database = libsql::Builder::new_local(path).build().await.map_err(failed)?;
    let connection = database.connect().map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    for pragma in [
        format!("pragma page_size = {PAGE_BYTES}"),
        "pragma auto_vacuum = incremental".to_owned(),
        "pragma journal_mode = wal".to_owned(),
        // The settings above persist only once the first page is written.
        "create table if not exists holdfast_broker (format integer not null)".to_owned(),
    ] {
        drain(&connection, &pragma).await.map_err(failed)?;
    }
    Ok(database)
}

async fn drain(connection: &Connection, sql: &str) -> Result<(), libsql::Error> {
    let mut rows = connection.query(sql, ()).await?;
    while rows.next().await?.is_some() {}
    Ok(())
}

impl Spool {
    /// Opens the database that tansu has created, after syncing it to disk.
    pub(crate) async fn open(
        database: Database,
        path: &Path,
        cluster: &str,
        key: SpoolKey,
    ) -> Result<Self, BrokerError> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let directory = |action| {
            let path = log.clone();
            move |source| BrokerError::Directory { action, path, source }
        };
        let file = File::options().read(true).write(true).open(&log).map_err(directory("open"))?;
        file.sync_all().map_err(directory("sync"))?;
        if let Some(parent) = log.parent() {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(directory("sync"))?;
        }
        Ok(Self {
            database,
            cluster: cluster.to_owned(),
            key,
            readers: Mutex::default(),
            log: LogFile {
                file: Arc::new(file),
                requested: AtomicU64::new(0),
                synced: AsyncMutex::new(0),
                failed: AtomicBool::new(false),
            },
            durable: Mutex::default(),
            producers: Mutex::default(),
            changes: watch::Sender::new(0),
            write_lock: RwLock::new(()),
        })
    }

    pub(crate) fn key(&self) -> &SpoolKey {
        &self.key
    }

    /// Changes whenever a batch becomes visible.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether a sync of the log failed. Nothing can be acknowledged afterwards.
    pub(crate) fn has_failed(&self) -> bool {
        self.log.failed.load(Ordering::Acquire)
    }

    /// Runs database work on a blocking thread.
    async fn blocking<T, W>(self: &Arc<Self>, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: AsyncFnOnce(&Self, &Connection) -> Result<T, Error> + Send + 'static,
    {
        let spool = Arc::clone(self);
        let runtime = Handle::current();
        spawn_blocking(move || {
            runtime.block_on(async {
                let reader = {
                    let mut readers = spool.readers.lock().unwrap_or_else(PoisonError::into_inner);
                    readers.pop()
                };
                let reader = match reader {
                    Some(reader) => reader,
                    None => {
                        let reader = spool.database.connect()?;
                        reader.busy_timeout(BUSY_TIMEOUT)?;
                        reader
                    }
                };
                let outcome = work(&spool, &reader).await;
                if outcome.is_ok() {
                    spool.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
                }
                outcome
            })
        })
        .await
        .map_err(|error| Error::Message(error.to_string()))?
    }

    /// The partition; `None` if there is no such topic or partition.
    pub(crate) async fn partition(self: &Arc<Self>, topition: &Topition) -> Result<Option<Partition>, Error> {
        let topition = topition.clone();
        self.blocking(async move |spool, reader| spool.read_partition(reader, &topition).await).await
    }

    async fn read_partition(&self, reader: &Connection, topition: &Topition) -> Result<Option<Partition>, Error> {
        let mut rows =
            reader.query(PARTITION, params![self.cluster.as_str(), topition.topic(), topition.partition()]).await?;
        let Some(row) = rows.next().await? else { return Ok(None) };
        let (id, high, low) = (row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?);
        // Read after the row: a producer enters the old end here before it advances the row.
        let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner).get(topition).copied();
        let high = durable.map_or(high, |durable| high.min(durable));
        Ok(Some(Partition { id, low: low.min(high), high }))
    }

    /// The name of the topic with this id.
    pub(crate) async fn topic_name(self: &Arc<Self>, id: Uuid) -> Result<Option<String>, Error> {
        self.blocking(async move |spool, reader| {
            let mut rows = reader.query(TOPIC_NAME, params![spool.cluster.as_str(), id.to_string()]).await?;
            Ok(rows.next().await?.map(|row| row.get::<String>(0)).transpose()?)
        })
        .await
    }

    /// The batches from the one with `offset` on, up to `max_bytes`, but at least one if `at_least_one`.
    pub(crate) async fn read(
        self: &Arc<Self>,
        topition: &Topition,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<(Partition, Vec<Batch>), Error> {
        let topition = topition.clone();
        self.blocking(async move |spool, reader| {
            let Some(partition) = spool.read_partition(reader, &topition).await? else {
                return Err(Error::Api(ErrorCode::UnknownTopicOrPartition));
            };
            let mut batches = Vec::new();
            if offset < partition.low || offset >= partition.high {
                return Ok((partition, batches));
            }
            let mut rows = reader.query(BATCH_OF_OFFSET, params![partition.id, offset]).await?;
            let first = rows.next().await?.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten();
            drop(rows);

            let mut bytes = 0;
            let mut rows =
                reader.query(BATCHES, params![partition.id, first.unwrap_or(offset), partition.high]).await?;
            while let Some(row) = rows.next().await? {
                let base = row.get::<i64>(0)?;
                let Value::Blob(envelope) = row.get_value(1)? else {
                    return Err(Error::Api(ErrorCode::CorruptMessage));
                };
                bytes += envelope.len();
                if bytes > max_bytes && !(batches.is_empty() && at_least_one) {
                    break;
                }
                let batch = envelope::unwrap(&spool.key, &topition, base, envelope)?;
                // If retention has left a gap, the first batch may end before the offset.
                if batch.max_offset() >= offset {
                    batches.push(batch);
                } else {
                    bytes = 0;
                }
            }
            Ok((partition, batches))
        })
        .await
    }

    /// The first batch with a record at or after this time (milliseconds since 1970): its offset and its latest time.
    pub(crate) async fn first_since(
        self: &Arc<Self>,
        partition: Partition,
        milliseconds: i64,
    ) -> Result<Option<(i64, i64)>, Error> {
        self.blocking(async move |_, reader| {
            let mut rows = reader.query(FIRST_SINCE, params![partition.id, milliseconds, partition.high]).await?;
            let Some(row) = rows.next().await? else { return Ok(None) };
            Ok(Some((row.get::<i64>(0)?.max(partition.low), row.get::<i64>(1)?)))
        })
        .await
    }

    /// Prepares a write: checks that the partition exists, and records its current end as durable.
    ///
    /// Also checks the producer's epoch: tansu panics on an unknown epoch, which would end the broker.
    pub(crate) async fn before_produce(self: &Arc<Self>, topition: &Topition, batch: &Batch) -> Result<(), Error> {
        let wanted = topition.clone();
        let producer = (batch.producer_id, batch.producer_epoch);
        let unknown =
            batch.is_idempotent() && !self.producers.lock().unwrap_or_else(PoisonError::into_inner).contains(&producer);
        self.blocking(async move |spool, reader| {
            let Some(partition) = spool.read_partition(reader, &wanted).await? else {
                return Err(Error::Api(ErrorCode::UnknownTopicOrPartition));
            };
            spool.durable.lock().unwrap_or_else(PoisonError::into_inner).entry(wanted).or_insert(partition.high);
            if unknown {
                let mut rows = reader.query(PRODUCER_EPOCH, params![producer.0, producer.1]).await?;
                let counts = match rows.next().await? {
                    Some(row) => (row.get::<i64>(0)?, row.get::<i64>(1)?),
                    None => (0, 0),
                };
                match counts {
                    (0, _) => return Err(Error::Api(ErrorCode::UnknownProducerId)),
                    (_, 0) => return Err(Error::Api(ErrorCode::InvalidProducerEpoch)),
                    _ => {}
                }
                spool.producers.lock().unwrap_or_else(PoisonError::into_inner).insert(producer);
            }
            Ok(())
        })
        .await
    }

    /// Waits until everything committed so far is on disk.
    pub(crate) async fn sync(&self) -> Result<(), Error> {
        let log = &self.log;
        let request = log.requested.fetch_add(1, Ordering::AcqRel) + 1;
        let mut synced = log.synced.lock().await;
        if *synced >= request {
            return Ok(());
        }
        // After a failed fsync the kernel may drop the dirty pages, so a later success would prove nothing.
        if self.has_failed() {
            return Err(Error::Api(ErrorCode::KafkaStorageError));
        }
        let requested = log.requested.load(Ordering::Acquire);
        let file = Arc::clone(&log.file);
        let outcome = spawn_blocking(move || file.sync_data()).await;
        match outcome {
            Ok(Ok(())) => {
                *synced = requested;
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the broker's log cannot be synced to disk");
                log.failed.store(true, Ordering::Release);
                Err(Error::Api(ErrorCode::KafkaStorageError))
            }
            Err(error) => Err(Error::Message(error.to_string())),
        }
    }

    /// Makes everything below `end` visible to consumers.
    pub(crate) fn advance_high_watermark(&self, topition: &Topition, end: i64) {
        if let Some(durable) = self.durable.lock().unwrap_or_else(PoisonError::into_inner).get_mut(topition) {
            *durable = end.max(*durable);
        }
        self.changes.send_modify(|change| *change += 1);
    }

    /// Removes the state of a deleted topic.
    pub(crate) fn remove_topic(&self, topic: &str) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).retain(|topition, _| topition.topic() != topic);
    }

    /// Deletes the batches that are entirely below `offset` (-1: all batches) and returns the new first offset.
    pub(crate) async fn delete_before(self: &Arc<Self>, topition: &Topition, offset: i64) -> Result<i64, Error> {
        let lock = self.write_lock.write().await;
        let topition = topition.clone();
        let low = self
            .blocking(async move |spool, connection| {
                let Some(partition) = spool.read_partition(connection, &topition).await? else {
                    return Err(Error::Api(ErrorCode::UnknownTopicOrPartition));
                };
                let offset = if offset == -1 { partition.high } else { offset };
                if offset < 0 || offset > partition.high {
                    return Err(Error::Api(ErrorCode::OffsetOutOfRange));
                }
                let first_kept = if offset == partition.high {
                    offset
                } else {
                    let mut rows = connection.query(BATCH_OF_OFFSET, params![partition.id, offset]).await?;
                    let first = rows.next().await?.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten();
                    first.unwrap_or(offset)
                };
                let transaction = connection.transaction_with_behavior(libsql::TransactionBehavior::Immediate).await?;
                transaction.execute(DELETE_BEFORE, params![partition.id, first_kept]).await?;
                transaction.execute(RAISE_LOW, params![partition.id, offset]).await?;
                transaction.commit().await?;
                Ok(offset.max(partition.low))
            })
            .await;
        drop(lock);
        low
    }

    /// Returns some free pages to the file system.
    pub(crate) async fn vacuum(self: &Arc<Self>) -> Result<(), Error> {
        let lock = self.write_lock.write().await;
        let outcome = self
            .blocking(async |_, connection| {
                Ok(drain(connection, &format!("pragma incremental_vacuum({VACUUM_PAGES})")).await?)
            })
            .await;
        drop(lock);
        outcome
    }

    /// Moves the log into the database and empties it.
    pub(crate) async fn checkpoint(self: &Arc<Self>) -> Result<(), Error> {
        let lock = self.write_lock.write().await;
        let outcome =
            self.blocking(async |_, connection| Ok(drain(connection, "pragma wal_checkpoint(truncate)").await?)).await;
        drop(lock);
        outcome
    }
}
