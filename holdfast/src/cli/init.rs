//! `holdfast init`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::outcome::Outcome;
use super::output::{print, print_json};
use crate::init::{Created, init};

/// Create a configuration, keys and passwords that work without changes. Overwrites nothing.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to create them in; created if it does not exist.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print what was created as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let created = init(&self.dir, chrono::Utc::now())?;
        if self.json {
            print_json(&created)?
        } else {
            print(&describe(&created, &self.dir))?
        }
        Ok(Outcome::Success)
    }
}

fn describe(created: &Created, dir: &Path) -> String {
    let mut text = format!(
        "Created {}\n\n  configuration  {}\n  archive        {}\n  secrets        {} (readable only by you)\n\nHolders:\n",
        dir.display(),
        created.config.display(),
        created.archive.display(),
        created.secrets.display()
    );
    for holder in &created.holders {
        let tiers: Vec<&str> = holder.tiers.iter().map(|tier| tier.as_str()).collect();
        let _ = writeln!(text, "  {:12} {:32} {}", holder.name, tiers.join(", "), holder.recipient);
    }
    let config = if dir == Path::new(".") { String::new() } else { format!(" --config {}", created.config.display()) };
    let _ = write!(
        text,
        "\nPublic key of the log, for auditors who verify it:\n  {}\n\n\
         Next:\n  holdfast serve{config}\n  holdfast sql{config} \"SELECT count(*) FROM archive.events\"\n\n\
         In a real deployment, move {}/*.identity and signing.key away from this machine.\n",
        created.verifier_key,
        created.secrets.display()
    );
    text
}
