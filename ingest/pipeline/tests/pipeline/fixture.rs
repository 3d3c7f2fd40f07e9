//! A broker, an archive, and archivers between them, for one test.
//!
//! Tests that run at the same time share the servers that take seconds to start; the last test ends them. Each test has
//! its own topics, groups and location in the store.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::{Archive, Location, Table, open_store};
use holdfast_broker::{EmbeddedBroker, Settings as BrokerSettings, SpoolKey};
use holdfast_events::Tier;
use holdfast_ingest::archiver::{Archiver, ArchiverError, ArchiverMetrics, ArchiverSettings, wait_until_archived};
use holdfast_ingest::gateway::{Clock, system_clock};
use holdfast_ingest::kafka::{KafkaSettings, ensure_topics};
use holdfast_testkit::faults::{Faults, FaultyStore};
use holdfast_testkit::kafka::{Kafka, Options, clients};
use holdfast_testkit::s3::{BUCKET, S3Server};
use holdfast_testkit::{Error, ports};
use object_store::memory::InMemory;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::expectation::Expectation;
use crate::proof;
use crate::readback::{Contents, chunk_bytes};
use crate::sent::Sent;

/// How long an expected event may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// How long an archiver may take to stop while the archive is reachable.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Partitions of each topic.
const PARTITIONS: i32 = 3;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokerKind {
    /// The embedded broker of Holdfast.
    Embedded,
    /// Apache Kafka, shared with other tests.
    Apache,
    /// Apache Kafka for this test alone, which it may kill.
    OwnApache,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// Objects in memory.
    Memory,
    /// A folder, as the archive opens it by default.
    Folder,
    /// A real S3 server.
    S3,
}

enum Broker {
    Embedded { folder: TempDir, key: SpoolKey, address: SocketAddr, broker: Option<EmbeddedBroker> },
    Shared { _kafka: Arc<Kafka> },
    Own { kafka: Box<Kafka> },
}

/// The broker and the archive of one test.
pub(crate) struct Fixture {
    broker: Broker,
    pub(crate) kafka: KafkaSettings,
    /// The archive, without injected faults.
    pub(crate) archive: Archive,
    holders: Vec<Holder>,
    /// The compliance officer's identity, which decrypts all tiers.
    pub(crate) officer: age::x25519::Identity,
    expectation: Mutex<Expectation>,
    started: AtomicU32,
    _folder: Option<TempDir>,
    _server: Option<Arc<S3Server>>,
}

impl Fixture {
    /// Starts what is needed and creates the topics.
    pub(crate) async fn start(broker: BrokerKind, store: StoreKind) -> Result<Self, Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (location, folder, server) = open(store, number).await?;
        let broker = start_broker(broker).await?;
        let kafka = KafkaSettings {
            brokers: broker.bootstrap(),
            group: format!("archiver-{number}"),
            events_topic: format!("events-{number}"),
            recordings_topic: format!("recordings-{number}"),
            alerts_topic: format!("alerts-{number}"),
            partitions: PARTITIONS,
            replication: 1,
            retention: None,
            // Shorter than in production, because tests wait until the partitions of a lost consumer are reassigned.
            settings: [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..KafkaSettings::default()
        };
        ensure_topics(&kafka).await.expect("the topics are created");
        let (officer, manager) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let holder = |name: &str, identity: &age::x25519::Identity, tiers: &[Tier]| Holder {
            name: name.to_owned(),
            recipient: identity.to_public(),
            tiers: tiers.to_vec(),
        };
        Ok(Self {
            broker,
            kafka,
            archive: Archive::new(location),
            holders: vec![
                holder("manager", &manager, &[Tier::Operational]),
                holder("compliance", &officer, &Tier::ALL),
            ],
            officer,
            expectation: Mutex::default(),
            started: AtomicU32::new(0),
            _folder: folder,
            _server: server,
        })
    }

    /// The topic of events.
    pub(crate) fn events(&self) -> &str {
        &self.kafka.events_topic
    }

    /// The topic of recordings.
    pub(crate) fn recordings(&self) -> &str {
        &self.kafka.recordings_topic
    }

    /// An archiver that flushes often, in the group of the test.
    pub(crate) fn archiver(&self) -> RunningArchiver {
        self.archiver_in(&self.kafka.group)
    }

    /// An archiver in a group of its own. It gets all partitions at once, also those that another archiver has.
    pub(crate) fn archiver_in_new_group(&self) -> RunningArchiver {
        let number = self.started.load(Ordering::Relaxed);
        self.archiver_in(&format!("{}-other-{number}", self.kafka.group))
    }

    /// An archiver in a group.
    pub(crate) fn archiver_in(&self, group: &str) -> RunningArchiver {
        self.archiver_with(group, |_| {}, Faults::default())
    }

    /// An archiver with `faults` in its store. `change` may change its Kafka settings.
    pub(crate) fn archiver_with(
        &self,
        group: &str,
        change: impl FnOnce(&mut KafkaSettings),
        faults: Faults,
    ) -> RunningArchiver {
        let mut kafka = KafkaSettings { group: group.to_owned(), ..self.kafka.clone() };
        change(&mut kafka);
        self.run_archiver(kafka, archiver_settings(), system_clock(), faults)
    }

    /// An archiver with these settings, whose time is that of `clock`.
    pub(crate) fn run_archiver(
        &self,
        kafka: KafkaSettings,
        settings: ArchiverSettings,
        clock: Clock,
        faults: Faults,
    ) -> RunningArchiver {
        self.started.fetch_add(1, Ordering::Relaxed);
        let store = FaultyStore::with_faults(Arc::clone(self.archive.store()), faults.clone());
        let archive = Archive::new(Location { url: self.archive.url().clone(), store: Arc::new(store) });
        let ring = KeyRing::new(Arc::clone(archive.store()), self.holders.clone()).expect("there are holders");
        let mut registry = Registry::default();
        let metrics = ArchiverMetrics::register(&mut registry);
        let archiver = Archiver::new(kafka, settings, archive, Arc::new(ring), clock, metrics);
        let stop = CancellationToken::new();
        let (ready, is_ready) = watch::channel(false);
        let on_ready = move |now| {
            ready.send_replace(now);
        };
        let task = tokio::spawn(archiver.run(stop.clone(), on_ready));
        RunningArchiver { stop, task: Some(task), ready: is_ready, faults, registry }
    }

    /// Produces messages in order, and adds each to the expectation once it is acknowledged.
    pub(crate) async fn send(&self, messages: Vec<Sent>) {
        let records: Vec<_> = messages.iter().map(Sent::record).collect();
        let positions = clients::produce(&self.kafka.brokers, &records).await.expect("the broker acknowledges");
        let mut expectation = self.expectation();
        for (position, sent) in positions.into_iter().zip(messages) {
            let position = (position.offset >= 0).then(|| (sent.topic.clone(), position.partition, position.offset));
            expectation.add(position, sent);
        }
    }

    /// What was acknowledged so far.
    pub(crate) fn expectation(&self) -> MutexGuard<'_, Expectation> {
        self.expectation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until everything acknowledged so far is archived.
    pub(crate) async fn wait_until_archived(&self) {
        let mut targets = self.expectation().targets();
        if !self.expectation().positions_are_known() {
            targets.extend(self.ends().await);
        }
        let log = self.archive.table(Table::Events);
        let mut missing = 0;
        let waiting = wait_until_archived(&log, &targets, |now| missing = now);
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(result) => result.expect("the log can be read"),
            Err(_) => panic!("{missing} offsets were not archived within {LIMIT:?}"),
        }
    }

    /// Waits until everything is archived, and compares it with what was sent.
    pub(crate) async fn wait_and_check(&self) -> Contents {
        self.wait_until_archived().await;
        self.check().await
    }

    /// Compares what is archived with what was acknowledged, row by row and chunk by chunk.
    pub(crate) async fn check(&self) -> Contents {
        proof::verify(&self.archive, &self.officer).await;
        let contents = Contents::read(&self.archive, &self.officer).await;
        let (wrong, chunks) = {
            let expectation = self.expectation();
            (expectation.compare(&contents), expectation.chunks(&contents))
        };
        let first: String = wrong.iter().take(20).map(|line| format!("  {line}\n")).collect();
        assert!(wrong.is_empty(), "{} differences:\n{first}", wrong.len());
        for (bytes, row) in chunks {
            let stored = chunk_bytes(&self.archive, &self.officer, row).await;
            assert!(stored == bytes, "the chunk {} has other bytes ({} for {})", row.id, stored.len(), bytes.len());
        }
        contents
    }

    /// The rows of all files in the log of `events`.
    pub(crate) async fn rows(&self) -> u64 {
        let snapshot = self.archive.table(Table::Events).snapshot().await.unwrap();
        snapshot.files.iter().map(|file| file.rows).sum()
    }

    /// Restarts the broker with its data: stops the embedded one, kills Apache Kafka with SIGKILL.
    pub(crate) async fn restart_broker(&mut self) {
        match &mut self.broker {
            Broker::Embedded { folder, key, address, broker } => {
                broker.take().expect("it runs").stop().await.unwrap();
                let settings =
                    BrokerSettings { directory: folder.path().to_owned(), listen: *address, key: key.clone() };
                *broker = Some(EmbeddedBroker::start(settings).await.unwrap());
            }
            Broker::Own { kafka } => {
                kafka.kill();
                kafka.restart().await.unwrap();
            }
            Broker::Shared { .. } => panic!("other tests use this broker"),
        }
    }

    /// Apache Kafka of this test alone.
    pub(crate) fn own_kafka(&mut self) -> &mut Kafka {
        match &mut self.broker {
            Broker::Own { kafka } => kafka,
            _ => panic!("the test has no Apache Kafka of its own"),
        }
    }

    /// The ends of all partitions.
    async fn ends(&self) -> BTreeMap<(String, i32), i64> {
        self.watermarks().await.into_iter().map(|(partition, (_, end))| (partition, end)).collect()
    }

    /// How many offsets the broker still has records for, in all partitions together.
    pub(crate) async fn kept(&self) -> i64 {
        self.watermarks().await.values().map(|(begin, end)| end - begin).sum()
    }

    /// The first offset of each partition, and one past its last.
    pub(crate) async fn watermarks(&self) -> BTreeMap<(String, i32), (i64, i64)> {
        use rdkafka::consumer::{BaseConsumer, Consumer};
        let config = clients::config(&self.kafka.brokers);
        let topics = [self.events().to_owned(), self.recordings().to_owned()];
        let fetch = move || {
            let consumer: BaseConsumer = config.create().unwrap();
            let mut watermarks = BTreeMap::new();
            for topic in topics {
                for partition in 0..PARTITIONS {
                    let found = consumer.fetch_watermarks(&topic, partition, LIMIT).unwrap();
                    watermarks.insert((topic.clone(), partition), found);
                }
            }
            watermarks
        };
        tokio::task::spawn_blocking(fetch).await.unwrap()
    }
}

/// The settings of an archiver that flushes often.
pub(crate) fn archiver_settings() -> ArchiverSettings {
    ArchiverSettings {
        flush_rows: 400,
        flush_interval: Duration::from_millis(200),
        signing_key: Some(proof::signing_key()),
        ..ArchiverSettings::default()
    }
}

/// An archiver that is running.
pub(crate) struct RunningArchiver {
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), ArchiverError>>>,
    ready: watch::Receiver<bool>,
    registry: Registry,
    /// The faults in its store. Other archivers do not have them.
    pub(crate) faults: Faults,
}

impl RunningArchiver {
    /// Waits until it has partitions.
    pub(crate) async fn ready(&self) {
        let mut ready = self.ready.clone();
        let waiting = ready.wait_for(|ready| *ready);
        let outcome = tokio::time::timeout(LIMIT, waiting).await.expect("partitions are assigned in time");
        assert!(outcome.is_ok(), "the archiver ended before it had partitions");
    }

    /// Whether it says that it archives.
    pub(crate) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// One of its metrics, by the name without the prefix.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("it is written into a text");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("archiver_{name} ")));
        line.unwrap_or_else(|| panic!("no metric {name} in {text}")).parse().expect("it is a whole number")
    }

    /// Waits until it ends by itself, and returns why.
    pub(crate) async fn failure(&mut self) -> ArchiverError {
        let task = self.task.as_mut().expect("it was not stopped yet");
        let outcome = tokio::time::timeout(LIMIT, task).await.expect("the archiver ends");
        outcome.expect("the archiver does not panic").expect_err("the archiver ends with an error")
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops it and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let task = self.task.take().expect("it was not stopped yet");
        let outcome = tokio::time::timeout(STOP_LIMIT, task).await.expect("the archiver stops in time");
        outcome.expect("the archiver does not panic").expect("the archiver ends without an error");
    }

    /// Kills it: from now on it has no effect on the archive. Its threads end by themselves.
    pub(crate) fn kill(mut self) {
        self.faults.crash();
        self.stop.cancel();
        self.task.take();
    }
}

impl Drop for RunningArchiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Broker {
    fn bootstrap(&self) -> String {
        match self {
            Self::Embedded { address, .. } => address.to_string(),
            Self::Shared { _kafka: kafka } => kafka.bootstrap().to_owned(),
            Self::Own { kafka } => kafka.bootstrap().to_owned(),
        }
    }
}

async fn start_broker(kind: BrokerKind) -> Result<Broker, Error> {
    Ok(match kind {
        BrokerKind::Embedded => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let key = SpoolKey::generate().expect("random numbers");
            // A port that stays free while the broker is stopped.
            let listen = SocketAddr::from(([127, 0, 0, 1], ports::free()));
            let settings = BrokerSettings { directory: folder.path().to_owned(), listen, key: key.clone() };
            let broker = EmbeddedBroker::start(settings).await.expect("the embedded broker starts");
            Broker::Embedded { folder, key, address: broker.address(), broker: Some(broker) }
        }
        BrokerKind::Apache => {
            static SHARED: AsyncMutex<Weak<Kafka>> = AsyncMutex::const_new(Weak::new());
            // A test waits for the log cleaner, which by default checks every fifteen seconds.
            let properties = vec![("log.cleaner.backoff.ms".to_owned(), "200".to_owned())];
            let options = Options { properties, ..Options::default() };
            Broker::Shared { _kafka: shared(&SHARED, Kafka::start_with(options)).await? }
        }
        BrokerKind::OwnApache => Broker::Own { kafka: Box::new(Kafka::start().await?) },
    })
}

async fn open(kind: StoreKind, number: u32) -> Result<(Location, Option<TempDir>, Option<Arc<S3Server>>), Error> {
    Ok(match kind {
        StoreKind::Memory => {
            let url = "memory:///".parse().expect("it is an address");
            (Location { url, store: Arc::new(InMemory::new()) }, None, None)
        }
        StoreKind::Folder => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let location = open_store("archive", folder.path(), &BTreeMap::new()).expect("the folder is opened");
            (location, Some(folder), None)
        }
        StoreKind::S3 => {
            static SHARED: AsyncMutex<Weak<S3Server>> = AsyncMutex::const_new(Weak::new());
            let server = shared(&SHARED, S3Server::start()).await?;
            let url = format!("s3://{BUCKET}/archive-{number}");
            let options = server.options().into_iter().collect();
            let location = open_store(&url, std::path::Path::new("."), &options).expect("the bucket is opened");
            (location, None, Some(server))
        }
    })
}

/// The server that other tests use now, or a new one.
async fn shared<T>(
    shared: &AsyncMutex<Weak<T>>,
    start: impl Future<Output = Result<T, Error>>,
) -> Result<Arc<T>, Error> {
    let mut shared = shared.lock().await;
    if let Some(server) = shared.upgrade() {
        return Ok(server);
    }
    let server = Arc::new(start.await?);
    *shared = Arc::downgrade(&server);
    Ok(server)
}
