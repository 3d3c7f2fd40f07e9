//! Verifies, seals and queries an archive, each in a process of its own.

use crate::figure::figure;
use crate::process;
use age::secrecy::ExposeSecret;
use anyhow::bail;
use holdfast_archive::keys::{Holder, KeyRing, Unlocker};
use holdfast_archive::proof::{IntegrateSettings, Integrator};
use holdfast_archive::seal::{SealSettings, Sealer, Sweeper};
use holdfast_archive::verify::{Scope, Verification};
use holdfast_archive::{Archive, open_store};
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::{SigningKey, TrustedKeys, generate};
use holdfast_query::{Session, SessionOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// File with the holder's identity, in the folder of the archive.
const IDENTITY: &str = "bench.identity";

/// The key that signs the benchmark's commits.
pub(crate) fn signing_key() -> anyhow::Result<Arc<SigningKey>> {
    let pair = generate("holdfast/bench", [1; 32])?;
    Ok(Arc::new(SigningKey::parse(&pair.private_key)?))
}

/// A key ring with one holder, whose identity is written to the folder for [`open`].
pub(crate) fn key_ring(archive: &Archive, folder: &Path) -> anyhow::Result<Arc<KeyRing>> {
    let identity = age::x25519::Identity::generate();
    std::fs::write(folder.join(IDENTITY), identity.to_string().expose_secret())?;
    let holder = Holder { name: "bench".to_owned(), recipient: identity.to_public(), tiers: Tier::ALL.to_vec() };
    Ok(Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder])?))
}

/// Adds all commits to the proof log.
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

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The archive in a folder, and the identities that open it.
pub(crate) fn open(folder: &Path) -> anyhow::Result<(Archive, Vec<age::x25519::Identity>)> {
    let archive = Archive::new(open_store(&folder.display().to_string(), folder, &BTreeMap::new())?);
    let identity = std::fs::read_to_string(folder.join(IDENTITY))?;
    Ok((archive, vec![identity.trim().parse().map_err(anyhow::Error::msg)?]))
}

/// The verifying process: verifies the archive in `folder`, and reports.
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

/// The sealing process: seals the archive in `folder`, and reports.
pub(crate) async fn seal(folder: &Path) -> anyhow::Result<()> {
    let (archive, identities) = open(folder)?;
    let holder = Holder { name: "bench".to_owned(), recipient: identities[0].to_public(), tiers: Tier::ALL.to_vec() };
    let unlocker = Arc::new(Unlocker::new(archive.clone(), identities));
    let sealer = Sealer {
        archive: archive.clone(),
        ring: Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder])?),
        unlocker: Arc::clone(&unlocker),
        key: signing_key()?,
        settings: SealSettings { grace: Duration::ZERO, ..SealSettings::default() },
        lock: None,
    };
    let began = Instant::now();
    let sealed = sealer.seal(now(), true, |_| {}).await?;
    let (cpu, wall) = (process::cpu_time()?.as_secs_f64(), began.elapsed().as_secs_f64());
    integrate(&archive).await?;
    // A second after the commit, so that the grace period of 0 is over.
    let later = Timestamp(now().0 + 1_000_000);
    Sweeper::new(archive, unlocker, Duration::ZERO).sweep(later).await?;
    let mut report = serde_json::to_value(&sealed)?;
    report["cpu"] = cpu.into();
    report["wall"] = wall.into();
    report["memory"] = process::peak_memory()?.into();
    println!("{report}");
    Ok(())
}

/// Statements that are measured: all events, one session, and one minute.
const STATEMENTS: [(&str, &str); 3] = [
    ("count by sender", "SELECT sender, count(*), min(time), max(time) FROM archive.events GROUP BY sender"),
    ("one session, with its text", "SELECT time, data FROM archive.events WHERE subject = 'b-777' ORDER BY time"),
    (
        "one minute",
        "SELECT count(DISTINCT subject) FROM archive.events WHERE time >= '2026-11-20T01:00:00Z' AND time < '2026-11-20T01:01:00Z'",
    ),
];

/// The querying process: executes each statement four times, and reports the best time.
pub(crate) async fn query(folder: &Path) -> anyhow::Result<()> {
    let (archive, identities) = open(folder)?;
    let session = Session::new(SessionOptions::new(archive, identities))?;
    let mut report = serde_json::Map::new();
    for (name, statement) in STATEMENTS {
        let mut best = Duration::MAX;
        for _ in 0..4 {
            let began = Instant::now();
            session.sql(statement).await?.collect().await?;
            best = best.min(began.elapsed());
        }
        report.insert(name.to_owned(), best.as_secs_f64().into());
    }
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}

/// Verifies and queries the archive before and after sealing, and prints the figures.
pub(crate) fn measure(folder: &Path, events: u64) -> anyhow::Result<()> {
    verified(folder, events, "as archived")?;
    let before = run("query", folder)?;
    let sealed = run("seal", folder)?;
    let number = |name: &str| process::number(&sealed, name);
    if number("rows")? as u64 != events {
        bail!("{events} events were to be sealed, {} were", number("rows")?);
    }
    figure("sealed", (events as f64 / number("cpu")?) as u64, "events/CPU s");
    figure("sealed, wall time", (events as f64 / number("wall")?) as u64, "events/s");
    figure("sealed: peak memory", number("memory")? as u64, "MiB");
    figure(
        "data files before and after sealing",
        format!("{} to {}", sealed["files_before"], sealed["files_after"]),
        "",
    );
    let per_event = |name: &str| Ok::<_, anyhow::Error>(format!("{:.1}", number(name)? / events as f64));
    figure("bytes an event before sealing", per_event("bytes_before")?, "bytes");
    figure("bytes an event after sealing", per_event("bytes_after")?, "bytes");
    verified(folder, events, "sealed")?;
    let after = run("query", folder)?;
    for (name, _) in STATEMENTS {
        let millis = |report: &serde_json::Value| report[name].as_f64().unwrap_or_default() * 1000.0;
        figure(&format!("{name}: before, after"), format!("{:.1} {:.1}", millis(&before), millis(&after)), "ms");
    }
    Ok(())
}

fn run(command: &str, folder: &Path) -> anyhow::Result<serde_json::Value> {
    process::child(command, |arguments| _ = arguments.arg("--folder").arg(folder))
}

fn verified(folder: &Path, events: u64, what: &str) -> anyhow::Result<()> {
    let report = run("verify", folder)?;
    let number = |name: &str| process::number(&report, name);
    if number("records")? as u64 != events {
        bail!("{events} events were to be verified, {} were", number("records")?);
    }
    figure(&format!("verified, {what}"), (events as f64 / number("cpu")?) as u64, "events/CPU s");
    figure(&format!("verified, {what}, wall time, two threads"), (events as f64 / number("wall")?) as u64, "events/s");
    figure(&format!("verified, {what}: peak memory"), number("memory")? as u64, "MiB");
    Ok(())
}
