//! Verifying what was archived, in a process of its own.

use crate::{figure, process};
use age::secrecy::ExposeSecret;
use anyhow::{Context, bail};
use holdfast_archive::keys::{Holder, KeyRing, Unlocker};
use holdfast_archive::proof::{IntegrateSettings, Integrator};
use holdfast_archive::verify::{Scope, Verification};
use holdfast_archive::{Archive, open_store};
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::{SigningKey, TrustedKeys, generate};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The holder's identity lies beside the archive for as long as the benchmark takes.
const IDENTITY: &str = "bench.identity";

/// The key that the benchmark's commits are signed with.
pub(crate) fn signing_key() -> anyhow::Result<Arc<SigningKey>> {
    let pair = generate("holdfast/bench", [1; 32])?;
    Ok(Arc::new(SigningKey::parse(&pair.private_key)?))
}

/// A ring whose one holder can be had again from the folder.
pub(crate) fn key_ring(archive: &Archive, folder: &Path) -> anyhow::Result<Arc<KeyRing>> {
    let identity = age::x25519::Identity::generate();
    std::fs::write(folder.join(IDENTITY), identity.to_string().expose_secret())?;
    let holder = Holder { name: "bench".to_owned(), recipient: identity.to_public(), tiers: Tier::ALL.to_vec() };
    Ok(Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder])?))
}

/// Takes everything that was archived into the proof log.
pub(crate) async fn integrate(archive: &Archive) -> anyhow::Result<()> {
    let key = signing_key()?;
    let trusted = TrustedKeys::parse(key.verifier_key())?;
    let settings = IntegrateSettings {
        holder: "bench".to_owned(),
        lease: Duration::from_secs(30),
        keep_every: Duration::from_secs(600),
    };
    let mut integrator = Integrator::new(archive.clone(), settings, key, trusted, Vec::new(), Vec::new());
    integrator.finish(now()).await?;
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn open(folder: &Path) -> anyhow::Result<(Archive, Vec<age::x25519::Identity>)> {
    let archive = Archive::new(open_store(&folder.display().to_string(), folder, &BTreeMap::new())?);
    let identity = std::fs::read_to_string(folder.join(IDENTITY))?;
    Ok((archive, vec![identity.trim().parse().map_err(anyhow::Error::msg)?]))
}

/// The verifying process: verifies the archive in `folder` and reports.
pub(crate) async fn verify(folder: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let (archive, identities) = open(folder)?;
    let keys = TrustedKeys::parse(signing_key()?.verifier_key())?;
    let verification = Verification {
        archive: &archive,
        keys: &keys,
        unlocker: Arc::new(Unlocker::new(archive.clone(), identities)),
        mirrors: &[],
        witnesses: &[],
        scope: Scope::default(),
        parallelism: 2,
        now: now(),
    };
    let report = verification.run(|_| {}).await?;
    if !report.intact {
        bail!("the archive is not intact: {:?}", report.findings);
    }
    let report = serde_json::json!({
        "records": report.checked.records,
        "cpu": process::cpu_time()?.as_secs_f64(),
        "wall": began.elapsed().as_secs_f64(),
        "memory": process::peak_memory()?,
    });
    println!("{report}");
    Ok(())
}

/// Measures and prints.
pub(crate) fn measure(folder: &Path, events: u64) -> anyhow::Result<()> {
    verified(folder, events, "as archived")
}

fn verified(folder: &Path, events: u64, what: &str) -> anyhow::Result<()> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["verify", "--folder"]).arg(folder);
    let report = process::report_of(command)?;
    let number = |name: &str| report[name].as_f64().with_context(|| format!("no {name} in the report"));
    if number("records")? as u64 != events {
        bail!("{events} events were to be verified, {} were", number("records")?);
    }
    figure(&format!("verified, {what}"), (events as f64 / number("cpu")?) as u64, "events/CPU s");
    figure(&format!("verified, {what}, wall time, two threads"), (events as f64 / number("wall")?) as u64, "events/s");
    figure(&format!("verified, {what}: peak memory"), number("memory")? as u64, "MiB");
    Ok(())
}
