//! The intake: polls Kafka, reads messages, and hands what it collected to the writer. One thread, because the order of
//! offsets is the order of everything.

use super::collect::{Collector, Rows, Start};
use super::dead_letter::DeadLetter;
use super::metrics::{ArchiverMetrics, ReasonLabels};
use super::ownership::Ownership;
use super::writer::{Committed, Work};
use super::{ArchiverError, ArchiverSettings, read};
use crate::gateway::Clock;
use crate::kafka::{KafkaContext, KafkaSettings};
use holdfast_archive::TableLog;
use holdfast_events::{CHUNK_TYPE, Data, Decoder, Position, Timestamp};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long a poll waits for the next message.
const POLL: Duration = Duration::from_millis(50);
/// Messages between two looks at the clocks.
const MESSAGES_A_LOOK: usize = 512;
/// How long the writer may keep the intake waiting before the partitions are paused, so that polling can go on.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long reading goes on after the stop at the most, and how long nothing must come for it to end before.
const DRAIN: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(400);
/// How long to wait for the cluster to name itself.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for the first offset of a partition that was never read.
const WATERMARK_PATIENCE: Duration = Duration::from_secs(10);
/// How long reading the log is tried again during an assignment. Kafka's own limit is five minutes between two polls.
const LOG_PATIENCE: Duration = Duration::from_secs(120);

pub(super) type ArchivingConsumer = BaseConsumer<Rebalancing>;

/// The consumer's context: gives each partition its start offset from the log, and ends the epoch at every rebalance.
pub(super) struct Rebalancing {
    kafka: KafkaContext,
    log: TableLog,
    ownership: Arc<Ownership>,
    runtime: Handle,
    metrics: ArchiverMetrics,
    on_ready: Box<dyn Fn(bool) + Send + Sync>,
    /// The Kafka cluster's id, once it is known.
    cluster: Arc<OnceLock<String>>,
    /// What the last rebalance decided, until the intake takes it.
    decided: Mutex<Option<Result<Assignment, ArchiverError>>>,
}

/// What the log says: the next offset of each partition, and the cluster that these offsets are of.
struct Starts {
    partitions: Vec<Start>,
    cluster: Option<String>,
}

/// The partitions that are ours, with what the log says of each.
struct Assignment {
    epoch: u64,
    starts: Vec<Start>,
}

impl Rebalancing {
    /// Looks the start offsets up and writes them into `list`.
    fn starts(&self, list: &mut TopicPartitionList) -> Result<Starts, ArchiverError> {
        let deadline = Instant::now() + LOG_PATIENCE;
        let look = async || Ok((self.log.offsets().await?, self.log.cluster().await?));
        let (offsets, cluster) = loop {
            match self.runtime.block_on(look()) {
                Ok(found) => break found,
                Err(error) if Instant::now() >= deadline => return Err(ArchiverError::Archive(error)),
                Err(error) => {
                    tracing::warn!(%error, "cannot read where to go on; trying again");
                    self.metrics.retries.inc();
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        };
        let mut starts = Vec::new();
        let partitions: Vec<_> =
            list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        for (topic, partition) in partitions {
            let next = offsets.get(&(topic.clone(), partition)).copied();
            list.set_partition_offset(&topic, partition, next.map_or(Offset::Beginning, Offset::Offset))
                .map_err(|source| ArchiverError::Kafka { doing: "give a partition its start offset", source })?;
            starts.push(Start { topic, partition, next, earliest: 0 });
        }
        Ok(Starts { partitions: starts, cluster })
    }

    /// Refuses a cluster other than the one whose offsets the log has. Called while the consumer is connected.
    fn check_cluster(&self, consumer: &BaseConsumer<Self>, archived: Option<String>) -> Result<(), ArchiverError> {
        // A broker too old to name its cluster cannot be told from another one.
        let Some(found) = consumer.client().fetch_cluster_id(CLUSTER_PATIENCE) else {
            tracing::warn!(
                "Kafka does not name its cluster; whether it is the one that was archived cannot be checked"
            );
            return Ok(());
        };
        match archived {
            Some(archived) if archived != found => Err(ArchiverError::OtherCluster { archived, found }),
            _ => {
                self.cluster.get_or_init(|| found);
                Ok(())
            }
        }
    }

    /// Takes `list` as what is ours now.
    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        let epoch = self.ownership.end_epoch();
        let assigned = self.starts(list).and_then(|mut starts| {
            // Topics that the log does not know are read from their beginning, whatever the cluster.
            if starts.partitions.iter().any(|start| start.next.is_some()) {
                self.check_cluster(consumer, starts.cluster)?;
            } else if let Some(found) = consumer.client().fetch_cluster_id(CLUSTER_PATIENCE) {
                self.cluster.get_or_init(|| found);
            }
            for start in starts.partitions.iter_mut().filter(|start| start.next.is_none()) {
                start.earliest = earliest(consumer, start);
            }
            consumer
                .assign(list)
                .map_err(|source| ArchiverError::Kafka { doing: "take the assigned partitions", source })?;
            Ok(Assignment { epoch, starts: starts.partitions })
        });
        if let Ok(assignment) = &assigned {
            tracing::info!(partitions = assignment.starts.len(), "partitions assigned");
            self.metrics.assigned_partitions.set(assignment.starts.len() as i64);
            (self.on_ready)(true);
        }
        self.decide(assigned);
    }

    fn decide(&self, decision: Result<Assignment, ArchiverError>) {
        *self.decided.lock().unwrap_or_else(PoisonError::into_inner) = Some(decision);
    }

    fn take_decision(&self) -> Option<Result<Assignment, ArchiverError>> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Rebalancing {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = KafkaContext::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.kafka.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.kafka.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.kafka.stats_raw(statistics);
    }

    fn error(&self, error: LibraryError, reason: &str) {
        self.kafka.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.kafka.generate_oauth_token(config)
    }
}

impl ConsumerContext for Rebalancing {
    /// In place of the default, which would start each partition where the group's offsets say.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assign(consumer, list);
            return;
        }
        // Revoked, or the group was lost. The right to commit goes before the partitions do.
        let epoch = self.ownership.end_epoch();
        self.metrics.assigned_partitions.set(0);
        (self.on_ready)(false);
        let decision = consumer
            .unassign()
            .map(|()| Assignment { epoch, starts: Vec::new() })
            .map_err(|source| ArchiverError::Kafka { doing: "give the partitions back", source });
        tracing::info!("partitions taken away");
        self.decide(decision);
    }
}

/// The intake's thread.
pub(super) struct Intake {
    consumer: ArchivingConsumer,
    settings: ArchiverSettings,
    clock: Clock,
    metrics: ArchiverMetrics,
    ownership: Arc<Ownership>,
    committed: Arc<Committed>,
    sender: SyncSender<Work>,
    stop: CancellationToken,
    collector: Collector,
    decoder: Decoder,
}

impl Intake {
    #[expect(clippy::too_many_arguments, reason = "the parts are put together in one place, once")]
    pub(super) fn new(
        kafka: &KafkaSettings,
        settings: ArchiverSettings,
        log: TableLog,
        clock: Clock,
        metrics: ArchiverMetrics,
        ownership: Arc<Ownership>,
        committed: Arc<Committed>,
        cluster: Arc<OnceLock<String>>,
        sender: SyncSender<Work>,
        stop: CancellationToken,
        on_ready: Box<dyn Fn(bool) + Send + Sync>,
    ) -> Result<Self, ArchiverError> {
        let context = Rebalancing {
            kafka: KafkaContext::new(kafka),
            log,
            ownership: Arc::clone(&ownership),
            runtime: Handle::current(),
            metrics: metrics.clone(),
            on_ready,
            cluster,
            decided: Mutex::new(None),
        };
        let consumer: ArchivingConsumer = kafka
            .consumer_config()?
            .create_with_context(context)
            .map_err(|source| ArchiverError::Kafka { doing: "set up the consumer", source })?;
        consumer
            .subscribe(&[&kafka.events_topic, &kafka.recordings_topic])
            .map_err(|source| ArchiverError::Kafka { doing: "subscribe to the topics", source })?;
        let collector = Collector::new(settings.class.clone());
        Ok(Self {
            consumer,
            settings,
            clock,
            metrics,
            ownership,
            committed,
            sender,
            stop,
            collector,
            decoder: Decoder::default(),
        })
    }

    /// Runs until stopped. Gives the consumer back, still a member of the group, for the last commit's sake.
    pub(super) fn run(mut self) -> Result<ArchivingConsumer, ArchiverError> {
        while !self.stop.is_cancelled() {
            let now = (self.clock)();
            for _ in 0..MESSAGES_A_LOOK {
                let polled = self.poll_once(now, POLL)?;
                if !polled || self.is_full() {
                    break;
                }
            }
            if self.ownership.take_resync() {
                self.resync();
            }
            self.take_decision()?;
            self.report_committed();
            if self.is_due() && !self.flush()? {
                break;
            }
        }
        // What was acknowledged a moment before the stop is on its way from the broker.
        let (deadline, mut heard) = (Instant::now() + DRAIN, Instant::now());
        while Instant::now() < deadline && heard.elapsed() < QUIET {
            if self.poll_once((self.clock)(), POLL)? {
                heard = Instant::now();
            }
            if self.is_full() && !self.flush()? {
                break;
            }
        }
        self.flush()?;
        Ok(self.consumer)
    }

    /// Polls one message into the collector. `false` when there was none.
    fn poll_once(&mut self, now: Timestamp, wait: Duration) -> Result<bool, ArchiverError> {
        // The message borrows the consumer; what it becomes goes to the other fields.
        let Self { consumer, collector, decoder, metrics, .. } = self;
        let message = match consumer.poll(wait) {
            None => return Ok(false),
            Some(Ok(message)) => message,
            Some(Err(error)) => return self.poll_error(error).map(|()| false),
        };
        // A rebalance during this poll comes before the message.
        if let Some(decision) = consumer.context().take_decision() {
            let assignment = decision?;
            collector.begin(assignment.epoch, assignment.starts);
        }
        let position = Position { topic: message.topic(), partition: message.partition(), offset: message.offset() };
        match collector.advance(position.topic, position.partition, position.offset) {
            Some(Ok(())) => {}
            // On its way when its partition was taken away.
            None => return Ok(true),
            Some(Err(error)) => {
                tracing::error!(%error, "a message came out of order; reading on from where the log says");
                self.ownership.ask_resync();
                return Ok(true);
            }
        }
        let rows = take(&message, position, collector, decoder, metrics, now);
        drop(message);
        if let Some(rows) = rows {
            self.send(Work::Rows(rows))?;
        }
        Ok(true)
    }

    fn poll_error(&self, error: LibraryError) -> Result<(), ArchiverError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Err(self.lost_offset()),
            Some(RDKafkaErrorCode::Fatal) => Err(ArchiverError::Kafka { doing: "read from Kafka", source: error }),
            // Brokers come and go, and librdkafka connects again by itself.
            _ => {
                tracing::warn!(%error, "reading from Kafka");
                Ok(())
            }
        }
    }

    /// Finds the partition whose start offset Kafka does not have.
    fn lost_offset(&self) -> ArchiverError {
        let source = || LibraryError::MessageConsumption(RDKafkaErrorCode::OffsetOutOfRange);
        for (topic, partition, offset) in self.collector.positions() {
            let watermarks = self.consumer.fetch_watermarks(&topic, partition, Duration::from_secs(5));
            if let (Ok((low, high)), Some(next)) = (watermarks, offset)
                && !(low..=high).contains(&next)
            {
                return ArchiverError::OffsetLost { topic, partition, offset: next };
            }
        }
        ArchiverError::Kafka { doing: "read from Kafka", source: source() }
    }

    fn is_full(&self) -> bool {
        self.collector.events() >= self.settings.flush_rows || self.collector.bytes() >= self.settings.flush_bytes
    }

    fn is_due(&self) -> bool {
        self.is_full() || self.collector.since().is_some_and(|since| since.elapsed() >= self.settings.flush_interval)
    }

    /// Hands what was collected to the writer for a commit. `false` when the writer has ended.
    fn flush(&mut self) -> Result<bool, ArchiverError> {
        match self.collector.take(uuid::Uuid::now_v7().to_string()) {
            Some(unit) => self.send(Work::Commit(unit)),
            None => Ok(true),
        }
    }

    /// Sends to the writer. When it keeps us waiting, the partitions are paused and polling goes on, so that Kafka does
    /// not take the process for dead.
    fn send(&mut self, work: Work) -> Result<bool, ArchiverError> {
        let mut work = work;
        let since = Instant::now();
        let mut paused = false;
        loop {
            match self.sender.try_send(work) {
                Ok(()) => break,
                // Why the writer ended is its own to say.
                Err(TrySendError::Disconnected(_)) => {
                    self.stop.cancel();
                    return Ok(false);
                }
                Err(TrySendError::Full(back)) => work = back,
            }
            if since.elapsed() < PATIENCE || self.stop.is_cancelled() {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            }
            if !paused {
                tracing::warn!("the archive is slow; reading from Kafka is paused");
                self.set_paused(true);
                paused = true;
            }
            // What still comes is taken in; it is little, and nothing is handed on meanwhile.
            let now = (self.clock)();
            let Self { consumer, collector, decoder, metrics, .. } = self;
            let mut is_reassigned = false;
            match consumer.poll(POLL) {
                None => {}
                Some(Err(error)) => self.poll_error(error)?,
                Some(Ok(message)) => {
                    if let Some(decision) = consumer.context().take_decision() {
                        let assignment = decision?;
                        collector.begin(assignment.epoch, assignment.starts);
                        is_reassigned = true;
                    }
                    let position =
                        Position { topic: message.topic(), partition: message.partition(), offset: message.offset() };
                    match collector.advance(position.topic, position.partition, position.offset) {
                        Some(Ok(())) => {
                            if let Some(rows) = take(&message, position, collector, decoder, metrics, now) {
                                collector.put_back(rows);
                            }
                        }
                        Some(Err(_)) => self.ownership.ask_resync(),
                        None => {}
                    }
                }
            }
            // What a rebalance gives is not paused, and would fill the memory for as long as the archive is slow.
            if self.take_decision()? || is_reassigned {
                self.set_paused(true);
            }
        }
        if paused {
            self.set_paused(false);
        }
        Ok(true)
    }

    fn set_paused(&self, paused: bool) {
        let result = self
            .consumer
            .assignment()
            .and_then(|list| if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) });
        if let Err(error) = result {
            tracing::warn!(%error, paused, "pausing or resuming the partitions");
        }
    }

    /// Drops what was collected and reads on from where the log says.
    fn resync(&self) {
        match self.consumer.assignment() {
            Ok(mut list) if list.count() > 0 => self.consumer.context().assign(&self.consumer, &mut list),
            Ok(_) => {}
            Err(source) => self
                .consumer
                .context()
                .decide(Err(ArchiverError::Kafka { doing: "ask which partitions are ours", source })),
        }
    }

    /// Begins anew when a rebalance has decided; whether one has.
    fn take_decision(&mut self) -> Result<bool, ArchiverError> {
        let Some(decision) = self.consumer.context().take_decision() else { return Ok(false) };
        let assignment = decision?;
        self.collector.begin(assignment.epoch, assignment.starts);
        Ok(true)
    }

    /// Tells Kafka how far the archive is. For lag monitors only; nothing ever reads on from there.
    fn report_committed(&self) {
        let Some(advances) = self.committed.take() else { return };
        let mut list = TopicPartitionList::new();
        for advance in advances {
            let offset = Offset::Offset(advance.next);
            if let Err(error) = list.add_partition_offset(&advance.topic, advance.partition, offset) {
                tracing::debug!(%error, "offset for the lag monitor");
            }
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets for the lag monitor");
        }
    }
}

/// The first offset that Kafka still has of a partition that was never read. What comes before it was deleted, and does not
/// lack because of a transaction.
fn earliest(consumer: &BaseConsumer<Rebalancing>, start: &Start) -> i64 {
    match consumer.fetch_watermarks(&start.topic, start.partition, WATERMARK_PATIENCE) {
        Ok((low, _)) => low.max(0),
        Err(error) => {
            let (topic, partition) = (&start.topic, start.partition);
            tracing::warn!(%error, topic, partition, "cannot ask for the first offset; a gap before it is not told apart");
            0
        }
    }
}

/// Reads a message into the collector: as an event, as a chunk, or as a dead letter. Hands a batch back when one is full.
fn take(
    message: &BorrowedMessage<'_>,
    position: Position<'_>,
    collector: &mut Collector,
    decoder: &mut Decoder,
    metrics: &ArchiverMetrics,
    now: Timestamp,
) -> Option<Rows> {
    let (headers, unreadable) = match read::headers(message) {
        Ok(headers) => (headers, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let read = match unreadable {
        Some(error) => Err(error),
        None => read::event(decoder, message.payload(), &headers).and_then(|event| {
            if event.type_ == CHUNK_TYPE && matches!(event.data, Data::Binary(_)) {
                return collector.chunk(decoder, event, position, now).map(|()| None);
            }
            let rows = collector.event(&event, position, now, message.payload_len());
            decoder.recycle(event);
            Ok(rows)
        }),
    };
    read.unwrap_or_else(|error| {
        let letter = DeadLetter::new(message, &headers, &error, now);
        metrics.dead_letters.get_or_create(&ReasonLabels { reason: letter.reason() }).inc();
        collector.dead_letter(letter);
        None
    })
}
