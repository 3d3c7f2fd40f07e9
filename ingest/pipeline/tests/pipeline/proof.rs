//! Every check of a test verifies the archive against the attestations, whatever failures the test injected.

use holdfast_archive::Archive;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::proof::{IntegrateSettings, Integrator};
use holdfast_archive::verify::{Report, Scope, Verification};
use holdfast_ingest::gateway::system_clock;
use holdfast_proof::note::{SigningKey, TrustedKeys, generate};
use std::sync::Arc;
use std::time::Duration;

/// The key of all tests.
pub(crate) fn signing_key() -> Arc<SigningKey> {
    let pair = generate("holdfast/pipeline", [3; 32]).expect("the name is allowed");
    Arc::new(SigningKey::parse(&pair.private_key).expect("it was just generated"))
}

/// Integrates what was committed and verifies all of it.
pub(crate) async fn verify(archive: &Archive, officer: &age::x25519::Identity) -> Report {
    let (key, now) = (signing_key(), system_clock()());
    let keys = TrustedKeys::parse(key.verifier_key()).expect("it was just generated");
    let settings = IntegrateSettings {
        holder: uuid::Uuid::new_v4().to_string(),
        lease: Duration::from_secs(30),
        keep_every: Duration::ZERO,
    };
    let mut integrator = Integrator::new(archive.clone(), settings, key, keys.clone(), Vec::new(), Vec::new());
    let done = integrator.finish(now).await.expect("the log is integrated");
    assert!(done.has_lease && done.unattested.is_empty(), "{done:?}");
    let verification = Verification {
        archive,
        keys: &keys,
        unlocker: Arc::new(Unlocker::new(archive.clone(), vec![officer.clone()])),
        mirrors: &[],
        witnesses: &[],
        scope: Scope::default(),
        parallelism: 2,
        now,
    };
    let report = verification.run(|_| {}).await.expect("the archive can be read");
    assert!(report.intact, "{:#?}", report.findings);
    report
}
