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
//! - Memory is bounded. The flush limits (messages, bytes, filing dates) and a short queue bound what was read and is
//!   not committed; librdkafka's own limit bounds what it has fetched.
//! - While the archive is unreachable, the writer retries and the intake pauses. No event is dropped.
//! - A thread that dies ends the run at once. A message at which run after run dies becomes a dead letter
//!   ([`isolation`]).

mod archived;
mod dead_letter;
mod error;
mod intake;
mod isolation;
mod lag;
mod message;
mod metrics;
mod ownership;
mod queue;
mod run;
mod settings;
mod wait;
mod writer;

pub use error::ArchiverError;
#[doc(hidden)]
pub use intake::archive_messages;
pub use metrics::ArchiverMetrics;
pub use settings::ArchiverSettings;
pub use wait::wait_until_archived;

use crate::clock::Clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::Archive;
use holdfast_archive::keys::KeyRing;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How long the end of a run waits for the intake after the writer has died. Nothing of it is needed then.
const INTAKE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long it waits after another error of the writer for the intake, and after each run for the consumer to leave the
/// group.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// `true` when partitions are assigned, or when the other members of the group have all of them; and with `false`
    /// when nobody is known to have them, and when a thread has died.
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
            archived: Arc::default(),
            cluster: Arc::default(),
            on_ready: Arc::new(on_ready),
            stop,
            died: CancellationToken::new(),
        };
        let (sender, receiver) = std::sync::mpsc::sync_channel(queue::QUEUE_LENGTH);
        let writer = writer::Writer::new(run.clone(), self.ring);
        let intake = intake::Intake::new(run.clone(), sender)?;
        let mut lag = tokio::spawn(lag::watch(run.clone()));
        let mut writer = tokio::task::spawn_blocking(move || writer.run(&receiver));
        let mut intake = tokio::task::spawn_blocking(move || intake.run());
        // Whichever ends first stops the others.
        let (consumer, written, measured) = tokio::select! {
            biased;
            consumer = &mut intake => {
                let consumer = run.ended("intake", consumer);
                (Some(consumer), run.ended("writer", writer.await), None)
            }
            written = &mut writer => {
                let written = run.ended("writer", written);
                // It ends without an error only after the intake. After an error, the consumer is needed only to give
                // the partitions back.
                let limit = if run.died.is_cancelled() { INTAKE_TIMEOUT } else { LEAVE_TIMEOUT };
                let consumer = match &written {
                    Ok(()) => Some(intake.await),
                    Err(_) => tokio::time::timeout(limit, intake).await.ok(),
                };
                (consumer.map(|consumer| run.ended("intake", consumer)), written, None)
            }
            measured = &mut lag => {
                let measured = run.ended("lag", measured);
                let consumer = run.ended("intake", intake.await);
                (Some(consumer), run.ended("writer", writer.await), Some(measured))
            }
        };
        // The consumer stays in the group until the last commit is done, so that no other member gets its partitions
        // before. If both threads ended with an error, the writer's error is the cause.
        let read = match consumer {
            Some(Ok(consumer)) => {
                leave(&run.died, consumer.leave()).await;
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        written.and(read)?;
        match measured {
            Some(measured) => measured,
            None => run.ended("lag", lag.await),
        }
    }
}

/// Waits, not for ever, until the consumer has left the group. Then the marks say that the partitions were given back,
/// and the next run does not take the end for a death. After a death they are to say so.
async fn leave(died: &CancellationToken, has_left: oneshot::Receiver<()>) {
    if died.is_cancelled() {
        return;
    }
    // The thread that leaves may end without having left.
    if !matches!(tokio::time::timeout(LEAVE_TIMEOUT, has_left).await, Ok(Ok(()))) {
        tracing::warn!("the consumer does not leave the group; the next run takes the end of this one for a death");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test(start_paused = true)]
    async fn the_partitions_are_given_back_after_an_error_that_is_no_death() {
        for is_death in [false, true] {
            let (died, is_given_back) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
            if is_death {
                died.cancel();
            }
            let noted = Arc::clone(&is_given_back);
            let (left, has_left) = oneshot::channel();
            tokio::spawn(async move {
                tokio::time::sleep(LEAVE_TIMEOUT / 2).await;
                noted.store(true, Ordering::Release);
                let _ = left.send(());
            });
            leave(&died, has_left).await;
            assert_eq!(is_given_back.load(Ordering::Acquire), !is_death);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_consumer_that_does_not_leave_is_not_waited_for_for_ever() {
        let (_left, has_left) = oneshot::channel();
        let began = tokio::time::Instant::now();
        leave(&CancellationToken::new(), has_left).await;
        assert_eq!(began.elapsed().as_secs(), LEAVE_TIMEOUT.as_secs());
    }
}
