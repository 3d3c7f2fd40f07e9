//! `holdfast sql`

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{ConfigArguments, Outcome, Session, block_on};
use crate::render::answer::{self, Format, Place};
use crate::render::text::counted;
use crate::wiring::{archive, query};

/// Ask the archive in SQL, with or without a server.
///
/// Tables and views of the schema `archive`: events, sessions, chat_lines, diagnostics, surveys, file_transfers, recordings,
/// repetitions, dead_letters. `SHOW TABLES` lists them, `DESCRIBE archive.sessions` the columns of one. What your keys do not
/// open is NULL and named in a notice on standard error.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The statement; `-` reads it from standard input
    statement: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// How the rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to a file, for your eyes only, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sql {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let statement = if self.statement == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("read the statement from standard input")?;
            text
        } else {
            self.statement
        };
        let place = self.out.map_or(Place::Stdout, Place::File);
        let rows = block_on(async {
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive, &self.identity)?;
            let result = {
                let _progress = session.bars.open_ended("planning", "");
                caller.sql(&statement).await?
            };
            result.notices.iter().for_each(|notice| session.remark(&format!("notice: {notice}")));
            answer::write(result, self.format, &place).await
        })?;
        if let Place::File(path) = &place {
            let rows = counted(rows, "row", "rows");
            session.remark(&format!("Wrote {rows} to {}, not encrypted, for you alone to read.", path.display()));
        }
        Ok(Outcome::Success)
    }
}
