//! `holdfast session`
//!
//! ```text
//! the access is recorded ─┬▶ timeline: what happened, in order
//!                         ├▶ completeness: which parts are present, and which are missing
//!                         └▶ recording: the bytes of a recording, in order, into a file
//! ```

mod completeness;
mod facts;
mod recording;
mod rows;
mod timeline;
mod wrap;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use holdfast_archive::Archive;
use holdfast_query::{AccessKind, AccessRecord, Reader, Reads};
use holdfast_timeline::Verdict;

use super::{ConfigArguments, Outcome, Session, block_on, print, print_json};
use crate::render::answer;
use crate::wiring::job::{Job, done};
use crate::wiring::{archive, query};

/// The time line of one session, in order.
#[derive(Debug, Args)]
pub(crate) struct SessionCommand {
    /// The session's id
    id: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// The purpose, which is kept in the access record
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
    /// Write the bytes of this recording to --out instead
    #[arg(long, value_name = "RECORDING_ID", requires = "out")]
    recording: Option<String>,
    /// File for the recording's bytes; only its owner may read it
    #[arg(long, value_name = "FILE", requires = "recording")]
    out: Option<PathBuf>,
    /// Report instead which parts of it are present and which are missing; exit code 1 if one is missing or broken
    #[arg(long, conflicts_with_all = ["recording", "out"])]
    completeness: bool,
}

impl SessionCommand {
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

    /// Each call is one access, which is recorded before it is granted.
    async fn access(&self, session: &Session, archive: &Archive, reader: &Reader) -> anyhow::Result<Outcome> {
        let (kind, statement) = match &self.recording {
            Some(recording) => (AccessKind::Exported, format!("recording {recording} of session {}", self.id)),
            None if self.completeness => (AccessKind::Viewed, format!("completeness of session {}", self.id)),
            None => (AccessKind::Viewed, format!("session {}", self.id)),
        };
        let (purpose, reads) = (self.purpose.clone(), Reads::everything_of(&self.id));
        let access = reader.begin(AccessRecord { kind, statement, purpose, reads }).await?;
        let caller = reader.session();
        let subject = [self.id.as_str()];
        if let (Some(recording), Some(out)) = (&self.recording, &self.out) {
            let written = recording::write(archive, caller, &session.bars, &self.id, recording, out).await?;
            access.end(written.chunks(), written.bytes(), subject).await;
            if self.json { print_json(&written) } else { print(&written.describe(out)) }?;
            return Ok(Outcome::Success);
        }
        let (limit, is_coloured) = (answer::terminal_width(), answer::colours_wanted());
        let progress = session.bars.open_ended("reading", "");
        if self.completeness {
            let checked = completeness::check(archive, caller, &self.id).await?.ok_or_else(|| unknown(&self.id))?;
            drop(progress);
            access.end(1, 0, subject).await;
            if self.json { print_json(&checked.json()) } else { print(&checked.text(limit, is_coloured)) }?;
            return Ok(outcome(checked.verdict()));
        }
        let rows = timeline::read(caller, &self.id).await?.ok_or_else(|| unknown(&self.id))?;
        drop(progress);
        access.end(rows.events(), 0, subject).await;
        if self.json { print_json(&rows.into_json()) } else { print(&rows.into_text(limit, is_coloured)?) }?;
        Ok(Outcome::Success)
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Incomplete => Outcome::Found,
        Verdict::Complete | Verdict::Open => Outcome::Success,
    }
}

/// The error for a session without an event that the caller may read.
fn unknown(id: &str) -> anyhow::Error {
    anyhow!("there is no event of a session `{id}` in the archive; `SELECT session FROM archive.sessions` lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_incomplete_session_is_a_finding() {
        assert_eq!(outcome(Verdict::Incomplete), Outcome::Found);
        assert_eq!(outcome(Verdict::Open), Outcome::Success);
        assert_eq!(outcome(Verdict::Complete), Outcome::Success);
    }
}
