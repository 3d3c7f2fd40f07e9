//! `holdfast config show`

use clap::{Args, Subcommand};

use super::{ConfigArguments, Outcome, print, print_json};
use crate::config::to_annotated_toml;

/// Look at the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Show(Show),
}

/// Print the whole configuration that is in force, every setting explained; secrets never.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigArguments,
    /// As one JSON object instead of commented TOML.
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let Self::Show(show) = self;
        let settings = show.config.load_or_default()?;
        if show.json {
            print_json(&settings.config)?;
        } else {
            print(&to_annotated_toml(&settings))?;
        }
        Ok(Outcome::Success)
    }
}
