//! `holdfast sessions`

use std::path::PathBuf;

use chrono::Utc;
use clap::{Args, Subcommand};
use holdfast_archive::Table;
use holdfast_events::Timestamp;
use serde::Serialize;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::render::text::{count, counted};
use crate::wiring::{archive, sessions};

/// The table of sessions, which is derived from the events.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    Rebuild(Rebuild),
}

/// Rebuild the table from all events.
///
/// A server with the role query keeps the table up to date. Rebuild it when its files are damaged, or after events were
/// removed for good. Statements and that server can run meanwhile. Needs the keys of all three tiers.
#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in query.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Done {
    events: u64,
    sessions: u64,
    seconds: f64,
}

impl SessionsCommand {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let Self::Rebuild(rebuild) = self;
        let settings = rebuild.config.load()?;
        session.start_quiet_log(&settings);
        let started = std::time::Instant::now();
        let rebuilt = block_on(async {
            let archive = archive::open(&settings)?;
            let mut maintainer = sessions::open(&settings, &archive, &rebuild.identity)?;
            let events = archive.table(Table::Events).snapshot().await?;
            let bar = session.bars.of(events.files.iter().map(|file| file.rows).sum(), "folding", "events");
            let now = Timestamp(Utc::now().timestamp_micros());
            Ok(maintainer.rebuild(now, |events| bar.add(events)).await?)
        })?;
        let done =
            Done { events: rebuilt.events, sessions: rebuilt.sessions, seconds: started.elapsed().as_secs_f64() };
        if rebuild.json {
            print_json(&done)?;
        } else {
            let sessions = counted(done.sessions, "session", "sessions");
            print(&format!("{sessions} from {} events, in {:.1} s\n", count(done.events), done.seconds))?;
        }
        Ok(Outcome::Success)
    }
}
