//! The intake: polls Kafka, reads messages, and sends what it collected to the writer. It is one thread, which keeps
//! the order of offsets.

mod collect;
mod reader;
mod rebalance;

use crate::archiver::error::ArchiverError;
use crate::archiver::queue::Work;
use crate::archiver::run::Run;
use holdfast_events::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use reader::Reader;
use rebalance::{Assignment, RebalanceContext};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

/// How long a poll waits for the next message.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);
/// Messages that are read before the clocks are checked again.
const MESSAGES_PER_ROUND: usize = 512;
/// How long the writer's queue may stay full before the partitions are paused. Polling continues while they are paused.
const PAUSE_AFTER: Duration = Duration::from_millis(500);
/// Reading continues for at most this long after the stop.
const MAX_DRAIN: Duration = Duration::from_secs(2);
/// Reading ends earlier if no message arrives for this long.
const DRAIN_IDLE: Duration = Duration::from_millis(400);

pub(super) type ArchivingConsumer = BaseConsumer<RebalanceContext>;

/// The intake's thread.
pub(super) struct Intake {
    consumer: ArchivingConsumer,
    reader: Reader,
    sender: SyncSender<Work>,
    run: Run,
}

impl Intake {
    /// Subscribes a consumer to both topics. Calls `on_ready` with `true` when partitions are assigned, and with
    /// `false` when they are revoked.
    pub(super) fn new(
        run: Run,
        sender: SyncSender<Work>,
        on_ready: Box<dyn Fn(bool) + Send + Sync>,
    ) -> Result<Self, ArchiverError> {
        let consumer: ArchivingConsumer = run
            .kafka
            .consumer_config()?
            .create_with_context(RebalanceContext::new(&run, on_ready))
            .map_err(|source| ArchiverError::Kafka { doing: "create the consumer", source })?;
        consumer
            .subscribe(&[&run.kafka.events_topic, &run.kafka.recordings_topic])
            .map_err(|source| ArchiverError::Kafka { doing: "subscribe to the topics", source })?;
        let reader = Reader::new(run.settings.class.clone(), run.metrics.clone());
        Ok(Self { consumer, reader, sender, run })
    }

    /// Runs until the stop. Returns the consumer, which must stay a member of the group until the last commit.
    pub(super) fn run(mut self) -> Result<ArchivingConsumer, ArchiverError> {
        while !self.run.stop.is_cancelled() {
            let now = (self.run.clock)();
            for _ in 0..MESSAGES_PER_ROUND {
                let polled = self.poll_once(now)?;
                if !polled || self.is_full() {
                    break;
                }
            }
            if self.run.ownership.take_resync() {
                self.resync();
            }
            self.take_assignment()?;
            self.report_committed();
            if self.is_due() && !self.flush()? {
                break;
            }
        }
        // Messages that were acknowledged just before the stop are still in flight from the broker.
        let (deadline, mut last_message) = (Instant::now() + MAX_DRAIN, Instant::now());
        while Instant::now() < deadline && last_message.elapsed() < DRAIN_IDLE {
            if self.poll_once((self.run.clock)())? {
                last_message = Instant::now();
            }
            if self.is_full() && !self.flush()? {
                break;
            }
        }
        self.flush()?;
        Ok(self.consumer)
    }

    /// Polls one message into the collector. Returns `false` if there was none.
    fn poll_once(&mut self, now: Timestamp) -> Result<bool, ArchiverError> {
        let message = match self.consumer.poll(POLL_TIMEOUT) {
            None => return Ok(false),
            Some(Ok(message)) => message,
            Some(Err(error)) => return self.poll_error(error).map(|()| false),
        };
        // A rebalance during this poll precedes the message.
        if let Some(assignment) = self.consumer.context().take_assignment() {
            let Assignment { epoch, starts } = assignment?;
            self.reader.collector.begin(epoch, starts);
        }
        let rows = match self.reader.read(&message, now) {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "a message is out of order; reading again from the log's offsets");
                self.run.ownership.request_resync();
                return Ok(true);
            }
        };
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
            // Most likely a broker is unreachable. librdkafka reconnects by itself.
            _ => {
                tracing::warn!(%error, "reading from Kafka");
                Ok(())
            }
        }
    }

    /// Finds the partition whose start offset Kafka does not have.
    fn lost_offset(&self) -> ArchiverError {
        let source = || LibraryError::MessageConsumption(RDKafkaErrorCode::OffsetOutOfRange);
        for (topic, partition, offset) in self.reader.collector.positions() {
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
        let (collector, settings) = (&self.reader.collector, &self.run.settings);
        collector.events() >= settings.flush_rows || collector.bytes() >= settings.flush_bytes
    }

    fn is_due(&self) -> bool {
        let since = self.reader.collector.since();
        self.is_full() || since.is_some_and(|since| since.elapsed() >= self.run.settings.flush_interval)
    }

    /// Sends what was collected to the writer for a commit. Returns `false` if the writer has ended.
    fn flush(&mut self) -> Result<bool, ArchiverError> {
        match self.reader.collector.take(uuid::Uuid::now_v7().to_string()) {
            Some(commit) => self.send(Work::Commit(commit)),
            None => Ok(true),
        }
    }

    /// Sends to the writer. If its queue stays full, pauses the partitions and continues to poll, so that Kafka does
    /// not remove this member from the group.
    fn send(&mut self, work: Work) -> Result<bool, ArchiverError> {
        let mut work = work;
        let since = Instant::now();
        let mut paused = false;
        loop {
            match self.sender.try_send(work) {
                Ok(()) => break,
                // The writer reports itself why it ended.
                Err(TrySendError::Disconnected(_)) => {
                    self.run.stop.cancel();
                    return Ok(false);
                }
                Err(TrySendError::Full(unsent)) => work = unsent,
            }
            if since.elapsed() < PAUSE_AFTER || self.run.stop.is_cancelled() {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            }
            if !paused {
                tracing::warn!("the archive is slow; reading from Kafka is paused");
                self.set_paused(true);
                paused = true;
            }
            // The few messages that still arrive are collected; no batch is sent meanwhile.
            let now = (self.run.clock)();
            let mut is_reassigned = false;
            match self.consumer.poll(POLL_TIMEOUT) {
                None => {}
                Some(Err(error)) => self.poll_error(error)?,
                Some(Ok(message)) => {
                    if let Some(assignment) = self.consumer.context().take_assignment() {
                        let Assignment { epoch, starts } = assignment?;
                        self.reader.collector.begin(epoch, starts);
                        is_reassigned = true;
                    }
                    match self.reader.read(&message, now) {
                        Ok(Some(rows)) => self.reader.collector.put_back(rows),
                        Ok(None) => {}
                        Err(_) => self.run.ownership.request_resync(),
                    }
                }
            }
            // Newly assigned partitions are not paused, and would fill the memory for as long as the archive is slow.
            if self.take_assignment()? || is_reassigned {
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

    /// Drops what was collected and reads again from the log's offsets.
    fn resync(&self) {
        match self.consumer.assignment() {
            Ok(mut list) if list.count() > 0 => self.consumer.context().assign(&self.consumer, &mut list),
            Ok(_) => {}
            Err(source) => self
                .consumer
                .context()
                .set_assignment(Err(ArchiverError::Kafka { doing: "list the assigned partitions", source })),
        }
    }

    /// Begins a new epoch if there was a rebalance. Returns whether there was one.
    fn take_assignment(&mut self) -> Result<bool, ArchiverError> {
        let Some(assignment) = self.consumer.context().take_assignment() else { return Ok(false) };
        let Assignment { epoch, starts } = assignment?;
        self.reader.collector.begin(epoch, starts);
        Ok(true)
    }

    /// Commits the archived offsets to Kafka, for lag monitoring only. Nothing is ever read from these offsets.
    fn report_committed(&self) {
        let Some(advances) = self.run.committed.take() else { return };
        let mut list = TopicPartitionList::new();
        for advance in advances {
            let offset = Offset::Offset(advance.next);
            if let Err(error) = list.add_partition_offset(&advance.topic, advance.partition, offset) {
                tracing::debug!(%error, "cannot report an offset for lag monitoring");
            }
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "cannot report offsets for lag monitoring");
        }
    }
}
