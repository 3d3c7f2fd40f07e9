//! `holdfast session`
//!
//! ```text
//! archive.sessions ────┐
//! archive.recordings ──┼─▶ Story ─┬▶ tell: text for people
//! all its events ──────┘          └▶ one JSON object
//! archive.events (chunks) ─▶ recording: bytes in order, into a file
//! archive.events (operational columns) ─▶ check ─▶ completeness: what is there, and what is missing
//! ```

mod check;
mod completeness;
mod recording;
mod tell;
mod words;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use holdfast_archive::Archive;
use holdfast_query::{AccessKind, AccessRecord, Reader};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ConfigArguments, Outcome, Session, block_on, print, print_json};
use crate::render::answer;
use crate::wiring::job::{Job, done};
use crate::wiring::query::literal;
use crate::wiring::{archive, query};

/// The whole story of one session, in order.
#[derive(Debug, Args)]
pub(crate) struct Story {
    /// The session's id
    id: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// What it is for; stands in the record of this look
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
    /// Write the bytes of this recording to --out instead
    #[arg(long, value_name = "RECORDING_ID", requires = "out")]
    recording: Option<String>,
    /// File for the recording's bytes, for your eyes only
    #[arg(long, value_name = "FILE", requires = "recording")]
    out: Option<PathBuf>,
    /// Say instead which parts of it are there and which are missing; exit code 1 when one is
    #[arg(long, conflicts_with_all = ["recording", "out"])]
    completeness: bool,
}

/// All that is known of a session.
#[derive(Debug, Serialize)]
struct Told {
    session: String,
    /// The row of `archive.sessions`.
    summary: Row,
    /// The rows of `archive.recordings`.
    recordings: Vec<Row>,
    /// Its events in order, each once. `data` is parsed where it is JSON; the text of a redacted chat line is left out.
    events: Vec<Row>,
    /// Columns that the caller's keys do not open.
    notices: Vec<String>,
}

type Row = Map<String, Value>;

impl Story {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        block_on(async {
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive.clone(), &self.identity)?;
            let job = Job::for_access_records(&settings, &session.bars).await?;
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            let record = async {
                let outcome = self.access(session, &archive, &reader).await;
                // Its connection to Kafka ends before the broker does.
                drop(reader);
                outcome
            };
            done(job.run(record).await?)
        })
    }

    /// Whatever is shown is one look, which is on record before.
    async fn access(&self, session: &Session, archive: &Archive, reader: &Reader) -> anyhow::Result<Outcome> {
        let (kind, statement) = match &self.recording {
            Some(recording) => (AccessKind::Exported, format!("recording {recording} of session {}", self.id)),
            None if self.completeness => (AccessKind::Viewed, format!("completeness of session {}", self.id)),
            None => (AccessKind::Viewed, format!("session {}", self.id)),
        };
        let access = reader.begin(AccessRecord { kind, statement, purpose: self.purpose.clone() }).await?;
        let caller = reader.session();
        let subject = [self.id.as_str()];
        if let (Some(recording), Some(out)) = (&self.recording, &self.out) {
            let written = recording::write(archive, caller, &session.bars, &self.id, recording, out).await?;
            access.end(written.chunks(), written.bytes(), subject).await;
            if self.json { print_json(&written) } else { print(&written.describe(out)) }?;
            return Ok(Outcome::Success);
        }
        if self.completeness {
            let checked = {
                let _progress = session.bars.open_ended("reading", "");
                check::check(archive, caller, &self.id).await?
            };
            access.end(1, 0, subject).await;
            if self.json {
                print_json(&checked)?;
            } else {
                print(&checked.tell(answer::terminal_width(), answer::colours_wanted()))?;
            }
            return Ok(checked.outcome());
        }
        let told = {
            let _progress = session.bars.open_ended("reading", "");
            collect(caller, &self.id).await?
        };
        access.end(told.events.len() as u64, 0, subject).await;
        if self.json {
            print_json(&told)?;
        } else {
            print(&tell::tell(&told, answer::terminal_width(), answer::colours_wanted()))?;
        }
        Ok(Outcome::Success)
    }
}

/// Why nothing can be said.
fn unknown(id: &str) -> anyhow::Error {
    anyhow!("there is no event of a session `{id}` in the archive; `SELECT session FROM archive.sessions` lists them")
}

async fn collect(caller: &holdfast_query::Session, id: &str) -> anyhow::Result<Told> {
    let timeline = holdfast_query::timeline(caller, id).await?;
    let notices = timeline.notices.iter().map(ToString::to_string).collect();
    let mut events = answer::objects(timeline).await?;
    if events.is_empty() {
        return Err(unknown(id));
    }
    events.iter_mut().for_each(words::parse_data);
    words::redact(&mut events);
    let of = |view: &str, order: &str| {
        format!("SELECT * FROM archive.{view} WHERE session = {} ORDER BY {order}", literal(id))
    };
    let summary = answer::objects(caller.sql(&of("sessions", "session")).await?).await?.pop().unwrap_or_default();
    let recordings = answer::objects(caller.sql(&of("recordings", "recording_id")).await?).await?;
    Ok(Told { session: id.to_owned(), summary, recordings, events, notices })
}
