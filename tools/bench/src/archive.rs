//! The archiver: a process of its own archives a backlog in Apache Kafka.

use crate::figure::figure;
use crate::{event, process, prove};
use anyhow::{Context, bail};
use holdfast_archive::{Archive, Table, open_store};
use holdfast_ingest::archiver::{Archiver, ArchiverMetrics, ArchiverSettings, wait_until_archived};
use holdfast_ingest::gateway::system_clock;
use holdfast_ingest::kafka::{KafkaSettings, ensure_topics};
use holdfast_ingest::producer::{KafkaProducer, Publisher, Record};
use holdfast_testkit::kafka::{Kafka, Options};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Events whose freshness is measured.
const FRESH: usize = 6;

pub(crate) fn settings(brokers: &str, group: &str) -> KafkaSettings {
    KafkaSettings {
        brokers: brokers.to_owned(),
        group: group.to_owned(),
        replication: 1,
        producer_queue_bytes: 256 << 20,
        ..KafkaSettings::default()
    }
}

/// Writes the backlog to Kafka, archives it in all variants, and prints the figures.
pub(crate) async fn measure(events: u64, runs: u32, limit: f64) -> anyhow::Result<()> {
    let kafka = Kafka::start_with(Options { heap_mebibytes: 1024, ..Options::default() })
        .await
        .context("start Apache Kafka (`bash .ci/install` installs it)")?;
    let kafka_settings = settings(kafka.bootstrap(), "bench");
    ensure_topics(&kafka_settings).await?;
    fill(&kafka_settings, events).await?;

    let folder = tempfile::tempdir()?;
    let variants = [(true, true), (true, false), (false, false)].map(|(encrypt, proofs)| Variant { encrypt, proofs });
    let mut best = [None::<Report>; 3];
    for run in 0..runs {
        for (index, variant) in variants.into_iter().enumerate() {
            // The last archive with encryption and proofs is kept, to be verified and sealed.
            let archive_folder = folder.path().join(format!("{run}-{index}"));
            std::fs::create_dir(&archive_folder)?;
            let group = format!("bench-{run}-{index}");
            let report = run_child(kafka.bootstrap(), events, &group, variant, &archive_folder)?;
            if index > 0 || run + 1 < runs {
                std::fs::remove_dir_all(&archive_folder)?;
            }
            if best[index].is_none_or(|best| report.cpu < best.cpu) {
                best[index] = Some(report);
            }
        }
    }
    let [Some(full), Some(without_proofs), Some(plain)] = best else { bail!("nothing was measured") };
    let per_cpu = |report: &Report| events as f64 / report.cpu;
    let per_second = |report: &Report| events as f64 / report.wall;
    figure("archived, encrypted, with proofs", per_cpu(&full) as u64, "events/CPU s");
    figure("archived, encrypted, with proofs: share of the limit", format!("{:.2}", per_cpu(&full) / limit), "");
    figure("archived with proofs, wall time, Kafka beside it", per_second(&full) as u64, "events/s");
    figure("archived, encrypted, proofs off", per_cpu(&without_proofs) as u64, "events/CPU s");
    figure("archived, proofs off, wall time, Kafka beside it", per_second(&without_proofs) as u64, "events/s");
    figure("archived, encryption and proofs off", per_cpu(&plain) as u64, "events/CPU s");
    figure("encrypted against encryption off", format!("{:.3}", per_cpu(&without_proofs) / per_cpu(&plain)), "");
    figure("with proofs against proofs off, CPU", format!("{:.3}", per_cpu(&full) / per_cpu(&without_proofs)), "");
    figure(
        "with proofs against proofs off, wall time",
        format!("{:.3}", per_second(&full) / per_second(&without_proofs)),
        "",
    );
    figure("peak resident memory of the archiving process", full.memory, "MiB");
    figure("bytes on disk an event", format!("{:.1}", full.bytes as f64 / events as f64), "bytes");
    prove::measure(&folder.path().join(format!("{}-0", runs - 1)), events)?;
    freshness(&kafka_settings).await
}

/// What the archiver does in addition to archiving.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) encrypt: bool,
    pub(crate) proofs: bool,
}

/// Writes the backlog to Kafka.
async fn fill(settings: &KafkaSettings, events: u64) -> anyhow::Result<()> {
    let began = Instant::now();
    let bulk = KafkaProducer::new(settings)?.bulk(100_000);
    let mut json = String::new();
    for n in 0..events {
        event::write(n, &mut json);
        let key = event::key(n);
        let record =
            Record { topic: &settings.events_topic, key: key.as_bytes(), value: json.as_bytes(), headers: &[] };
        bulk.send(record).await?;
    }
    let report = bulk.finish().await?;
    figure("backlog written", report.acknowledged, "events");
    figure("backlog written, idempotent, acks=all", (events as f64 / began.elapsed().as_secs_f64()) as u64, "events/s");
    Ok(())
}

/// The report of one run.
#[derive(Clone, Copy)]
struct Report {
    /// Seconds.
    cpu: f64,
    /// Seconds.
    wall: f64,
    /// MiB.
    memory: u64,
    /// Of the data files.
    bytes: u64,
}

fn run_child(brokers: &str, events: u64, group: &str, variant: Variant, folder: &Path) -> anyhow::Result<Report> {
    let report = process::child("archive", |command| {
        command.args(["--brokers", brokers, "--group", group, "--events", &events.to_string(), "--folder"]);
        command.arg(folder);
        if !variant.encrypt {
            command.arg("--plain");
        }
        if !variant.proofs {
            command.arg("--without-proofs");
        }
    })?;
    let number = |name: &str| process::number(&report, name);
    Ok(Report {
        cpu: number("cpu")?,
        wall: number("wall")?,
        memory: number("memory")? as u64,
        bytes: number("bytes")? as u64,
    })
}

/// The archiving process: archives the whole backlog, and reports.
pub(crate) async fn child(
    brokers: String,
    folder: &Path,
    events: u64,
    group: String,
    variant: Variant,
) -> anyhow::Result<()> {
    let (archive, archiver) = archiver(&settings(&brokers, &group), folder, variant)?;
    let stop = CancellationToken::new();
    // The time starts with the assignment, because Kafka takes seconds for the first member of its first group.
    let began = Arc::new(OnceLock::new());
    let assigned = Arc::clone(&began);
    let running = tokio::spawn(archiver.run(stop.clone(), move |is_ready| {
        if is_ready {
            assigned.get_or_init(Instant::now);
        }
    }));
    let log = archive.table(Table::Events);
    loop {
        if running.is_finished() {
            running.await??;
            bail!("the archiver ended before it had archived the backlog");
        }
        if log.offsets().await?.values().sum::<i64>() as u64 >= events {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wall = began.get().context("archived without partitions")?.elapsed().as_secs_f64();
    stop.cancel();
    running.await??;
    if variant.proofs {
        // Archiving with proofs includes the checkpoint.
        prove::integrate(&archive).await?;
    }
    let cpu = process::cpu_time()?.as_secs_f64();
    let snapshot = log.snapshot().await?;
    let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
    if rows != events {
        bail!("{events} events were to be archived, {rows} were");
    }
    let report = serde_json::json!({
        "cpu": cpu,
        "wall": wall,
        "memory": process::peak_memory()?,
        "bytes": snapshot.files.iter().map(|file| file.size).sum::<u64>(),
    });
    println!("{report}");
    Ok(())
}

pub(crate) fn archiver(
    settings: &KafkaSettings,
    folder: &Path,
    variant: Variant,
) -> anyhow::Result<(Archive, Archiver)> {
    let location = open_store(&folder.display().to_string(), folder, &BTreeMap::new())?;
    let archive = Archive::new(location);
    let ring = prove::key_ring(&archive, folder)?;
    let signing_key = if variant.proofs { Some(prove::signing_key()?) } else { None };
    let archiver_settings = ArchiverSettings { encrypt: variant.encrypt, signing_key, ..ArchiverSettings::default() };
    let metrics = ArchiverMetrics::default();
    let archiver = Archiver::new(settings.clone(), archiver_settings, archive.clone(), ring, system_clock(), metrics);
    Ok((archive, archiver))
}

/// The time from the acknowledgement of an event until it is in the log that every query reads, at the default flush
/// interval.
async fn freshness(settings: &KafkaSettings) -> anyhow::Result<()> {
    let settings = KafkaSettings {
        group: "bench-fresh".to_owned(),
        events_topic: "bench.fresh.events".to_owned(),
        recordings_topic: "bench.fresh.recordings".to_owned(),
        ..settings.clone()
    };
    ensure_topics(&settings).await?;
    let folder = tempfile::tempdir()?;
    let (archive, archiver) = archiver(&settings, folder.path(), Variant { encrypt: true, proofs: true })?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(archiver.run(stop.clone(), |_| {}));
    let producer = KafkaProducer::new(&settings)?;
    let log = archive.table(Table::Events);
    let mut json = String::new();
    let mut slowest = Duration::ZERO;
    let mut sum = Duration::ZERO;
    for n in 0..FRESH {
        event::write(n as u64, &mut json);
        let topic = &settings.events_topic;
        let record = Record { topic, key: b"fresh", value: json.as_bytes(), headers: &[] };
        let acknowledged = producer.publish(record)?.await?;
        let since = Instant::now();
        let offset = acknowledged.offset.context("no offset in the acknowledgement")?;
        let target = BTreeMap::from([((topic.clone(), acknowledged.partition), offset + 1)]);
        wait_until_archived(&log, &target, |_| {}).await?;
        slowest = slowest.max(since.elapsed());
        sum += since.elapsed();
    }
    stop.cancel();
    running.await??;
    figure("freshness, mean", format!("{:.2}", sum.as_secs_f64() / FRESH as f64), "s");
    figure("freshness, slowest", format!("{:.2}", slowest.as_secs_f64()), "s");
    Ok(())
}
