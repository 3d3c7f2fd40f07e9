//! The archiving consumer: writes each event from Kafka into the archive exactly once.
//!
//! ```text
//!            intake (one thread)                                 writer (one thread)
//! Kafka ─▶ poll ─▶ read ─┬─ event ─▶ columns, one builder a date ─▶ encode, encrypt ┐
//!                        ├─ chunk ─▶ bytes, kept until the flush ─▶ age object ─────┼─▶ put ─▶ commit: files + offsets
//!                        └─ neither ─▶ dead letter ───────────────▶ dead_letters ───┘
//! ```
//!
//! The Delta log alone decides where reading starts: the assignment sets each partition's start offset from the log,
//! and each commit names the offset that it starts from. Kafka's group offsets are written afterwards, for lag
//! monitoring.
//!
//! Invariants:
//! - Offsets become visible together with the events before them, in one commit.
//! - After a partition is revoked, nothing that was read from it is committed: [`ownership`] ends the epoch first. If a
//!   commit is in progress nevertheless (a process that was stopped for minutes), the log rejects the second one.
//! - Memory is bounded. The flush limits and a short queue bound what was read and is not committed; librdkafka's own
//!   limit bounds what it has fetched.
//! - While the archive is unreachable, the writer retries and the intake pauses. No event is dropped.

mod dead_letter;
mod error;
mod intake;
mod message;
mod metrics;
mod ownership;
mod queue;
mod run;
mod settings;
mod wait;
mod writer;

pub use error::ArchiverError;
pub use metrics::ArchiverMetrics;
pub use settings::ArchiverSettings;
pub use wait::wait_until_archived;

use crate::clock::Clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::Archive;
use holdfast_archive::keys::KeyRing;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
    /// An archiver that reads the topics of `kafka` and writes into `archive`. `ring` holds only public keys.
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

    /// Runs until `stop` is cancelled, then archives what it has read and leaves the group. Calls `on_ready` with
    /// `true` when partitions are assigned, and with `false` when they are revoked.
    ///
    /// # Errors
    /// See [`ArchiverError`].
    pub async fn run(
        self,
        stop: CancellationToken,
        on_ready: impl Fn(bool) + Send + Sync + 'static,
    ) -> Result<(), ArchiverError> {
        // Dropping this future stops the threads in the same way.
        let stop = stop.child_token();
        let _ended = stop.clone().drop_guard();
        let run = run::Run {
            kafka: self.kafka,
            settings: self.settings,
            archive: self.archive,
            clock: self.clock,
            metrics: self.metrics,
            ownership: Arc::default(),
            committed: Arc::default(),
            cluster: Arc::default(),
            stop,
        };
        let (sender, receiver) = std::sync::mpsc::sync_channel(queue::QUEUE_LENGTH);
        let writer = writer::Writer::new(run.clone(), self.ring);
        let intake = intake::Intake::new(run, sender, Box::new(on_ready))?;
        let writer = tokio::task::spawn_blocking(move || writer.run(&receiver));
        let intake = tokio::task::spawn_blocking(move || intake.run());
        let consumer = intake.await.map_err(|_| ArchiverError::Died("intake"))?;
        // The consumer stays in the group until the last commit is done, so that no other member gets its partitions
        // before.
        let written = writer.await.map_err(|_| ArchiverError::Died("writer"))?;
        let consumer = match consumer {
            Ok(consumer) => consumer,
            // If both ended with an error, the writer's error is the cause.
            Err(error) => return written.and(Err(error)),
        };
        // Leaving the group waits for the broker's response.
        tokio::task::spawn_blocking(move || drop(consumer)).await.map_err(|_| ArchiverError::Died("intake"))?;
        written
    }
}
