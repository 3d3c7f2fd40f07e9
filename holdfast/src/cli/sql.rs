//! `holdfast sql`

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_query::Request;

use super::{ConfigArguments, Outcome, Session, block_on};
use crate::render::answer::{self, Format, Place};
use crate::render::text::counted;
use crate::wiring::job::{Job, done};
use crate::wiring::{archive, query};

/// Ask the archive in SQL, with or without a server.
///
/// Tables and views of the schema `archive`: events, sessions, chat_lines, diagnostics, surveys, file_transfers, recordings,
/// repetitions, dead_letters, access_log. `SHOW TABLES` lists them, `DESCRIBE archive.sessions` the columns of one. What your keys do not
/// open is NULL and named in a notice on standard error. That you looked is an event in the archive.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The statement; `-` reads it from standard input
    statement: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// What it is for; stands in the record of this look
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
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
            let job = Job::for_records(&settings, &session.bars).await?;
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            let request = Request { statement, purpose: self.purpose, ..Request::default() };
            let answer = async {
                let result = {
                    let _progress = session.bars.open_ended("planning", "");
                    reader.query(request).await?
                };
                result.notices.iter().for_each(|notice| session.remark(&format!("notice: {notice}")));
                let rows = answer::write(result, self.format, &place).await;
                // Its connection to Kafka ends before the broker does.
                drop(reader);
                rows
            };
            done(job.run(answer).await?)
        })?;
        if let Place::File(path) = &place {
            let rows = counted(rows, "row", "rows");
            session.remark(&format!("Wrote {rows} to {}, not encrypted, for you alone to read.", path.display()));
        }
        Ok(Outcome::Success)
    }
}
