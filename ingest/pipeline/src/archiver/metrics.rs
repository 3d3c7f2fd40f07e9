//! The archiver's metrics. Labels are bounded: reasons are constants of this program.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The archiver's metrics. Clones share their values.
#[derive(Debug, Clone)]
pub struct ArchiverMetrics {
    pub(super) events: Counter,
    pub(super) dead_letters: Family<ReasonLabels, Counter>,
    pub(super) commits: Counter,
    pub(super) fenced: Counter,
    pub(super) retries: Counter,
    pub(super) file_bytes: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) assigned_partitions: Gauge,
    pub(super) rejoins: Counter,
    pub(super) lag_seconds: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub(super) reason: &'static str,
}

impl Default for ArchiverMetrics {
    fn default() -> Self {
        Self {
            events: Counter::default(),
            dead_letters: Family::default(),
            commits: Counter::default(),
            fenced: Counter::default(),
            retries: Counter::default(),
            file_bytes: Counter::default(),
            commit_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 12)),
            assigned_partitions: Gauge::default(),
            rejoins: Counter::default(),
            lag_seconds: Gauge::default(),
        }
    }
}

impl ArchiverMetrics {
    /// Creates the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("archiver");
        registry.register("events", "Events archived", metrics.events.clone());
        registry.register("dead_letters", "Messages that are not events, by reason", metrics.dead_letters.clone());
        registry.register("commits", "Commits to the Delta log", metrics.commits.clone());
        registry.register(
            "fenced",
            "Commits that the log rejected because another archiver committed the same offsets first",
            metrics.fenced.clone(),
        );
        registry.register("retries", "Steps that were retried after an error of the store", metrics.retries.clone());
        registry.register("file_bytes", "Bytes of committed data files", metrics.file_bytes.clone());
        registry.register(
            "commit_seconds",
            "Seconds from reading the first event of a commit to the commit",
            metrics.commit_seconds.clone(),
        );
        registry.register(
            "assigned_partitions",
            "Kafka partitions currently assigned",
            metrics.assigned_partitions.clone(),
        );
        registry.register(
            "rejoins",
            "Kafka consumers that were made anew because the group gave them no partitions",
            metrics.rejoins.clone(),
        );
        registry.register(
            "lag_seconds",
            "Age of the oldest message that Kafka acknowledged and that is not archived",
            metrics.lag_seconds.clone(),
        );
        metrics
    }
}
