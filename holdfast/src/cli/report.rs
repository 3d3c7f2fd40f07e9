//! `holdfast report`
//!
//! ```text
//! NAME, --set ... ─▶ holdfast_reports: statement ─▶ the same way as `holdfast sql` ─▶ table, CSV, JSON
//!                                                                                  └▶ all rows ─▶ SVG
//! ```

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use holdfast_query::{Reader, Request};
use holdfast_reports::{Arguments, all, find};
use serde_json::json;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::render::answer::{self, Place};
use crate::wiring::job::{Job, done};
use crate::wiring::{archive, query};

/// Run a built-in report; without a name, list the reports.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The report's name
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// File with an age identity to read with, several times for several [default: *.identity in keys.identities_dir]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// From this date or time on (UTC)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this date or time (UTC)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Portals that match; `%` is any text
    #[arg(long, value_name = "PATTERN")]
    portal: Option<String>,
    /// Agents that match; `%` is any text
    #[arg(long, value_name = "PATTERN")]
    agent: Option<String>,
    /// Customers that match, for the report disclosures; `%` is any text
    #[arg(long, value_name = "PATTERN")]
    customer: Option<String>,
    /// The purpose of this access, for its record in the audit trail
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Any parameter of the report, several times for several
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "json")]
    format: Format,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Write to a file that only you can read (mode 0600), instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
    /// A plot
    Svg,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Report {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let Some(name) = &self.name else {
            list(self.json || self.format == Format::Json)?;
            return Ok(Outcome::Success);
        };
        let report = find(name)?;
        let mut arguments = Arguments::new();
        let named = [
            ("from", &self.from),
            ("to", &self.to),
            ("portal", &self.portal),
            ("agent", &self.agent),
            ("customer", &self.customer),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                arguments.set(name, value);
            }
        }
        for (name, value) in &self.set {
            arguments.set(name, value);
        }
        let statement = report.statement(&arguments)?;

        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        block_on(async {
            let archive = archive::open(&settings)?;
            let caller = query::open(&settings, archive, &self.identity)?;
            let job = Job::for_access_records(&settings, &session.bars).await?;
            let reader = query::local_reader(&settings, caller, &job.kafka)?;
            let answer = async {
                let answered = self.answer(session, report, &arguments, statement, &reader).await;
                // Closes the reader's connection to Kafka before the broker stops.
                drop(reader);
                answered
            };
            done(job.run(answer).await?)
        })?;
        if let Some(path) = &self.out {
            session.remark(&format!("Wrote {}, not encrypted, readable only by you.", path.display()));
        }
        Ok(Outcome::Success)
    }

    async fn answer(
        &self,
        session: &Session,
        report: &holdfast_reports::Report,
        arguments: &Arguments,
        statement: String,
        reader: &Reader,
    ) -> anyhow::Result<()> {
        let result = {
            let _progress = session.bars.open_ended("planning", "");
            reader.query(Request { statement, purpose: self.purpose.clone(), ..Request::default() }).await?
        };
        result.notices.iter().for_each(|notice| session.remark(&format!("notice: {notice}")));
        let format = match (self.json, self.format) {
            (true, _) | (_, Format::Json) => answer::Format::Json,
            (_, Format::Csv) => answer::Format::Csv,
            (_, Format::Table) => answer::Format::Table,
            (_, Format::Svg) => {
                let svg = report.plot(arguments, &result.collect().await?)?;
                return match &self.out {
                    Some(path) => write(path, &svg),
                    None => print(&svg),
                };
            }
        };
        let place = self.out.clone().map_or(Place::Stdout, Place::File);
        answer::write(result, format, &place).await?;
        Ok(())
    }
}

fn list(as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let reports = all().iter().map(|report| {
            let parameters: Vec<_> = report
                .parameters
                .iter()
                .map(|known| json!({"name": known.name, "default": known.default, "description": known.description}))
                .collect();
            json!({"name": report.name, "title": report.title, "description": report.description, "parameters": parameters})
        });
        return print_json(&reports.collect::<Vec<_>>());
    }
    let width = all().iter().map(|report| report.name.len()).max().unwrap_or_default();
    let lines = all().iter().map(|report| format!("{:width$}  {}\n", report.name, report.title));
    print(&lines.collect::<String>())
}

/// Writes a file with mode 0600. The file appears under its name when it is complete.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".holdfast-").tempfile_in(folder).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
