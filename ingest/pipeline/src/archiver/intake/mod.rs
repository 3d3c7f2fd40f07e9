//! The intake: polls Kafka, reads messages, and sends what it collected to the writer. It is one thread, which keeps
//! the order of offsets.

mod collect;
mod isolate;
mod member;
mod membership;
mod reader;
mod rebalance;
mod without_kafka;

pub use without_kafka::archive_messages;

use crate::archiver::error::ArchiverError;
use crate::archiver::isolation::marks::Marks;
use crate::archiver::queue::Work;
use crate::archiver::run::Run;
use holdfast_archive::log::TopicPartition;
use holdfast_events::Timestamp;
use isolate::Isolation;
use member::Member;
use membership::{Membership, Verdict};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use reader::Reader;
use rebalance::{ArchivingConsumer, Assignment, Cause, RebalanceContext};
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
/// For each question to Kafka about the group.
const GROUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The intake's thread.
pub(super) struct Intake {
    consumer: Member,
    state: State,
    marks: Marks,
    sender: SyncSender<Work>,
    run: Run,
    /// When the consumer's position was last compared with what was read.
    positions_checked: Instant,
}

/// What changes with a rebalance.
struct State {
    reader: Reader,
    membership: Membership,
    isolation: Isolation,
}

impl State {
    /// Begins a new epoch if there was a rebalance. Returns whether there was one.
    fn take_assignment(&mut self, consumer: &ArchivingConsumer, run: &Run) -> Result<bool, ArchiverError> {
        let Some(assignment) = consumer.context().take_assignment() else { return Ok(false) };
        let Assignment { epoch, starts, cause } = assignment?;
        let (partitions, now) = (starts.len(), (run.clock)());
        self.reader.collector.begin(epoch, starts, matches!(cause, Cause::Resync));
        match cause {
            Cause::Assigned(suspects) => {
                self.membership.assigned(partitions, now);
                self.isolation.begin(suspects);
            }
            Cause::Revoked => {
                self.membership.revoked(now);
                self.isolation.begin(Vec::new());
            }
            Cause::Resync => {}
        }
        self.isolate(consumer, run);
        Ok(true)
    }

    /// Lets only the partition be read that is isolated, or all if none is. librdkafka keeps the pause of a partition
    /// that is revoked and assigned again.
    fn isolate(&mut self, consumer: &ArchivingConsumer, run: &Run) {
        self.reader.condemned = self.isolation.condemned(|partition| run.archived.next(partition));
        if self.isolation.active().is_some() {
            self.set_paused(consumer, true);
        }
        self.set_paused(consumer, false);
    }

    /// Pauses all partitions, or resumes those that may be read.
    fn set_paused(&self, consumer: &ArchivingConsumer, paused: bool) {
        let result = consumer.assignment().and_then(|list| {
            if paused { consumer.pause(&list) } else { consumer.resume(&self.isolation.readable(list)) }
        });
        if let Err(error) = result {
            tracing::warn!(%error, paused, "pausing or resuming the partitions");
        }
    }
}

impl Intake {
    /// Subscribes a consumer to both topics.
    pub(super) fn new(run: Run, sender: SyncSender<Work>) -> Result<Self, ArchiverError> {
        let marks = Marks::new(run.archive.clone());
        let state = State {
            reader: Reader::new(run.settings.class.clone(), run.metrics.clone()),
            membership: Membership::new(run.settings.rejoin_after, (run.clock)()),
            isolation: Isolation::new(marks.clone()),
        };
        let consumer = create_consumer(&run, &marks)?;
        subscribe(&consumer, &run)?;
        Ok(Self { consumer, state, marks, sender, run, positions_checked: Instant::now() })
    }

    /// Runs until the stop. Returns the consumer, which must stay a member of the group until the last commit.
    pub(super) fn run(mut self) -> Result<Member, ArchiverError> {
        while !self.run.stop.is_cancelled() {
            let now = (self.run.clock)();
            for _ in 0..MESSAGES_PER_ROUND {
                let polled = self.poll_once(now)?;
                if !polled || self.is_full() {
                    break;
                }
            }
            self.state.take_assignment(&self.consumer, &self.run)?;
            if self.run.ownership.take_resync() {
                self.resync();
                self.state.take_assignment(&self.consumer, &self.run)?;
            }
            self.check_membership()?;
            self.report_committed();
            if self.positions_checked.elapsed() >= self.run.settings.flush_interval {
                self.pass_undelivered();
            }
            if self.is_due() && !self.flush()? {
                break;
            }
            self.continue_isolation();
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
        self.state.take_assignment(&self.consumer, &self.run)?;
        self.state.isolation.saw_message();
        let rows = match self.state.reader.read(&message, now) {
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
            // librdkafka would go on behind the batch, and its offsets would look like those of a transaction.
            Some(
                RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::NotImplemented,
            ) => Err(ArchiverError::UnreadableBatch { source: error }),
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
        for (topic, partition, offset) in self.state.reader.collector.positions() {
            let watermarks = self.consumer.fetch_watermarks(&topic, partition, Duration::from_secs(5));
            if let (Ok((first, end)), Some(offset)) = (watermarks, offset)
                && !(first..=end).contains(&offset)
            {
                return ArchiverError::OffsetLost { topic, partition, offset, first, end };
            }
        }
        ArchiverError::Kafka { doing: "read from Kafka", source: source() }
    }

    fn is_full(&self) -> bool {
        let settings = &self.run.settings;
        let unit = self.state.isolation.active().and_then(|active| active.plan.mark.unit);
        self.state.reader.is_full(unit.unwrap_or(settings.flush_rows), settings)
    }

    fn is_due(&self) -> bool {
        let since = self.state.reader.collector.since();
        self.is_full() || since.is_some_and(|since| since.elapsed() >= self.run.settings.flush_interval)
    }

    /// Sends what was collected to the writer for a commit. Returns `false` if the writer has ended.
    fn flush(&mut self) -> Result<bool, ArchiverError> {
        self.pass_undelivered();
        let Some(commit) = self.state.reader.collector.take(uuid::Uuid::now_v7().to_string()) else { return Ok(true) };
        let ends: Vec<_> =
            commit.advances.iter().map(|advance| ((advance.topic.clone(), advance.partition), advance.next)).collect();
        let epoch = commit.epoch;
        let is_sent = self.send(Work::Commit(commit))?;
        if self.state.isolation.active().is_some() {
            self.wait_for_commit(epoch, &ends);
            self.state.isolation.saw_message();
        }
        Ok(is_sent)
    }

    /// Waits for a unit's commit: in isolation nothing else is on its way meanwhile. That may take until Kafka considers
    /// the process dead; then the partitions are assigned anew.
    fn wait_for_commit(&self, epoch: u64, ends: &[(TopicPartition, i64)]) {
        while !is_settled(&self.run, epoch, ends) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the isolation of a partition that has passed what ended the process before.
    fn continue_isolation(&mut self) {
        let Some(active) = self.state.isolation.active() else { return };
        let archived = self.run.archived.next(&active.partition);
        if self.state.isolation.is_passed(archived, |partition| position(&self.consumer, partition)) {
            self.state.isolate(&self.consumer, &self.run);
        }
    }

    /// Moves the offsets over what Kafka does not deliver, up to where the consumer is.
    fn pass_undelivered(&mut self) {
        self.positions_checked = Instant::now();
        match self.consumer.position() {
            Ok(list) => {
                for element in list.elements() {
                    if let Offset::Offset(position) = element.offset() {
                        self.state.reader.collector.pass(element.topic(), element.partition(), position);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "cannot read the consumer's position"),
        }
    }

    /// Makes the consumer anew if Kafka's group has lost it.
    fn check_membership(&mut self) -> Result<(), ArchiverError> {
        let now = (self.run.clock)();
        if !self.state.membership.is_doubtful(now) {
            return Ok(());
        }
        let Some(members) = self.members() else {
            self.state.membership.postpone(now);
            return Ok(());
        };
        match self.state.membership.decide(members, now) {
            Verdict::Wait => Ok(()),
            Verdict::Standby => {
                tracing::debug!(members, "other members of the group have all partitions; standing by");
                self.run.archived.stand_by();
                (self.run.on_ready)(true);
                Ok(())
            }
            Verdict::Renew => {
                tracing::warn!(
                    members,
                    "Kafka's group has given this process no partitions for longer than a rebalance takes; making the \
                     consumer anew"
                );
                (self.run.on_ready)(false);
                self.run.metrics.rejoins.inc();
                self.renew_consumer()
            }
        }
    }

    /// The members of the group, this process alone if Kafka does not tell; `None` if Kafka does not respond, or the
    /// topics have no partitions to be given.
    fn members(&self) -> Option<usize> {
        let topics = [&self.run.kafka.events_topic, &self.run.kafka.recordings_topic];
        let metadata = match self.consumer.fetch_metadata(None, GROUP_TIMEOUT) {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::warn!(%error, "cannot ask Kafka why this process has no partitions");
                return None;
            }
        };
        let known = metadata.topics().iter().filter(|topic| topics.iter().any(|name| *name == topic.name()));
        let partitions: usize = known.map(|topic| topic.partitions().len()).sum();
        if partitions == 0 {
            return None;
        }
        match self.consumer.fetch_group_list(Some(&self.run.kafka.group), GROUP_TIMEOUT) {
            Ok(list) => Some(list.groups().iter().map(|group| group.members().len()).sum()),
            // The built-in broker does not list groups. A consumer that is made anew for nothing does no harm.
            Err(error) => {
                tracing::debug!(%error, "Kafka does not tell who is in the group");
                Some(1)
            }
        }
    }

    /// Leaves the group and joins it again as another member.
    fn renew_consumer(&mut self) -> Result<(), ArchiverError> {
        // The old one has no partitions, and leaves while the new one joins.
        self.consumer = create_consumer(&self.run, &self.marks)?;
        let epoch = self.run.ownership.end_epoch();
        self.state.reader.collector.begin(epoch, [], false);
        subscribe(&self.consumer, &self.run)
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
                self.state.set_paused(&self.consumer, true);
                paused = true;
            }
            // The few messages that still arrive are collected; no batch is sent meanwhile.
            let now = (self.run.clock)();
            let mut is_reassigned = false;
            match self.consumer.poll(POLL_TIMEOUT) {
                None => {}
                Some(Err(error)) => self.poll_error(error)?,
                Some(Ok(message)) => {
                    is_reassigned = self.state.take_assignment(&self.consumer, &self.run)?;
                    match self.state.reader.read(&message, now) {
                        Ok(Some(rows)) => self.state.reader.collector.put_back(rows),
                        Ok(None) => {}
                        Err(_) => self.run.ownership.request_resync(),
                    }
                }
            }
            // Newly assigned partitions are resumed, and would fill the memory for as long as the archive is slow.
            if self.state.take_assignment(&self.consumer, &self.run)? || is_reassigned {
                self.state.set_paused(&self.consumer, true);
            }
        }
        if paused {
            self.state.set_paused(&self.consumer, false);
        }
        Ok(true)
    }

    /// Drops what was collected and reads again from the log's offsets.
    fn resync(&self) {
        match self.consumer.assignment() {
            Ok(mut list) if list.count() > 0 => self.consumer.context().assign(&self.consumer, &mut list, true),
            Ok(_) => {}
            Err(source) => self
                .consumer
                .context()
                .set_assignment(Err(ArchiverError::Kafka { doing: "list the assigned partitions", source })),
        }
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

/// Whether a commit of `epoch` that reaches `ends` is done, or will not be: the writer drops what was read in an epoch
/// that has ended.
fn is_settled(run: &Run, epoch: u64, ends: &[(TopicPartition, i64)]) -> bool {
    let is_archived =
        |(partition, end): &(TopicPartition, i64)| run.archived.next(partition).is_none_or(|archived| archived >= *end);
    run.ownership.epoch() != epoch
        || run.ownership.is_resync_requested()
        || run.stop.is_cancelled()
        || ends.iter().all(is_archived)
}

/// The offset behind the last message, or behind the last marker of a transaction, that the consumer has taken from
/// Kafka; `None` before the first.
fn position(consumer: &ArchivingConsumer, (topic, partition): &TopicPartition) -> Option<i64> {
    let list = consumer.position().ok()?;
    let offset = list.find_partition(topic, *partition)?.offset();
    if let Offset::Offset(position) = offset { Some(position) } else { None }
}

fn create_consumer(run: &Run, marks: &Marks) -> Result<Member, ArchiverError> {
    run.kafka
        .consumer_config()?
        .create_with_context(RebalanceContext::new(run, marks.clone()))
        .map(Member::new)
        .map_err(|source| ArchiverError::Kafka { doing: "create the consumer", source })
}

fn subscribe(consumer: &ArchivingConsumer, run: &Run) -> Result<(), ArchiverError> {
    consumer
        .subscribe(&[&run.kafka.events_topic, &run.kafka.recordings_topic])
        .map_err(|source| ArchiverError::Kafka { doing: "subscribe to the topics", source })
}

#[cfg(test)]
mod tests;
