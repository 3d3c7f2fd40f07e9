//! The task that maintains the table of sessions, which is derived from the events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use holdfast_archive::Archive;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::table::GENERAL_CLASS;
use holdfast_ingest::gateway::Clock;
use holdfast_sessions::{Maintainer, MaintainerSettings, SessionsError};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::{archive, authentication, identities};
use crate::config::Settings;
use crate::health::Component;

/// The maintainer of the table of sessions, with the identities in the `named` files, or those of the role query.
pub(crate) fn open(settings: &Settings, archive: &Archive, named: &[PathBuf]) -> anyhow::Result<Maintainer> {
    let found = if named.is_empty() {
        identities::load_folder(&authentication::identities_folder(settings))
    } else {
        identities::load(settings, named)?
    };
    if found.is_empty() {
        bail!("the table of sessions is derived from all events: name an identity of all three tiers with --identity");
    }
    let unlocker = Arc::new(Unlocker::new(archive.clone(), found));
    let ring = archive::key_ring(settings, archive)?;
    Ok(Maintainer::new(archive.clone(), unlocker, ring, MaintainerSettings::new(GENERAL_CLASS)))
}

#[derive(Debug, Clone, Default)]
struct Metrics {
    sessions: Counter,
    compacted: Counter,
    failures: Counter,
    last_success: Gauge,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("sessions");
        registry.register("written", "Rows of sessions that were written", metrics.sessions.clone());
        registry.register("compacted_files", "Files that were written by compaction", metrics.compacted.clone());
        registry.register("failures", "Rounds that failed", metrics.failures.clone());
        registry.register(
            "last_success_seconds",
            "Unix time of the last round that succeeded",
            metrics.last_success.clone(),
        );
        metrics
    }
}

/// The task that updates the table of sessions, in rounds.
pub(crate) struct MaintenanceTask {
    maintainer: Maintainer,
    interval: Duration,
    clock: Clock,
    metrics: Metrics,
    component: Component,
}

impl MaintenanceTask {
    pub(crate) fn new(
        settings: &Settings,
        archive: &Archive,
        clock: Clock,
        registry: &mut Registry,
        component: Component,
    ) -> anyhow::Result<Self> {
        let maintainer = open(settings, archive, &[])?.with_clock(Arc::clone(&clock));
        let interval = Duration::from_secs(settings.config.query.sessions_interval_seconds);
        component.ready();
        Ok(Self { maintainer, interval, clock, metrics: Metrics::register(registry), component })
    }

    /// Runs until `stop`. Statements fold the events that are not written by then, and the next process writes them.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let round = self.maintainer.round((self.clock)());
            match stop.run_until_cancelled(round).await {
                None => return Ok(()),
                Some(Ok(round)) => {
                    self.metrics.sessions.inc_by(round.sessions as u64);
                    self.metrics.compacted.inc_by(round.compacted as u64);
                    self.metrics.last_success.set((self.clock)().0 / 1_000_000);
                    self.component.ready();
                }
                // Another process has committed first. The next round starts from its commit.
                Some(Err(SessionsError::Conflict)) => {}
                Some(Err(error)) => {
                    self.metrics.failures.inc();
                    self.component.not_ready("the last update of the table of sessions failed");
                    tracing::error!(%error, "the table of sessions was not updated; statements fold the missing events");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.interval)).await.is_none() {
                return Ok(());
            }
        }
    }
}
