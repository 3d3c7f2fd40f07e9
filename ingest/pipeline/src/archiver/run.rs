//! One run of the archiver: its settings, and the state that the intake and the writer share.

use super::metrics::ArchiverMetrics;
use super::ownership::Ownership;
use super::queue::CommittedOffsets;
use super::settings::ArchiverSettings;
use crate::clock::Clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::Archive;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

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
    /// The Kafka cluster's id, known from the first assignment on.
    pub(super) cluster: Arc<OnceLock<String>>,
    pub(super) stop: CancellationToken,
}
