//! `holdfast sql`

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use holdfast_query::{QueryError, Request};

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::runtime::block_on;
use super::session_context::Session;
use crate::render::answer::{self, Format, Place};
use crate::render::statement_error::statement_error;
use crate::render::text::counted;
use crate::wiring::job::{Job, done};
use crate::wiring::{archive, query};

/// Query the archive in SQL, with or without a server.
///
/// Tables and views of the schema `archive`: events, sessions, chat_lines, diagnostics, surveys, file_transfers,
/// recordings, duplicates, dead_letters, access_log. `SHOW TABLES` lists them, `DESCRIBE archive.sessions` the columns
/// of one. Columns that your keys do not open are NULL, and a notice on standard error names them. The access is
/// recorded in the archive.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The statement; `-` reads it from standard input
    statement: String,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// The purpose of this access, for its record in the audit trail
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to a file that only you can read (mode 0600), instead of standard output
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
        let executed = statement.clone();
        let rows = block_on(async {
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive, &self.identity)?;
            let job = Job::for_access_records(&settings, &session.bars).await?;
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            let request = Request { statement, purpose: self.purpose, ..Request::default() };
            let answer = async {
                let result = {
                    let _progress = session.bars.open_ended("planning", "");
                    reader.query(request).await?
                };
                result.notices.iter().for_each(|notice| session.remark(&format!("notice: {notice}")));
                let rows = answer::write(result, self.format, &place).await;
                // Closes the reader's connection to Kafka before the broker stops.
                drop(reader);
                rows
            };
            done(job.run(answer).await?)
        });
        let rows = match rows {
            Err(error) => match error.chain().find_map(|cause| cause.downcast_ref::<QueryError>()) {
                Some(refused) => {
                    session.remark(statement_error(&executed, refused).trim_end());
                    return Ok(Outcome::Found);
                }
                None => return Err(error),
            },
            Ok(rows) => rows,
        };
        if let Place::File(path) = &place {
            let rows = counted(rows, "row", "rows");
            session.remark(&format!("Wrote {rows} to {}, not encrypted, readable only by you.", path.display()));
        }
        Ok(Outcome::Success)
    }
}
