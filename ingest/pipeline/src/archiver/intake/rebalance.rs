//! Rebalances: each assigned partition starts at its offset in the Delta log, and each rebalance ends the epoch.

use super::collect::StartOffset;
use crate::archiver::error::ArchiverError;
use crate::archiver::isolation::marks::Marks;
use crate::archiver::isolation::{Plan, plan};
use crate::archiver::run::Run;
use crate::kafka::KafkaContext;
use holdfast_archive::log::TopicPartition;
use holdfast_archive::{ArchiveError, Table, TableLog};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError as LibraryError;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long to wait for the cluster's id.
const CLUSTER_ID_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the first offset of a partition that was never read.
const WATERMARK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long reading the log is retried during an assignment. Kafka allows five minutes between two polls.
const LOG_TIMEOUT: Duration = Duration::from_secs(120);

/// The consumer's context: sets the start offsets from the log at each assignment.
pub(crate) struct RebalanceContext {
    kafka: KafkaContext,
    log: TableLog,
    runtime: Handle,
    marks: Marks,
    run: Run,
    /// The result of the last rebalance, until the intake takes it.
    assignment: Mutex<Option<Result<Assignment, ArchiverError>>>,
    /// Whether this consumer has partitions.
    has_partitions: AtomicBool,
    /// Whether this consumer reads no more. Another one of the same run may have taken its place.
    is_leaving: AtomicBool,
}

/// The consumer of the archiver.
pub(super) type ArchivingConsumer = BaseConsumer<RebalanceContext>;

/// The next offset of each partition, and the Kafka cluster that these offsets belong to, both from the log.
struct LogPosition {
    partitions: Vec<StartOffset>,
    cluster: Option<String>,
}

/// The result of a rebalance.
pub(super) struct Assignment {
    pub(super) epoch: u64,
    /// The partitions with their start offsets.
    pub(super) starts: Vec<StartOffset>,
    pub(super) cause: Cause,
}

/// Why there is a new epoch.
pub(super) enum Cause {
    /// The group has given the partitions. Some are to be read in isolation.
    Assigned(Vec<Suspect>),
    /// The group has taken the partitions back, or has lost this member.
    Revoked,
    /// The same partitions are read again from the log's offsets.
    Resync,
}

/// A partition that is to be read in isolation, because runs before this one died at its offset.
pub(super) struct Suspect {
    pub(super) partition: TopicPartition,
    pub(super) plan: Plan,
    /// The offset at which reading begins.
    pub(super) from: i64,
    /// The offset at which the isolation ends.
    pub(super) until: i64,
}

impl RebalanceContext {
    pub(super) fn new(run: &Run, marks: Marks) -> Self {
        Self {
            kafka: KafkaContext::new(&run.kafka),
            log: run.archive.table(Table::Events),
            runtime: Handle::current(),
            marks,
            run: run.clone(),
            assignment: Mutex::new(None),
            has_partitions: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// From now on, partitions that the group gives are declined.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }

    /// Reads the start offsets from the log and sets them in `list`.
    fn set_starts(&self, list: &mut TopicPartitionList) -> Result<LogPosition, ArchiverError> {
        let deadline = Instant::now() + LOG_TIMEOUT;
        let read = async || Ok((self.log.offsets().await?, self.log.cluster().await?));
        let (offsets, cluster) = loop {
            match self.runtime.block_on(read()) {
                Ok(position) => break position,
                Err(error) if Instant::now() >= deadline => return Err(ArchiverError::Archive(error)),
                Err(error) => {
                    tracing::warn!(%error, "cannot read the start offsets from the log; retrying");
                    self.run.metrics.retries.inc();
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
                .map_err(|source| ArchiverError::Kafka { doing: "set the start offset of a partition", source })?;
            starts.push(StartOffset { topic, partition, next, earliest: 0 });
        }
        Ok(LogPosition { partitions: starts, cluster })
    }

    /// Rejects a cluster other than the one that the log's offsets belong to. Called while the consumer is connected.
    fn check_cluster(&self, consumer: &BaseConsumer<Self>, archived: Option<String>) -> Result<(), ArchiverError> {
        // A broker that is too old to report its cluster id cannot be distinguished from another one.
        let Some(found) = consumer.client().fetch_cluster_id(CLUSTER_ID_TIMEOUT) else {
            tracing::warn!("Kafka does not report a cluster id; cannot check whether it is the archived cluster");
            return Ok(());
        };
        match archived {
            Some(archived) if archived != found => Err(ArchiverError::OtherCluster { archived, found }),
            _ => {
                self.run.cluster.get_or_init(|| found);
                Ok(())
            }
        }
    }

    /// Begins a new epoch with the partitions of `list`, each at its start offset. `is_resync`: they were assigned
    /// before.
    pub(super) fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList, is_resync: bool) {
        let epoch = self.run.ownership.end_epoch();
        let assigned = self.set_starts(list).and_then(|mut position| {
            // Topics without offsets in the log are read from their beginning, in any cluster.
            if position.partitions.iter().any(|start| start.next.is_some()) {
                self.check_cluster(consumer, position.cluster)?;
            } else if let Some(found) = consumer.client().fetch_cluster_id(CLUSTER_ID_TIMEOUT) {
                self.run.cluster.get_or_init(|| found);
            }
            for start in position.partitions.iter_mut().filter(|start| start.next.is_none()) {
                start.earliest = earliest(consumer, start);
            }
            let starts = position.partitions;
            let cause = if is_resync { Cause::Resync } else { Cause::Assigned(self.suspects(consumer, &starts)) };
            consumer
                .assign(list)
                .map_err(|source| ArchiverError::Kafka { doing: "take the assigned partitions", source })?;
            Ok(Assignment { epoch, starts, cause })
        });
        let assigned = match assigned {
            // The store is unreachable for longer than an assignment may take. Without partitions, the consumer is made
            // anew after a while, and they are assigned again.
            Err(ArchiverError::Archive(error @ (ArchiveError::Store { .. } | ArchiveError::Log { .. }))) => {
                tracing::error!(%error, "cannot read the start offsets from the log; trying again with a new consumer");
                consumer
                    .assign(&TopicPartitionList::new())
                    .map(|()| Assignment { epoch, starts: Vec::new(), cause: Cause::Revoked })
                    .map_err(|source| ArchiverError::Kafka { doing: "release the assigned partitions", source })
            }
            assigned => assigned,
        };
        if let Ok(assignment) = &assigned {
            let partitions = assignment.starts.len();
            self.has_partitions.store(partitions > 0, Ordering::Release);
            tracing::info!(partitions, "partitions assigned");
            self.run.archived.begin(assignment.starts.iter().map(|start| (start.partition(), start.from())));
            self.run.metrics.assigned_partitions.set(partitions as i64);
            // Whether others have the partitions that this process did not get is asked by the intake.
            (self.run.on_ready)(partitions > 0);
        }
        self.set_assignment(assigned);
    }

    /// Leaves a mark for each partition, and returns those that are to be read in isolation. The one at which the last
    /// run died is the first.
    fn suspects(&self, consumer: &BaseConsumer<Self>, starts: &[StartOffset]) -> Vec<Suspect> {
        let partitions: Vec<_> = starts.iter().map(StartOffset::partition).collect();
        let found = self.marks.read(&partitions);
        let (mut suspects, mut plain) = (Vec::new(), Vec::new());
        for (start, partition) in starts.iter().zip(partitions) {
            let (before, from) = (found.get(&partition), start.from());
            let mut high = from;
            let plan = plan(before, start.next, || {
                match consumer.fetch_watermarks(&partition.0, partition.1, WATERMARK_TIMEOUT) {
                    Ok((_, end)) => high = end,
                    Err(error) => tracing::warn!(%error, "cannot read how much waits after the last run died"),
                }
                high.saturating_sub(from)
            });
            if plan.mark.unit.is_none() {
                plain.push((partition, plan.mark));
                continue;
            }
            let until = plan.until(from, high, self.run.settings.flush_rows);
            let was_alone = before.is_some_and(|mark| mark.unit.is_some());
            suspects.push((!was_alone, Suspect { partition, plan, from, until }));
        }
        self.marks.leave(plain);
        suspects.sort_by_key(|(is_later, _)| *is_later);
        suspects.into_iter().map(|(_, suspect)| suspect).collect()
    }

    pub(super) fn set_assignment(&self, assignment: Result<Assignment, ArchiverError>) {
        *self.assignment.lock().unwrap_or_else(PoisonError::into_inner) = Some(assignment);
    }

    /// The result of the last rebalance, once.
    pub(super) fn take_assignment(&self) -> Option<Result<Assignment, ArchiverError>> {
        self.assignment.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for RebalanceContext {
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

impl ConsumerContext for RebalanceContext {
    /// Replaces the default, which starts each partition at the group's committed offset.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_given = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.is_leaving.load(Ordering::Acquire) && (is_given || !self.has_partitions.load(Ordering::Acquire)) {
            if let Err(error) = consumer.unassign() {
                tracing::debug!(%error, "cannot decline partitions while leaving the group");
            }
            return;
        }
        if is_given {
            self.assign(consumer, list, false);
            return;
        }
        // Revoked, or the group was lost. The epoch ends before the partitions are released.
        let epoch = self.run.ownership.end_epoch();
        self.has_partitions.store(false, Ordering::Release);
        self.run.archived.begin([]);
        self.run.metrics.assigned_partitions.set(0);
        (self.run.on_ready)(false);
        // After a death the marks stay: they are how the next run knows of it.
        if !self.run.died.is_cancelled() && !std::thread::panicking() {
            self.marks.give_back();
        }
        let assignment = consumer
            .unassign()
            .map(|()| Assignment { epoch, starts: Vec::new(), cause: Cause::Revoked })
            .map_err(|source| ArchiverError::Kafka { doing: "release the revoked partitions", source });
        tracing::info!("partitions revoked");
        self.set_assignment(assignment);
    }
}

/// The first offset that Kafka still has of a partition that was never read. Offsets before it were deleted by
/// retention, and are not missing because of a transaction.
fn earliest(consumer: &BaseConsumer<RebalanceContext>, start: &StartOffset) -> i64 {
    match consumer.fetch_watermarks(&start.topic, start.partition, WATERMARK_TIMEOUT) {
        Ok((low, _)) => low.max(0),
        Err(error) => {
            let (topic, partition) = (&start.topic, start.partition);
            tracing::warn!(%error, topic, partition, "cannot read the first offset; a gap before it gets no reason");
            0
        }
    }
}
