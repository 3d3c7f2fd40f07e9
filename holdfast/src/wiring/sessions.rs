//! The task that keeps the table of sessions close behind the events.

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

/// Who keeps the sessions, with the identities in the `named` files, or those of the role query.
pub(crate) fn open(settings: &Settings, archive: &Archive, named: &[PathBuf]) -> anyhow::Result<Maintainer> {
    let found = if named.is_empty() {
        identities::load_folder(&authentication::identities_folder(settings))
    } else {
        identities::load(settings, named)?
    };
    if found.is_empty() {
        bail!("whoever keeps the sessions reads the events: name an identity of all three tiers with --identity");
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
        registry.register("compacted_files", "Files that were put in the place of others", metrics.compacted.clone());
        registry.register("failures", "Rounds that failed", metrics.failures.clone());
        registry.register(
            "last_success_seconds",
            "Unix time of the last round that succeeded",
            metrics.last_success.clone(),
        );
        metrics
    }
}

/// Keeps the sessions, one round after the other.
pub(crate) struct Keeper {
    maintainer: Maintainer,
    interval: Duration,
    clock: Clock,
    metrics: Metrics,
    component: Component,
}

impl Keeper {
    pub(crate) fn new(
        settings: &Settings,
        archive: &Archive,
        clock: Clock,
        registry: &mut Registry,
        component: Component,
    ) -> anyhow::Result<Self> {
        let maintainer = open(settings, archive, &[])?;
        let interval = Duration::from_secs(settings.config.query.sessions_interval_seconds);
        component.ready();
        Ok(Self { maintainer, interval, clock, metrics: Metrics::register(registry), component })
    }

    /// Until `stop`. What is not written by then is folded by whoever asks, and written by the next process.
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
                // Somebody else keeps them as well; the next round starts from what they wrote.
                Some(Err(SessionsError::Overtaken)) => {}
                Some(Err(error)) => {
                    self.metrics.failures.inc();
                    self.component.not_ready("the last round of keeping the sessions failed");
                    tracing::error!(%error, "the sessions were not written; statements fold what is missing");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.interval)).await.is_none() {
                return Ok(());
            }
        }
    }
}
