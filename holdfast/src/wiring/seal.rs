//! The sealer: its identities, the Object Lock on what it writes, and its task.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use holdfast_archive::Archive;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::seal::{Lock, LockMode, S3Retention, SealSettings, Sealed, Sealer, Sweeper, Swept};
use holdfast_ingest::gateway::Clock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::{archive, identities, proof};
use crate::config::{LockModeName, Settings};
use crate::health::Component;

const HOUR: u64 = 3600;

/// A sealer and a sweeper, with the identities in the `named` files, or those of the role sealer.
pub(crate) fn open(settings: &Settings, archive: &Archive, named: &[PathBuf]) -> anyhow::Result<(Sealer, Sweeper)> {
    let config = &settings.config.seal;
    let found = match config.identities_dir.get() {
        Some(folder) if named.is_empty() => identities::load_folder(&settings.resolve(folder)),
        _ => identities::load(settings, named)?,
    };
    if found.is_empty() {
        bail!(
            "sealing reads what it merges: name an identity of all three tiers with --identity, or with `seal.identities_dir`"
        );
    }
    let mode = match config.lock_mode {
        LockModeName::None => None,
        LockModeName::Governance => Some(LockMode::Governance),
        LockModeName::Compliance => Some(LockMode::Compliance),
    };
    let lock = match mode {
        None => None,
        Some(mode) => {
            let options = archive::store_options(settings)?;
            let retention = S3Retention::new(archive.url(), &options, mode);
            let retention = retention.context("set up the Object Lock of `seal.lock_mode`")?;
            Some(Lock { retention: Arc::new(retention), days: config.lock_days })
        }
    };
    let unlocker = Arc::new(Unlocker::new(archive.clone(), found));
    let grace = Duration::from_secs(config.grace_hours * HOUR);
    let sealer = Sealer {
        archive: archive.clone(),
        ring: archive::key_ring(settings, archive)?,
        unlocker: Arc::clone(&unlocker),
        key: proof::signing_key(settings)?,
        settings: SealSettings {
            after: Duration::from_secs(config.after_hours * HOUR),
            grace,
            ..SealSettings::default()
        },
        lock,
    };
    Ok((sealer, Sweeper::new(archive.clone(), unlocker, grace)))
}

/// Metrics of sealing.
#[derive(Debug, Clone, Default)]
struct Metrics {
    files_before: Counter,
    files_after: Counter,
    rows: Counter,
    bytes_before: Counter,
    bytes_after: Counter,
    swept_files: Counter,
    swept_objects: Counter,
    skipped: Counter,
    failures: Counter,
    last_success: Gauge,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("seal");
        registry.register("files_before", "Files that were merged", metrics.files_before.clone());
        registry.register("files_after", "Sealed files that replaced them", metrics.files_after.clone());
        registry.register("rows", "Rows that were sealed", metrics.rows.clone());
        registry.register("bytes_before", "Bytes of the files that were merged", metrics.bytes_before.clone());
        registry.register("bytes_after", "Bytes of the sealed files", metrics.bytes_after.clone());
        registry.register(
            "swept_files",
            "Merged files that were deleted after the grace period",
            metrics.swept_files.clone(),
        );
        registry.register("swept_objects", "Joined recording objects that were deleted", metrics.swept_objects.clone());
        registry.register("skipped", "Groups of files that were not sealed", metrics.skipped.clone());
        registry.register("failures", "Rounds of the sealer that failed", metrics.failures.clone());
        registry.register(
            "last_success_seconds",
            "Unix time of the last round that succeeded",
            metrics.last_success.clone(),
        );
        metrics
    }

    fn count(&self, sealed: &Sealed, swept: &Swept) {
        self.files_before.inc_by(sealed.files_before);
        self.files_after.inc_by(sealed.files_after);
        self.rows.inc_by(sealed.rows);
        self.bytes_before.inc_by(sealed.bytes_before);
        self.bytes_after.inc_by(sealed.bytes_after);
        self.skipped.inc_by(sealed.skipped.len() as u64);
        self.swept_files.inc_by(swept.files);
        self.swept_objects.inc_by(swept.objects);
    }
}

/// The task that seals at a fixed interval.
pub(crate) struct SealingTask {
    sealer: Sealer,
    sweeper: Sweeper,
    interval: Duration,
    clock: Clock,
    metrics: Metrics,
    component: Component,
}

impl SealingTask {
    pub(crate) fn new(
        settings: &Settings,
        archive: &Archive,
        clock: Clock,
        registry: &mut Registry,
        component: Component,
    ) -> anyhow::Result<Self> {
        let (sealer, sweeper) = open(settings, archive, &[])?;
        let interval = Duration::from_secs(settings.config.seal.interval_minutes * 60);
        component.ready();
        Ok(Self { sealer, sweeper, interval, clock, metrics: Metrics::register(registry), component })
    }

    /// Seals closed dates, immediately and then at every interval, until `stop`. An interrupted round commits nothing
    /// partial.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let round = async {
                let sealed = self.sealer.seal((self.clock)(), false, |_| {}).await?;
                let swept = self.sweeper.sweep((self.clock)()).await?;
                Ok::<_, holdfast_archive::ArchiveError>((sealed, swept))
            };
            match stop.run_until_cancelled(round).await {
                None => return Ok(()),
                Some(Ok((sealed, swept))) => self.report(&sealed, &swept),
                Some(Err(error)) => {
                    self.metrics.failures.inc();
                    self.component.not_ready("the last round of sealing failed");
                    tracing::error!(%error, "sealing failed; trying again at the next interval");
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.interval)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Reports a round in the metrics and the log.
    fn report(&self, sealed: &Sealed, swept: &Swept) {
        self.metrics.count(sealed, swept);
        self.metrics.last_success.set((self.clock)().0 / 1_000_000);
        self.component.ready();
        for skipped in &sealed.skipped {
            tracing::warn!(table = skipped.table, date = skipped.date, why = skipped.why, "not sealed");
        }
        if sealed.groups > 0 || swept.files > 0 {
            tracing::info!(
                files_before = sealed.files_before,
                files_after = sealed.files_after,
                rows = sealed.rows,
                swept = swept.files,
                "sealed"
            );
        }
    }
}
