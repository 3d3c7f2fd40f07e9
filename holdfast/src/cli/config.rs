//! `holdfast config show`

use clap::{Args, Subcommand};

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use crate::config::to_annotated_toml;

/// Show the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Show(Show),
}

/// Print the whole configuration in force, with a comment for each setting. Secrets are never printed.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print one JSON object instead of commented TOML.
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
