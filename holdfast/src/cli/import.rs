//! `holdfast import`
//!
//! ```text
//! file ─▶ lines ─▶ decode (for the key and the validity) ─▶ Kafka ─▶ archiver of the server, or of this process
//!                                                             └─▶ next offsets ─▶ wait until the log has them
//! ```

mod lines;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use holdfast_archive::{Archive, Table};
use holdfast_events::{CHUNK_TYPE, Chunk, DecodeError, Decoder};
use holdfast_ingest::archiver;
use holdfast_ingest::kafka::KafkaSettings;
use holdfast_ingest::producer::{BulkPublisher, BulkReport, KafkaProducer, PublishError, Record};
use serde::Serialize;

use self::lines::{Line, Lines};
use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::progress::{Bars, Progress};
use crate::render::text::{count, counted, duration};
use crate::wiring::archive;
use crate::wiring::job::{Job, done};

/// Messages that may wait for Kafka's acknowledgement.
pub(super) const MAX_IN_FLIGHT: usize = 50_000;
/// Invalid lines whose reason is reported.
const MAX_EXAMPLES: usize = 5;
/// After this time without progress of the archiver, a warning is logged.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Import CloudEvents, one JSON object a line, through Kafka, and wait until they are archived.
///
/// A line that is not a valid event is sent as well and becomes a dead letter, with its bytes and the reason. Uses the
/// running server of this configuration; without one, runs a broker and an archiver until everything is archived.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` reads standard input
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// The lines by their outcome.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
struct Summary {
    /// Valid events.
    events: u64,
    /// Invalid lines, which became dead letters.
    dead_letters: u64,
    /// Lines larger than `gateway.max_event_bytes`. Not archived.
    too_large: u64,
    /// Bytes of all lines that were sent.
    bytes: u64,
    /// From the first line until all were archived.
    seconds: f64,
    /// Events and dead letters archived a second.
    events_per_second: f64,
    /// Numbers and reasons of the first invalid lines.
    examples: Vec<Example>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Example {
    line: u64,
    reason: String,
}

impl Import {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        // Before anything is started: a wrong file name is the most common mistake.
        let lines = Lines::open(&self.file, settings.config.gateway.max_event_bytes)?;
        let summary = block_on(import(&settings, &session.bars, lines))?;
        if self.json {
            print_json(&summary)?;
        } else {
            print(&describe(&summary))?;
        }
        if summary.too_large > 0 {
            bail!(
                "{} larger than gateway.max_event_bytes and not imported",
                counted(summary.too_large, "line is", "lines are")
            );
        }
        Ok(Outcome::Success)
    }
}

fn describe(summary: &Summary) -> String {
    let mut text = format!(
        "Archived {} and {} in {}",
        counted(summary.events, "event", "events"),
        counted(summary.dead_letters, "dead letter", "dead letters"),
        duration(summary.seconds)
    );
    // For a few events, most of the time is the wait for the next flush.
    if summary.events_per_second >= 100.0 {
        text.push_str(&format!(" ({} a second)", count(summary.events_per_second as u64)));
    }
    text.push_str(".\n");
    if summary.dead_letters > 0 {
        text.push_str("Dead letters are lines that are not valid events; their bytes are archived unchanged:\n");
        for Example { line, reason } in &summary.examples {
            text.push_str(&format!("  line {line}: {reason}\n"));
        }
        let more = summary.dead_letters.saturating_sub(summary.examples.len() as u64);
        if more > 0 {
            text.push_str(&format!("  and {} more; see archive.dead_letters\n", count(more)));
        }
    }
    text
}

async fn import(settings: &Settings, bars: &Bars, lines: Lines) -> anyhow::Result<Summary> {
    let archive = archive::open(settings)?;
    let job = Job::start(settings, bars, &archive, false).await?;
    let kafka = job.kafka.clone();
    let begun = Instant::now();
    let stopped = job
        .run(async {
            let (mut summary, report) = publish(&kafka, bars, lines).await?;
            wait_until_archived(&archive, &report, bars).await?;
            summary.seconds = begun.elapsed().as_secs_f64();
            let all = summary.events + summary.dead_letters;
            summary.events_per_second = all as f64 / summary.seconds.max(0.001);
            Ok(summary)
        })
        .await?;
    done(stopped)
}

/// Sends all lines to Kafka. Returns when Kafka has acknowledged them.
async fn publish(kafka: &KafkaSettings, bars: &Bars, mut lines: Lines) -> anyhow::Result<(Summary, BulkReport)> {
    let producer = KafkaProducer::new(kafka).context("prepare the Kafka producer")?;
    let bulk = producer.bulk(MAX_IN_FLIGHT);
    let progress = lines.size().map(|size| bars.of_bytes(size, "sending"));
    let counter = if progress.is_none() { Some(bars.open_ended("sending", "lines")) } else { None };
    let mut sender = LineSender { bulk, kafka, decoder: Decoder::default(), summary: Summary::default() };
    while let Some(batch) = lines.next().await? {
        let read = batch.bytes;
        for Line { number, text } in batch.lines {
            match text {
                Some(text) => sender.send(number, &text).await?,
                None => {
                    sender.summary.too_large += 1;
                    tracing::warn!(line = number, "skipped a line that is larger than gateway.max_event_bytes");
                }
            }
        }
        if let Some(progress) = &progress {
            progress.add(read);
        }
        if let Some(counter) = &counter {
            counter.set(sender.summary.events + sender.summary.dead_letters);
        }
    }
    let report = sender.bulk.finish().await.context("send to Kafka")?;
    Ok((sender.summary, report))
}

/// Sends lines to Kafka and counts them.
struct LineSender<'k> {
    bulk: BulkPublisher,
    kafka: &'k KafkaSettings,
    decoder: Decoder,
    summary: Summary,
}

impl LineSender<'_> {
    async fn send(&mut self, number: u64, line: &[u8]) -> anyhow::Result<()> {
        let Self { bulk, kafka, decoder, summary } = self;
        let decoded = decoder.structured(line).and_then(|event| Ok((is_chunk(&event)?, event)));
        let sent = match decoded {
            Ok((true, event)) => {
                let headers = event_headers(&event);
                let headers: Vec<(&str, &[u8])> =
                    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
                let value = event.data_bytes().unwrap_or_default();
                let record =
                    Record { topic: &kafka.recordings_topic, key: event.subject.as_bytes(), value, headers: &headers };
                summary.events += 1;
                bulk.send(record).await
            }
            Ok((false, event)) => {
                summary.events += 1;
                let sent = bulk.send(structured(kafka, event.subject.as_bytes(), line)).await;
                decoder.recycle(event);
                sent
            }
            Err(error) => {
                summary.dead_letters += 1;
                if summary.examples.len() < MAX_EXAMPLES {
                    summary.examples.push(Example { line: number, reason: error.to_string() });
                }
                // The session of an invalid line is unknown, so it has no order to keep. Any key will do.
                bulk.send(structured(kafka, number.to_string().as_bytes(), line)).await
            }
        };
        summary.bytes += line.len() as u64;
        match sent {
            Err(PublishError::TooLarge) => bail!("line {number}: {}", PublishError::TooLarge),
            sent => sent.context("send to Kafka"),
        }
    }
}

fn structured<'r>(kafka: &'r KafkaSettings, key: &'r [u8], value: &'r [u8]) -> Record<'r> {
    const HEADERS: &[(&str, &[u8])] = &[("content-type", holdfast_events::STRUCTURED_MEDIA_TYPE.as_bytes())];
    Record { topic: &kafka.events_topic, key, value, headers: HEADERS }
}

/// Whether an event is a recording chunk, which belongs into the topic of recordings. The error is that of a chunk which
/// the archiver refuses.
fn is_chunk(event: &holdfast_events::Event<'_>) -> Result<bool, DecodeError> {
    Ok(event.type_ == CHUNK_TYPE && Chunk::of(event)?.is_some())
}

/// The attributes of an event as the headers of Kafka's binary mode.
fn event_headers(event: &holdfast_events::Event<'_>) -> Vec<(String, String)> {
    let mut headers = vec![("ce_specversion".to_owned(), "1.0".to_owned())];
    headers.extend(event.attributes().into_iter().map(|(name, value)| {
        // The CloudEvents binding for Kafka maps `datacontenttype` to the header `content-type` (section 3.2.1).
        let name = if name == "datacontenttype" { "content-type".to_owned() } else { format!("ce_{name}") };
        (name, value.into_owned())
    }));
    headers
}

/// Waits until the archive has every message of `report`.
pub(super) async fn wait_until_archived(archive: &Archive, report: &BulkReport, bars: &Bars) -> anyhow::Result<()> {
    let log = archive.table(Table::Events);
    let mut least = (u64::MAX, Instant::now());
    let mut bar: Option<(u64, Progress)> = None;
    archiver::wait_until_archived(&log, &report.next_offsets, |missing| {
        let (total, bar) = bar.get_or_insert_with(|| (missing, bars.of(missing, "archiving", "events")));
        bar.set(total.saturating_sub(missing));
        if missing < least.0 {
            least = (missing, Instant::now());
        } else if missing > 0 && least.1.elapsed() > STALL_TIMEOUT {
            least.1 = Instant::now();
            tracing::warn!(missing, "nothing was archived for 30 s; does an archiver run, and does it log errors?");
        }
    })
    .await
    .context("wait until everything is archived")
}
