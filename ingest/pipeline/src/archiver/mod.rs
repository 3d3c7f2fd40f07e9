//! The archiving consumer: from Kafka into the archive, each event exactly once.
//!
//! ```text
//!            intake (one thread)                                 writer (one thread)
//! Kafka ─▶ poll ─▶ read ─┬─ event ──▶ columns, one builder a date ──▶ encode, encrypt ─┐
//!                        ├─ chunk ──▶ bytes kept until the flush ──▶ age object ───────┼─▶ put ─▶ commit: files + offsets
//!                        └─ neither ─▶ dead letter ───────────────▶ dead_letters ──────┘
//! ```
//!
//! Where to read on is decided by the Delta log alone: the start offset of each partition is given with its assignment,
//! and each commit says from which offset it starts. Kafka's group offsets are written after the fact, for lag monitors.
//!
//! Invariants:
//! - Offsets become visible together with the events before them, in one commit.
//! - After a partition is revoked nothing read from it is committed: [`ownership`] takes the right away first. Should a
//!   commit be under way all the same (a process that was stopped for minutes), the log refuses the second one.
//! - Memory is bounded: what was read and not yet committed by the flush limits and a short queue, what librdkafka has
//!   fetched by its own limit.
//! - When the archive cannot be reached, the writer tries again and the intake pauses; nothing is dropped.

mod attest;
mod collect;
mod dead_letter;
mod intake;
mod metrics;
mod ownership;
mod read;
mod wait;
mod writer;

pub use metrics::ArchiverMetrics;
pub use wait::wait_until_archived;

use crate::gateway::Clock;
use crate::kafka::{KafkaError, KafkaSettings};
use holdfast_archive::keys::KeyRing;
use holdfast_archive::{Archive, ArchiveError};
use holdfast_proof::note::SigningKey;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// When what was collected is written out.
#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    /// Events.
    pub flush_rows: usize,
    /// Bytes of events and recording chunks, as they came.
    pub flush_bytes: usize,
    /// The age of the oldest event that was not yet written out.
    pub flush_interval: Duration,
    /// The retention class of everything.
    pub class: String,
    /// Whether files are encrypted. Off for measuring what encryption costs, and for nothing else.
    pub encrypt: bool,
    /// The key that commits are attested with. Without one, what is archived stands outside the proof log: for measuring
    /// what proofs cost, and for tests that are about something else.
    pub signing_key: Option<Arc<SigningKey>>,
}

impl Default for ArchiverSettings {
    fn default() -> Self {
        Self {
            flush_rows: 250_000,
            flush_bytes: 64 << 20,
            flush_interval: Duration::from_secs(5),
            class: holdfast_archive::table::GENERAL_CLASS.to_owned(),
            encrypt: true,
            signing_key: None,
        }
    }
}

/// Why the archiver ended. Nothing that Kafka holds is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// The Kafka client could not be set up.
    #[error(transparent)]
    Settings(#[from] KafkaError),
    /// Kafka answered with an error that does not pass.
    #[error("{doing}: {source}")]
    Kafka {
        /// What was being done.
        doing: &'static str,
        /// Kafka's answer.
        source: rdkafka::error::KafkaError,
    },
    /// Kafka no longer has the offset at which the log says to read on.
    #[error(
        "Kafka no longer has offset {offset} of {topic} partition {partition}, at which the archive's log says to read on; \
         either the topic was made anew, or its retention deleted events before they were archived"
    )]
    OffsetLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the log says to read on.
        offset: i64,
    },
    /// The log's offsets are of another Kafka cluster.
    #[error(
        "the archive's log has offsets of the Kafka cluster `{archived}`, and this is `{found}`; reading on from them would \
         leave events out. Go back to that cluster, or name new topics in kafka.events_topic and kafka.recordings_topic, \
         which are read from their beginning"
    )]
    OtherCluster {
        /// The cluster that the log names.
        archived: String,
        /// The cluster that the consumer is connected to.
        found: String,
    },
    /// The archive refused in a way that trying again does not mend, or could not be reached until the end.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A thread of the archiver died.
    #[error("the archiver's {0} died")]
    Died(&'static str),
}

/// The archiving consumer.
pub struct Archiver {
    kafka: KafkaSettings,
    settings: ArchiverSettings,
    archive: Archive,
    ring: Arc<KeyRing>,
    clock: Clock,
    metrics: ArchiverMetrics,
}

impl Archiver {
    /// An archiver for these topics into that archive. `ring` knows recipients only.
    pub fn new(
        kafka: KafkaSettings,
        settings: ArchiverSettings,
        archive: Archive,
        ring: Arc<KeyRing>,
        clock: Clock,
        metrics: ArchiverMetrics,
    ) -> Self {
        Self { kafka, settings, archive, ring, clock, metrics }
    }

    /// Runs until `stop` is cancelled, then archives what it has read and leaves the group. `on_ready` is told whenever
    /// partitions are assigned (`true`) or taken away (`false`).
    pub async fn run(
        self,
        stop: CancellationToken,
        on_ready: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), ArchiverError> {
        // When this future is dropped, the threads end as if they had been asked to.
        let stop = stop.child_token();
        let _ended = stop.clone().drop_guard();
        let ownership = Arc::new(ownership::Ownership::default());
        let (sender, receiver) = std::sync::mpsc::sync_channel(writer::QUEUE);
        let committed = Arc::default();
        let cluster = Arc::default();
        let writer = writer::Writer {
            events: self.archive.table(holdfast_archive::Table::Events),
            dead_letters: self.archive.table(holdfast_archive::Table::DeadLetters),
            archive: self.archive.clone(),
            ring: self.ring,
            encrypt: self.settings.encrypt,
            class: self.settings.class.clone(),
            attestor: self
                .settings
                .signing_key
                .clone()
                .map(|key| attest::Attestor::new(key, self.kafka.clone(), Arc::clone(&cluster))),
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
            ownership: Arc::clone(&ownership),
            committed: Arc::clone(&committed),
            cluster: Arc::clone(&cluster),
            runtime: tokio::runtime::Handle::current(),
            stop: stop.clone(),
        };
        let intake = intake::Intake::new(
            &self.kafka,
            self.settings,
            self.archive.table(holdfast_archive::Table::Events),
            self.clock,
            self.metrics,
            ownership,
            committed,
            cluster,
            sender,
            stop,
            Box::new(on_ready),
        )?;
        let writer = tokio::task::spawn_blocking(move || writer.run(&receiver));
        let intake = tokio::task::spawn_blocking(move || intake.run());
        let consumer = intake.await.map_err(|_| ArchiverError::Died("intake"))?;
        // The consumer stays in the group until the last commit is made, so that nobody takes its partitions before.
        let written = writer.await.map_err(|_| ArchiverError::Died("writer"))?;
        let consumer = match consumer {
            Ok(consumer) => consumer,
            // The writer's error is the cause when both ended.
            Err(error) => return written.and(Err(error)),
        };
        // Leaving the group waits for the broker's answer.
        tokio::task::spawn_blocking(move || drop(consumer)).await.map_err(|_| ArchiverError::Died("intake"))?;
        written
    }
}
