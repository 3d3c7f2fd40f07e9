//! `holdfast init`

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Outcome, print, print_json};
use crate::init::{Made, init};

/// Make a configuration, keys and passwords that work as they are. Overwrites nothing.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to make them in; made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Print what was made as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let made = init(&self.dir, chrono::Utc::now())?;
        if self.json {
            print_json(&made)?
        } else {
            print(&describe(&made, &self.dir))?
        }
        Ok(Outcome::Success)
    }
}

fn describe(made: &Made, dir: &Path) -> String {
    let mut text = format!(
        "Made {}\n\n  configuration  {}\n  archive        {}\n  secrets        {} (yours alone)\n\nWho can read:\n",
        dir.display(),
        made.config.display(),
        made.archive.display(),
        made.secrets.display()
    );
    for holder in &made.holders {
        let tiers: Vec<&str> = holder.tiers.iter().map(|tier| tier.as_str()).collect();
        let _ = writeln!(text, "  {:12} {:32} {}", holder.name, tiers.join(", "), holder.recipient);
    }
    let config = if dir == Path::new(".") { String::new() } else { format!(" --config {}", made.config.display()) };
    let _ = write!(
        text,
        "\nPublic key of the log, for whoever will verify it:\n  {}\n\n\
         Next:\n  holdfast serve{config}\n  holdfast sql{config} \"SELECT count(*) FROM archive.events\"\n\n\
         In a real deployment, move {}/*.identity and signing.key away from this machine.\n",
        made.verifier_key,
        made.secrets.display()
    );
    text
}
