//! `holdfast seal`

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chrono::Utc;
use clap::Args;
use holdfast_archive::seal::{Progress, Sealed, Swept};
use holdfast_events::Timestamp;
use serde::Serialize;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::render::text::{bytes, count};
use crate::wiring::{archive, proof, seal};

/// Merge the many small files of closed dates into few large ones, sorted by session, and join the objects of each
/// recording.
///
/// Rows do not change, and `holdfast verify` reports the same before and after. Deletes files that were merged earlier,
/// after the grace period. Needs the keys of all three tiers. `holdfast serve --roles sealer` does the same on a
/// schedule.
#[derive(Debug, Args)]
pub(crate) struct Seal {
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Seal also the files of today and of dates that have just ended
    #[arg(long)]
    now: bool,
    /// Print the outcome as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Done {
    sealed: Sealed,
    swept: Swept,
}

impl Seal {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let done = block_on(self.seal(&settings, session))?;
        if self.json {
            print_json(&done)?;
        } else {
            print(&done.describe())?;
        }
        Ok(if done.sealed.found_damage() { Outcome::Found } else { Outcome::Success })
    }

    async fn seal(&self, settings: &Settings, session: &Session) -> anyhow::Result<Done> {
        let archive = archive::open(settings)?;
        let (sealer, mut sweeper) = seal::open(settings, &archive, &self.identity)?;
        let bar = Mutex::new(session.bars.open_ended("reading", ""));
        let progress = |step| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            match step {
                Progress::Rows(total) => *bar = session.bars.of(total, "sealing", "rows"),
                Progress::Done(rows) => bar.add(rows),
            }
        };
        let now = Timestamp(Utc::now().timestamp_micros());
        let sealed = sealer.seal(now, self.now, progress).await?;
        // If no server integrates, the checkpoint would not cover what was sealed.
        let mut integrator = proof::integrator(settings, &archive, proof::signing_key(settings)?)?;
        let integrated = integrator.finish(Timestamp(Utc::now().timestamp_micros())).await?;
        for failed in integrated.failed {
            session.remark(&format!("warning: {failed}"));
        }
        let swept = sweeper.sweep(now).await?;
        Ok(Done { sealed, swept })
    }
}

impl Done {
    fn describe(&self) -> String {
        let Self { sealed, swept } = self;
        let mut text = String::new();
        let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<14}{value}\n"));
        if sealed.groups > 0 {
            let per_event = |size: u64| size as f64 / sealed.rows.max(1) as f64;
            line("rows", count(sealed.rows));
            line("files", format!("{} became {}", count(sealed.files_before), count(sealed.files_after)));
            line(
                "bytes",
                format!(
                    "{} became {}: {:.1} bytes an event, before {:.1}",
                    bytes(sealed.bytes_before),
                    bytes(sealed.bytes_after),
                    per_event(sealed.bytes_after),
                    per_event(sealed.bytes_before)
                ),
            );
            if sealed.objects_before > 0 {
                let (before, after) = (count(sealed.objects_before), count(sealed.objects_after));
                line("recordings", format!("{before} objects became {after}"));
            }
            line("took", format!("{:.1} s", sealed.seconds));
        } else {
            line("sealed", "nothing: no closed date has files to seal".to_owned());
        }
        if swept.files > 0 || swept.objects > 0 {
            let (files, objects) = (count(swept.files), count(swept.objects));
            line("deleted", format!("{files} merged files and {objects} joined objects"));
        }
        if swept.waiting > 0 {
            line("waiting", format!("{} merged files are deleted after the grace period", count(swept.waiting)));
        }
        for refused in &swept.refused {
            line("kept", refused.clone());
        }
        for skipped in &sealed.skipped {
            line("not sealed", format!("{} of {}: {}", skipped.table, skipped.date, skipped.why));
        }
        text
    }
}
