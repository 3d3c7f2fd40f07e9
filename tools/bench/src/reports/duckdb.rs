//! DuckDB with the same statements on the same rows. It runs in Python, as most people use it.

use super::limits::THREADS;
use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("duckdb.py");

/// The views that the reports read, each after those that it reads itself.
const VIEWS: [(&str, &str); 6] = [
    ("duplicates", include_str!("../../../../query/engine/src/catalog/views/duplicates.sql")),
    ("deduplicated_events", include_str!("../../../../query/engine/src/catalog/views/deduplicated_events.sql")),
    ("sessions", include_str!("../../../../query/engine/src/catalog/views/sessions.sql")),
    ("diagnostics", include_str!("../../../../query/engine/src/catalog/views/diagnostics.sql")),
    ("access_log", include_str!("../../../../query/engine/src/catalog/views/access_log.sql")),
    ("tickets", include_str!("../../../../query/engine/src/catalog/views/tickets.sql")),
];

/// The Python with DuckDB.
pub(super) fn python() -> anyhow::Result<PathBuf> {
    holdfast_testkit::tools::duckdb().context("the benchmark compares with DuckDB")
}

/// DuckDB in a process of its own, which reads statements from its standard input.
pub(super) struct DuckDb {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// An executed statement.
#[derive(Deserialize)]
pub(super) struct Executed {
    pub(super) seconds: f64,
    pub(super) rows: usize,
    /// Rows that differ from the result that DuckDB compared with.
    #[serde(default)]
    pub(super) differing: usize,
    /// Why a statement of several clients failed.
    #[serde(default)]
    problem: Option<String>,
}

impl DuckDb {
    /// Starts DuckDB with views over the files in `plain`.
    pub(super) fn start(plain: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(python()?)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start Python")?;
        let input = child.stdin.take().context("Python has no input")?;
        let output = BufReader::new(child.stdout.take().context("Python has no output")?).lines();
        let mut started = Self { child, input, output };
        started.send(&json!({ "plain": plain, "threads": THREADS, "views": VIEWS }))?;
        Ok(started)
    }

    /// Executes a statement, and compares with the result in a Parquet file, if there is one.
    pub(super) fn execute(&mut self, sql: &str, expected: Option<&Path>) -> anyhow::Result<Executed> {
        let mut request = json!({ "sql": sql });
        if let Some(expected) = expected {
            request["expected"] = json!(expected);
        }
        self.answer(&request)
    }

    /// The seconds in which all clients execute their statements, each one after the other.
    pub(super) fn execute_at_once(&mut self, clients: &[Vec<String>]) -> anyhow::Result<f64> {
        let executed = self.answer(&json!({ "clients": clients }))?;
        match executed.problem {
            Some(problem) => bail!("DuckDB failed: {problem}"),
            None => Ok(executed.seconds),
        }
    }

    fn answer(&mut self, request: &Value) -> anyhow::Result<Executed> {
        self.send(request)?;
        let Some(line) = self.output.next() else { bail!("DuckDB ended: {}", self.child.wait()?) };
        serde_json::from_str(&line?).context("read the time that DuckDB took")
    }

    fn send(&mut self, line: &Value) -> anyhow::Result<()> {
        writeln!(self.input, "{line}").context("send to DuckDB")
    }
}
