//! `holdfast sql`
//!
//! ```text
//! STATEMENT, --file, standard input ─▶ script ─┐
//! a terminal ─▶ shell: lines with history ─────┴▶ input: statements and commands ─▶ executor ─▶ output
//!                      └─ completion ◀─ catalog
//! ```
//!
//! `lexer`, `command`, `input`, `completion` and `describe` decide, without input or output of their own.

mod catalog;
mod command;
mod completion;
mod describe;
mod editor;
mod executor;
mod files;
mod help;
mod history;
mod input;
mod lexer;
mod output;
mod script;
mod shell;
mod words;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use self::executor::{Executor, Settings};
use self::history::HistoryFile;
use self::output::Output;
use self::script::Script;
use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::runtime::block_on;
use super::session_context::Session;
use crate::render::answer::Format;
use crate::render::table::Expanded;
use crate::wiring::job::{Job, done};
use crate::wiring::{archive, query};

/// Query the archive in SQL, with or without a server; without a statement, in a shell.
///
/// Tables and views of the schema `archive`: events, sessions, chat_lines, diagnostics, surveys, file_transfers,
/// recordings, duplicates, dead_letters, access_log. `SHOW TABLES` lists them, `DESCRIBE archive.sessions` the columns
/// of one. Columns that your keys do not open are NULL, and a notice on standard error names them. Each access is
/// recorded in the archive.
///
/// Without a statement, in a terminal: a shell with history, completion by TAB, and commands such as `\d`, which `\?`
/// lists. Without a terminal: the statements of standard input, each of which ends with a semicolon.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The statement, or several with semicolons between them; `-` reads them from standard input
    statement: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Execute the statements of a file; `-` is standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "statement")]
    file: Option<PathBuf>,
    /// Execute the statements after one that fails as well; the exit code is 1 nevertheless
    #[arg(long)]
    keep_going: bool,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// The purpose of this access, for its record in the audit trail
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "json")]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Write to a file that only you can read (mode 0600), instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not keep the statements of the shell; a statement that begins with a space is never kept
    #[arg(long)]
    no_history: bool,
    /// Do not show long results with the command in PAGER, which is used in a terminal if it is set
    #[arg(long)]
    no_pager: bool,
}

/// What is executed.
enum Work {
    Text(String),
    Script(Script),
    Shell,
}

impl Sql {
    pub(crate) fn run(mut self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let work = match (self.statement.take(), self.file.take()) {
            (_, Some(path)) => Work::Script(Script::open(&path)?),
            (Some(statement), None) if statement == "-" => Work::Script(Script::open(Path::new("-"))?),
            (Some(statement), None) => Work::Text(statement),
            (None, None) if std::io::stdin().is_terminal() => Work::Shell,
            (None, None) => Work::Script(Script::stdin()),
        };
        let is_shell = matches!(work, Work::Shell);
        block_on(async {
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive, &self.identity)?;
            let job = if is_shell {
                Job::for_shell(&settings, &session.bars).await?
            } else {
                Job::for_access_records(&settings, &session.bars).await?
            };
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            // The executor closes the reader's connection to Kafka before the broker stops.
            let executor = Executor::new(session, reader, self.output(), self.settings(is_shell));
            done(job.run(self.execute(executor, work)).await?)
        })
    }

    fn output(&self) -> Output {
        let format = if self.json { Format::Json } else { self.format };
        let pager = std::env::var("PAGER").ok().filter(|command| !self.no_pager && !command.trim().is_empty());
        Output::new(format, pager)
    }

    fn settings(&self, is_shell: bool) -> Settings {
        Settings {
            purpose: self.purpose.clone(),
            stops_at_error: !is_shell && !self.keep_going,
            is_timed: false,
            expanded: Expanded::Auto,
            is_shell,
        }
    }

    async fn execute(&self, mut executor: Executor<'_>, work: Work) -> anyhow::Result<Outcome> {
        if let Some(path) = &self.out {
            executor.write_to(path.clone())?;
        }
        let is_shell = matches!(work, Work::Shell);
        match work {
            Work::Text(text) => executor.text(&text).await?,
            Work::Script(script) => executor.script(script, 0).await?,
            Work::Shell => {
                let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
                let history = HistoryFile::of_user(variable).filter(|_| !self.no_history);
                shell::run(&mut executor, history).await?;
                executor::Flow::Continue
            }
        };
        if is_shell {
            executor.close()?;
            return Ok(Outcome::Success);
        }
        // A file with a part of the results does not appear.
        if executor.has_stopped() {
            return Ok(Outcome::Found);
        }
        executor.close()?;
        Ok(if executor.has_failed() { Outcome::Found } else { Outcome::Success })
    }
}
