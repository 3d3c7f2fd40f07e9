//! DuckDB asked the same of the same rows. It runs in a Python of its own, as most people run it.

use super::THREADS;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("duckdb.py");

/// The views that the reports ask, each after those that it is made of.
const VIEWS: [(&str, &str); 6] = [
    ("duplicates", include_str!("../../../../query/engine/src/views/duplicates.sql")),
    ("deduplicated_events", include_str!("../../../../query/engine/src/views/deduplicated_events.sql")),
    ("sessions", include_str!("../../../../query/engine/src/views/sessions.sql")),
    ("diagnostics", include_str!("../../../../query/engine/src/views/diagnostics.sql")),
    ("access_log", include_str!("../../../../query/engine/src/views/access_log.sql")),
    ("tickets", include_str!("../../../../query/engine/src/views/tickets.sql")),
];

/// The Python that has DuckDB.
pub(super) fn python() -> anyhow::Result<PathBuf> {
    holdfast_testkit::tools::duckdb().context("DuckDB is what is measured against")
}

/// DuckDB in a process of its own, waiting to be asked.
pub(super) struct DuckDb {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What DuckDB took.
#[derive(Deserialize)]
pub(super) struct Told {
    pub(super) seconds: f64,
    pub(super) rows: usize,
    /// Rows that are not the same in the answer that it was given to compare with.
    #[serde(default)]
    pub(super) differing: usize,
}

impl DuckDb {
    /// Over the files in `plain`.
    pub(super) fn start(plain: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(python()?)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start Python")?;
        let questions = child.stdin.take().context("Python has no input")?;
        let answers = BufReader::new(child.stdout.take().context("Python has no output")?).lines();
        let mut started = Self { child, questions, answers };
        started.say(&json!({ "plain": plain, "threads": THREADS, "views": VIEWS }))?;
        Ok(started)
    }

    /// Asks, and compares with the answer in a Parquet file, if there is one.
    pub(super) fn ask(&mut self, sql: &str, answer: Option<&Path>) -> anyhow::Result<Told> {
        let mut question = json!({ "sql": sql });
        if let Some(answer) = answer {
            question["answer"] = json!(answer);
        }
        self.say(&question)?;
        let Some(line) = self.answers.next() else { bail!("DuckDB ended: {}", self.child.wait()?) };
        serde_json::from_str(&line?).context("read what DuckDB took")
    }

    fn say(&mut self, line: &Value) -> anyhow::Result<()> {
        writeln!(self.questions, "{line}").context("speak to DuckDB")
    }
}
