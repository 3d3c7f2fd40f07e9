//! Apache Kafka stands still for some time while the archiver runs: afterwards everything is archived, once.
//!
//! ```text
//! events ─▶ archived ─▶ SIGSTOP of Kafka ─▶ seconds ─▶ SIGCONT ─▶ events ─▶ archived? each of them once?
//! ```

use crate::archive::{self, Variant};
use crate::event;
use crate::figure::figure;
use anyhow::{Context, bail, ensure};
use clap::Args;
use holdfast_archive::Table;
use holdfast_ingest::archiver::wait_until_archived;
use holdfast_ingest::kafka::{KafkaSettings, ensure_topics};
use holdfast_ingest::producer::{KafkaProducer, Publisher, Record};
use holdfast_testkit::kafka::Kafka;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// In which everything must be archived after the stall: the archiver may wait for 16 minutes until it joins again.
const LIMIT: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Args)]
pub(crate) struct StallArguments {
    /// Seconds for which Kafka stands still.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Events before the stall, and as many after it.
    #[arg(long, default_value_t = 1_000)]
    events: u64,
}

/// Lets Kafka stand still, and prints how long the archiver took to go on.
pub(crate) async fn measure(arguments: &StallArguments) -> anyhow::Result<()> {
    let mut kafka = Kafka::start().await.context("start Apache Kafka (`bash .ci/install` installs it)")?;
    let settings = archive::settings(kafka.bootstrap(), "stall");
    ensure_topics(&settings).await?;
    let folder = tempfile::tempdir()?;
    let (archive, archiver) = archive::archiver(&settings, folder.path(), Variant { encrypt: true, proofs: true })?;
    let log = archive.table(Table::Events);
    let stop = CancellationToken::new();
    let mut running = tokio::spawn(archiver.run(stop.clone(), |_| {}));
    let mut seconds = Vec::new();
    for round in 0..2 {
        if round == 1 {
            kafka.pause();
            tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
            kafka.resume();
        }
        let since = Instant::now();
        let target = send(&settings, round * arguments.events..(round + 1) * arguments.events).await?;
        tokio::select! {
            archived = tokio::time::timeout(LIMIT, wait_until_archived(&log, &target, |_| {})) => {
                archived.context("not everything was archived in time")??;
            }
            ended = &mut running => {
                ended??;
                bail!("the archiver ended");
            }
        }
        seconds.push(since.elapsed().as_secs_f64());
    }
    stop.cancel();
    running.await??;
    let snapshot = log.snapshot().await?;
    let rows: u64 = snapshot.files.iter().map(|file| file.rows).sum();
    figure("Kafka was stopped for", arguments.seconds, "s");
    figure("sent and archived, before", format!("{:.1}", seconds[0]), "s");
    figure("sent and archived, from its end on", format!("{:.1}", seconds[1]), "s");
    figure("events acknowledged, and archived", format!("{} {rows}", 2 * arguments.events), "");
    ensure!(rows == 2 * arguments.events, "events are missing or doubled");
    Ok(())
}

/// Sends events, and returns the next offset of each partition behind them. Each is acknowledged.
async fn send(settings: &KafkaSettings, numbers: Range<u64>) -> anyhow::Result<BTreeMap<(String, i32), i64>> {
    let producer = KafkaProducer::new(settings)?;
    let mut json = String::new();
    let mut target = BTreeMap::new();
    for number in numbers {
        event::write(number, &mut json);
        let (topic, key) = (&settings.events_topic, event::key(number));
        let record = Record { topic, key: key.as_bytes(), value: json.as_bytes(), headers: &[] };
        let acknowledged = producer.publish(record)?.await?;
        let offset = acknowledged.offset.context("no offset in the acknowledgement")?;
        target.insert((topic.clone(), acknowledged.partition), offset + 1);
    }
    Ok(target)
}
