//! One run of the archiver: its settings, and the state that its threads share.

use super::archived::Archived;
use super::error::ArchiverError;
use super::metrics::ArchiverMetrics;
use super::ownership::Ownership;
use super::queue::CommittedOffsets;
use super::settings::ArchiverSettings;
use crate::clock::Clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::Archive;
use std::sync::{Arc, OnceLock};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

/// Called with whether the archiver archives: with `true` when it has partitions or others have all of them.
pub(super) type OnReady = Arc<dyn Fn(bool) + Send + Sync>;

/// One run of the archiver. Clones share the state.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) kafka: KafkaSettings,
    pub(super) settings: ArchiverSettings,
    pub(super) archive: Archive,
    pub(super) clock: Clock,
    pub(super) metrics: ArchiverMetrics,
    pub(super) ownership: Arc<Ownership>,
    pub(super) committed: Arc<CommittedOffsets>,
    pub(super) archived: Arc<Archived>,
    /// The Kafka cluster's id, known from the first assignment on.
    pub(super) cluster: Arc<OnceLock<String>>,
    pub(super) on_ready: OnReady,
    pub(super) stop: CancellationToken,
    /// Cancelled when a thread died. The next run must know of it.
    pub(super) died: CancellationToken,
}

impl Run {
    /// Stops the other threads when `thread` has ended, and returns its result. A failure is told at once.
    pub(super) fn ended<T>(
        &self,
        thread: &'static str,
        joined: Result<Result<T, ArchiverError>, JoinError>,
    ) -> Result<T, ArchiverError> {
        let ended = joined.unwrap_or_else(|failure| {
            self.died.cancel();
            Err(ArchiverError::died(thread, failure))
        });
        if let Err(error) = &ended {
            tracing::error!(%error, thread, "a thread of the archiver failed");
            (self.on_ready)(false);
        }
        self.stop.cancel();
        ended
    }
}
