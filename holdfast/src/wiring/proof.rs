//! The parts of the proof log: its keys, the mirrors and witnesses of its checkpoints, and the task that integrates
//! commits.

use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use bytes::Bytes;
use holdfast_archive::proof::{IntegrateSettings, Integrated, Integrator, Mirror, Witness, WitnessResponse};
use holdfast_archive::{Archive, ArchiveError};
use holdfast_ingest::gateway::Clock;
use holdfast_proof::note::{SigningKey, TrustedKeys};
use holdfast_proof::witness::WitnessKey;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector as _, HttpRequest, ReqwestConnector};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::archive::open_at;
use crate::config::Settings;
use crate::health::Component;

/// For a request to a witness.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a witness's response that are read.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// The key that signs commits and checkpoints.
pub(crate) fn signing_key(settings: &Settings) -> anyhow::Result<Arc<SigningKey>> {
    let text = settings.signing_key()?;
    let key = SigningKey::parse(text.expose_secret().trim())
        .context("`proof.signing_key_file` contains no signing key; `holdfast init` creates one")?;
    // Signing needs no file with public keys. But if there is one, signatures of another key would not verify.
    if settings.resolve(&settings.config.proof.public_keys_file).exists()
        && !trusted_keys(settings)?.may_sign(key.id(), u64::MAX)
    {
        bail!(
            "`proof.signing_key_file` is the key {} of the log {}, which is missing or retired in `proof.public_keys_file`; \
             this process needs the newest `signing.key`",
            key.id(),
            key.name()
        );
    }
    Ok(Arc::new(key))
}

/// The public keys of the log, from their file.
pub(crate) fn trusted_keys(settings: &Settings) -> anyhow::Result<TrustedKeys> {
    let path = settings.resolve(&settings.config.proof.public_keys_file);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("read the log's public keys from {}; `proof.public_keys_file` names another file", path.display())
    })?;
    TrustedKeys::parse(&text).with_context(|| format!("{} is not usable", path.display()))
}

/// The mirrors of checkpoints.
pub(crate) fn mirrors(settings: &Settings) -> anyhow::Result<Vec<Mirror>> {
    let url = &settings.config.proof.mirror_url;
    if url.is_empty() {
        return Ok(Vec::new());
    }
    let location = open_at(settings, url, settings.mirror_options()?, "proof.mirror_options");
    let location = location.context("open the mirror of the proof log")?;
    Ok(vec![Mirror { name: location.url.to_string(), store: location.store }])
}

/// The public keys of the witnesses.
pub(crate) fn witness_keys(settings: &Settings) -> anyhow::Result<Vec<WitnessKey>> {
    let witnesses = settings.config.proof.witnesses.iter();
    witnesses
        .map(|witness| {
            WitnessKey::parse(&witness.public_key)
                .with_context(|| format!("the public key of the witness at {} is not usable", witness.url))
        })
        .collect()
}

/// Metrics of the integrator.
#[derive(Debug, Clone, Default)]
struct Metrics {
    leaves: Counter,
    size: Gauge,
    unattested: Counter,
    failures: Counter,
    round_failures: Counter,
    has_lease: Gauge,
}

impl Metrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("proof");
        registry.register("leaves", "Leaves that this process added to the proof log", metrics.leaves.clone());
        registry.register("tree_leaves", "Leaves of the proof log", metrics.size.clone());
        registry.register(
            "unattested",
            "Entries of the Delta logs without a valid attestation",
            metrics.unattested.clone(),
        );
        registry.register("place_failures", "Failures of witnesses and mirrors", metrics.failures.clone());
        registry.register("round_failures", "Rounds of the integrator that failed", metrics.round_failures.clone());
        registry.register("lease", "Whether this process integrates the proof log", metrics.has_lease.clone());
        metrics
    }

    fn count(&self, done: &Integrated) {
        self.has_lease.set(i64::from(done.has_lease));
        if done.has_lease {
            self.leaves.inc_by(done.leaves);
            self.size.set(i64::try_from(done.size).unwrap_or(i64::MAX));
            self.unattested.inc_by(done.unattested.len() as u64);
            self.failures.inc_by(done.failed.len() as u64);
        }
    }
}

/// The integrator of the archive's proof log, which signs with `key`.
pub(crate) fn integrator(settings: &Settings, archive: &Archive, key: Arc<SigningKey>) -> anyhow::Result<Integrator> {
    let config = &settings.config.proof;
    let trusted = match settings.resolve(&config.public_keys_file).exists() {
        true => trusted_keys(settings)?,
        // Signing needs no file with public keys: the private key contains its own.
        false => TrustedKeys::parse(key.verifier_key()).context("derive the log's public key")?,
    };
    if trusted.origin() != key.name() {
        bail!(
            "`proof.signing_key_file` is a key of the log {}, and `proof.public_keys_file` of the log {}",
            key.name(),
            trusted.origin()
        );
    }
    let witnesses = config
        .witnesses
        .iter()
        .zip(witness_keys(settings)?)
        .map(|(witness, key)| Ok(Arc::new(HttpWitness::new(key, &witness.url)?) as Arc<dyn Witness>))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let integrate = IntegrateSettings {
        holder: uuid::Uuid::new_v4().to_string(),
        lease: Duration::from_secs(config.lease_seconds),
        keep_every: Duration::from_secs(config.keep_every_seconds),
    };
    Ok(Integrator::new(archive.clone(), integrate, key, trusted, witnesses, mirrors(settings)?))
}

/// The task that adds archived commits to the proof log, in rounds.
pub(crate) struct IntegrationTask {
    integrator: Integrator,
    interval: Duration,
    clock: Clock,
    metrics: Metrics,
    component: Component,
}

impl IntegrationTask {
    pub(crate) fn new(
        settings: &Settings,
        archive: &Archive,
        key: Arc<SigningKey>,
        clock: Clock,
        registry: &mut Registry,
        component: Component,
    ) -> anyhow::Result<Self> {
        let integrator = integrator(settings, archive, key)?;
        let interval = Duration::from_secs(settings.config.proof.interval_seconds);
        Ok(Self { integrator, interval, clock, metrics: Metrics::register(registry), component })
    }

    /// Integrates until `stop`, and then all remaining commits.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failing = false;
        while stop.run_until_cancelled(tokio::time::sleep(self.interval)).await.is_some() {
            let mut more = true;
            while more && !stop.is_cancelled() {
                let result = self.integrator.round((self.clock)()).await;
                more = result.as_ref().is_ok_and(|done| done.more);
                self.report(&result, &mut failing);
            }
        }
        let last = self.integrator.finish((self.clock)()).await;
        self.report(&last, &mut failing);
        Ok(())
    }

    /// Reports a round in the metrics and the log. A failed round loses nothing: the next one integrates the same
    /// commits.
    fn report(&self, result: &Result<Integrated, ArchiveError>, failing: &mut bool) {
        match result {
            Ok(done) => {
                self.metrics.count(done);
                self.component.ready();
                *failing = false;
                for what in &done.unattested {
                    tracing::error!(
                        what,
                        "the archive has an entry without an attestation; it is not in the proof log"
                    );
                }
                for what in &done.failed {
                    tracing::warn!(what, "a witness or mirror of the proof log failed");
                }
            }
            Err(error) => {
                self.metrics.round_failures.inc();
                self.component.not_ready("the proof log cannot be integrated");
                if !std::mem::replace(failing, true) {
                    tracing::error!(%error, "the proof log cannot be integrated; trying again");
                }
            }
        }
    }
}

/// A witness over HTTP (C2SP tlog-witness).
#[derive(Debug)]
struct HttpWitness {
    key: WitnessKey,
    url: String,
    client: HttpClient,
}

impl HttpWitness {
    fn new(key: WitnessKey, url: &str) -> anyhow::Result<Self> {
        let options = ClientOptions::new().with_timeout(WITNESS_TIMEOUT).with_allow_http(true);
        let client = ReqwestConnector::default().connect(&options).context("set up the HTTP client for witnesses")?;
        Ok(Self { key, url: format!("{}/add-checkpoint", url.trim_end_matches('/')), client })
    }
}

#[async_trait]
impl Witness for HttpWitness {
    fn key(&self) -> &WitnessKey {
        &self.key
    }

    async fn add_checkpoint(&self, body: String) -> Result<WitnessResponse, String> {
        let mut request = HttpRequest::new(Bytes::from(body).into());
        *request.method_mut() = "POST".parse().map_err(|_| "no method")?;
        *request.uri_mut() = self.url.parse().map_err(|_| format!("{} is no URL", self.url))?;
        let response = self.client.execute(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.bytes().await.map_err(|error| error.to_string())?;
        let text =
            std::str::from_utf8(&body[..body.len().min(MAX_RESPONSE_BYTES)]).map_err(|_| "it answers no text")?;
        match parts.status.as_u16() {
            200 => Ok(WitnessResponse::Cosigned(text.to_owned())),
            // The size of its latest checkpoint, on a line by itself (C2SP tlog-witness).
            409 => {
                text.trim().parse().map(WitnessResponse::Conflict).map_err(|_| "it answers 409 and no size".to_owned())
            }
            status => Err(format!("it answers {status}")),
        }
    }
}
