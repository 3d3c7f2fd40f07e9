//! `holdfast demo`
//!
//! ```text
//! init (if DIR is empty) ─▶ the pipeline, or the running server ─▶ counts before
//!   ─▶ generated messages ─▶ Kafka ─▶ archived? ─▶ counts after ─▶ the same as what was generated? ─▶ what to try next
//! ```

mod check;
mod show;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use chrono::Utc;
use clap::Args;
use holdfast_demo::{Message, Options, Summary, Topic, generate};
use holdfast_ingest::kafka::KafkaSettings;
use holdfast_ingest::producer::{BulkReport, KafkaProducer, Record};

use super::arguments::environment;
use super::import::{MAX_IN_FLIGHT, wait_until_archived};
use super::outcome::Outcome;
use super::output::{print, print_json, program};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::{DEFAULT_FILE_NAME, Settings, Sources, load};
use crate::init::init;
use crate::progress::Bars;
use crate::render::text::counted;
use crate::supervise::Stopped;
use crate::wiring::job::Job;
use crate::wiring::{archive, query};

/// Send generated support sessions through Kafka into the encrypted archive, and query them in SQL.
///
/// Creates a configuration with keys in DIR if there is none. Uses the running server of that configuration, or runs
/// one until Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for configuration, keys and archive
    #[arg(long, value_name = "DIR", default_value = "holdfast-demo")]
    dir: PathBuf,
    /// How many sessions to generate
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    sessions: u64,
    /// Seed of the random numbers: the same seed generates the same sessions
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// A WebM file to use as the recordings, instead of generated ones
    #[arg(long, value_name = "FILE.webm")]
    recording: Option<PathBuf>,
    /// Stop when everything is archived, instead of serving until Ctrl-C
    #[arg(long)]
    exit: bool,
    /// Print what was archived as one JSON object
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let recording = match &self.recording {
            Some(path) => Some(std::fs::read(path).with_context(|| format!("read {}", path.display()))?),
            None => None,
        };
        let file = self.dir.join(DEFAULT_FILE_NAME);
        let is_new = !file.exists();
        if is_new {
            init(&self.dir, Utc::now())?;
        }
        let settings = load(&Sources { file: Some(file), environment: environment() })?;
        session.start_quiet_log(&settings);
        if is_new && !self.json {
            print(&format!("Created {} with a configuration and keys.\n", self.dir.display()))?;
        }
        let mut options = Options::new(self.seed, self.sessions, Utc::now().timestamp_micros());
        options.recording_bytes = recording;
        block_on(self.play(&settings, session, options))?;
        Ok(Outcome::Success)
    }

    async fn play(&self, settings: &Settings, session: &Session, options: Options) -> anyhow::Result<()> {
        let archive = archive::open(settings)?;
        let job = Job::start(settings, &session.bars, &archive, !self.exit).await?;
        let (kafka, http, is_attached) = (job.kafka.clone(), job.http, job.is_attached);
        let stopped = job
            .run(async {
                let caller = query::open(settings, archive.clone(), &[])?;
                let before = check::count(&caller).await?;
                let begun = Instant::now();
                let (summary, report) = publish(&kafka, &session.bars, options).await?;
                wait_until_archived(&archive, &report, &session.bars).await?;
                let seconds = begun.elapsed().as_secs_f64();
                let progress = session.bars.open_ended("querying what was archived", "");
                let after = check::count(&caller).await?;
                check::compare(&summary, &before, &after)?;
                let facts = show::facts(&archive, &summary, seconds).await?;
                if self.json {
                    drop(progress);
                    print_json(&facts)?;
                } else {
                    let page = show::page(&caller, &facts, &summary, &self.locations(settings)).await?;
                    drop(progress);
                    print(&page)?;
                }
                if self.exit || is_attached {
                    return Ok(());
                }
                if !self.json
                    && let Some(http) = http
                {
                    print(&show::serving(http, settings))?;
                }
                std::future::pending().await
            })
            .await?;
        match stopped {
            Stopped::JobDone(()) => Ok(()),
            // A signal is how serving ends. It also ends a demo with --exit before its checks, and that is a failure.
            Stopped::Signal(_) if !self.exit => Ok(()),
            Stopped::Signal(signal) => bail!("interrupted by {signal}"),
        }
    }

    fn locations(&self, settings: &Settings) -> show::Locations {
        let config = settings.file.clone().unwrap_or_else(|| self.dir.join(DEFAULT_FILE_NAME));
        show::Locations {
            program: program(),
            config,
            secrets: settings.resolve(&settings.config.keys.identities_dir),
            width: crate::render::answer::terminal_width().or(std::io::stdout().is_terminal().then_some(80)),
            is_coloured: crate::render::answer::colours_wanted(),
        }
    }
}

/// Sends all generated messages to Kafka. Returns when Kafka has acknowledged them.
async fn publish(kafka: &KafkaSettings, bars: &Bars, options: Options) -> anyhow::Result<(Summary, BulkReport)> {
    let producer = KafkaProducer::new(kafka).context("prepare the Kafka producer")?;
    let bulk = producer.bulk(MAX_IN_FLIGHT);
    let progress = bars.open_ended("generating and sending", "messages");
    let mut demo = generate(options);
    for message in demo.by_ref() {
        let Message { topic, key, headers, payload, .. } = &message;
        let topic = match topic {
            Topic::Events => &kafka.events_topic,
            Topic::Recordings => &kafka.recordings_topic,
        };
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        bulk.send(Record { topic, key: key.as_bytes(), value: payload, headers: &headers })
            .await
            .context("send to Kafka")?;
        progress.add(1);
    }
    let report = bulk.finish().await.context("send to Kafka")?;
    let summary = demo.summary().clone();
    if report.acknowledged != summary.messages {
        bail!("Kafka acknowledged {} of {}", report.acknowledged, counted(summary.messages, "message", "messages"));
    }
    Ok((summary, report))
}
