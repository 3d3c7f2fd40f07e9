//! The broker's database as far as payload goes: reading batches by offset, what is durable, and taking away what was read.
//!
//! ```text
//! produce: tansu's transaction ──▶ fsync of the log, shared by all who wait ──▶ visible ──▶ fetches wake up
//! fetch:   partition row ──▶ the batch that holds the offset, then the next ones, by primary key, up to a byte limit
//! ```
//!
//! tansu does all writing but one (`delete_before`), through one task; the gate keeps the two apart, because tansu's connections
//! answer "busy" at once instead of waiting.

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

/// Bytes of a database page. A large page makes a checkpoint of tansu's thousand pages rarer, and a batch spill less.
const PAGE_BYTES: u32 = 16_384;
const BUSY: Duration = Duration::from_secs(10);
/// Free pages that are given back to the file system in one go, so that the gate is not held for long.
const VACUUM_PAGES: u32 = 4_096;

const PARTITION: &str = "
    select tp.id, coalesce(w.high, 0),
           max(coalesce(w.low, 0), coalesce((select min(r.offset_id) from record r where r.topition = tp.id), w.high, 0))
    from cluster c
    join topic t on t.cluster = c.id
    join topition tp on tp.topic = t.id
    join watermark w on w.topition = tp.id
    where c.name = ?1 and t.name = ?2 and tp.partition = ?3";
const HOLDER_OF_OFFSET: &str = "select max(offset_id) from record where topition = ?1 and offset_id <= ?2";
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
    /// First offset that is still there.
    pub(crate) low: i64,
    /// One past the last offset that is durable.
    pub(crate) high: i64,
}

pub(crate) struct Spool {
    database: Database,
    cluster: String,
    key: SpoolKey,
    readers: Mutex<Vec<Connection>>,
    log: LogFile,
    /// One past the last durable offset, of each partition that was written since the start.
    durable: Mutex<HashMap<Topition, i64>>,
    producers: Mutex<HashSet<(i64, i16)>>,
    changes: watch::Sender<u64>,
    /// Read-held while tansu writes, write-held while we do.
    pub(crate) gate: RwLock<()>,
}

/// The write-ahead log, brought to the disk once for all who wait at the same time.
struct LogFile {
    file: Arc<File>,
    wanted: AtomicU64,
    reached: AsyncMutex<u64>,
    broken: AtomicBool,
}

/// Makes the database file with its page size before tansu opens it.
pub(crate) async fn prepare(path: &Path) -> Result<Database, BrokerError> {
    let failed = |error: libsql::Error| BrokerError::database("open", error);
    let database = libsql::Builder::new_local(path).build().await.map_err(failed)?;
    let connection = database.connect().map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    for pragma in [
        format!("pragma page_size = {PAGE_BYTES}"),
        "pragma auto_vacuum = incremental".to_owned(),
        "pragma journal_mode = wal".to_owned(),
        // The first page must be written for the two settings above to stay.
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
    /// Takes over the database that tansu has set up; what is in it is brought to the disk first.
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
                wanted: AtomicU64::new(0),
                reached: AsyncMutex::new(0),
                broken: AtomicBool::new(false),
            },
            durable: Mutex::default(),
            producers: Mutex::default(),
            changes: watch::Sender::new(0),
            gate: RwLock::new(()),
        })
    }

    pub(crate) fn key(&self) -> &SpoolKey {
        &self.key
    }

    /// Changes whenever something has become readable.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether the log could not be brought to the disk; nothing can be acknowledged any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.log.broken.load(Ordering::Acquire)
    }

    /// Runs database work where it may block.
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
                        reader.busy_timeout(BUSY)?;
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

    /// The partition, or nothing when there is no such topic or partition.
    pub(crate) async fn partition(self: &Arc<Self>, topition: &Topition) -> Result<Option<Partition>, Error> {
        let topition = topition.clone();
        self.blocking(async move |spool, reader| spool.read_partition(reader, &topition).await).await
    }

    async fn read_partition(&self, reader: &Connection, topition: &Topition) -> Result<Option<Partition>, Error> {
        let mut rows =
            reader.query(PARTITION, params![self.cluster.as_str(), topition.topic(), topition.partition()]).await?;
        let Some(row) = rows.next().await? else { return Ok(None) };
        let (id, high, low) = (row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?);
        // Looked up after the row was read: whoever advanced the row had entered the old end here before.
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

    /// The batches from the one that holds `offset` on, up to `max_bytes`, but at least one if `at_least_one`.
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
            let mut rows = reader.query(HOLDER_OF_OFFSET, params![partition.id, offset]).await?;
            let holder = rows.next().await?.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten();
            drop(rows);

            let mut bytes = 0;
            let mut rows =
                reader.query(BATCHES, params![partition.id, holder.unwrap_or(offset), partition.high]).await?;
            while let Some(row) = rows.next().await? {
                let base = row.get::<i64>(0)?;
                let Value::Blob(sealed) = row.get_value(1)? else {
                    return Err(Error::Api(ErrorCode::CorruptMessage));
                };
                bytes += sealed.len();
                if bytes > max_bytes && !(batches.is_empty() && at_least_one) {
                    break;
                }
                let batch = envelope::unwrap(&spool.key, &topition, base, sealed)?;
                // Where retention has left a gap, the holder may end before the offset.
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

    /// Makes ready for a write: the partition exists, and its present end is known to be durable.
    ///
    /// tansu panics, and with it the whole broker stops, on an epoch that its producer never had; so that is found out here.
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

    /// Waits until everything committed so far is on the disk.
    pub(crate) async fn sync(&self) -> Result<(), Error> {
        let log = &self.log;
        let ticket = log.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let mut reached = log.reached.lock().await;
        if *reached >= ticket {
            return Ok(());
        }
        // A failed fsync may have dropped the pages it could not write, so a later success would prove nothing.
        if self.is_broken() {
            return Err(Error::Api(ErrorCode::KafkaStorageError));
        }
        let goal = log.wanted.load(Ordering::Acquire);
        let file = Arc::clone(&log.file);
        let outcome = spawn_blocking(move || file.sync_data()).await;
        match outcome {
            Ok(Ok(())) => {
                *reached = goal;
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the broker's log cannot be brought to the disk");
                log.broken.store(true, Ordering::Release);
                Err(Error::Api(ErrorCode::KafkaStorageError))
            }
            Err(error) => Err(Error::Message(error.to_string())),
        }
    }

    /// Lets consumers see everything below `end`.
    pub(crate) fn publish(&self, topition: &Topition, end: i64) {
        if let Some(durable) = self.durable.lock().unwrap_or_else(PoisonError::into_inner).get_mut(topition) {
            *durable = end.max(*durable);
        }
        self.changes.send_modify(|change| *change += 1);
    }

    /// Forgets what is known of a topic that was deleted.
    pub(crate) fn forget(&self, topic: &str) {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).retain(|topition, _| topition.topic() != topic);
    }

    /// Takes away the batches that lie wholly below `offset` (-1: everything) and returns the new first offset.
    pub(crate) async fn delete_before(self: &Arc<Self>, topition: &Topition, offset: i64) -> Result<i64, Error> {
        let gate = self.gate.write().await;
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
                    let mut rows = connection.query(HOLDER_OF_OFFSET, params![partition.id, offset]).await?;
                    let holder = rows.next().await?.map(|row| row.get::<Option<i64>>(0)).transpose()?.flatten();
                    holder.unwrap_or(offset)
                };
                let transaction = connection.transaction_with_behavior(libsql::TransactionBehavior::Immediate).await?;
                transaction.execute(DELETE_BEFORE, params![partition.id, first_kept]).await?;
                transaction.execute(RAISE_LOW, params![partition.id, offset]).await?;
                transaction.commit().await?;
                Ok(offset.max(partition.low))
            })
            .await;
        drop(gate);
        low
    }

    /// Gives some free pages back to the file system.
    pub(crate) async fn shrink(self: &Arc<Self>) -> Result<(), Error> {
        let gate = self.gate.write().await;
        let outcome = self
            .blocking(async |_, connection| {
                Ok(drain(connection, &format!("pragma incremental_vacuum({VACUUM_PAGES})")).await?)
            })
            .await;
        drop(gate);
        outcome
    }

    /// Moves the log into the database and empties it.
    pub(crate) async fn checkpoint(self: &Arc<Self>) -> Result<(), Error> {
        let gate = self.gate.write().await;
        let outcome =
            self.blocking(async |_, connection| Ok(drain(connection, "pragma wal_checkpoint(truncate)").await?)).await;
        drop(gate);
        outcome
    }
}
