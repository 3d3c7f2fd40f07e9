//! DuckDB asked the same of the same rows. It runs in a Python of its own, as most people run it.

use super::{RUNS, THREADS};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("duckdb.py");

/// The views that the reports ask, each after those that it is made of.
const VIEWS: [(&str, &str); 6] = [
    ("repetitions", include_str!("../../../query/src/views/repetitions.sql")),
    ("first_deliveries", include_str!("../../../query/src/views/first_deliveries.sql")),
    ("sessions", include_str!("../../../query/src/views/sessions.sql")),
    ("diagnostics", include_str!("../../../query/src/views/diagnostics.sql")),
    ("access_log", include_str!("../../../query/src/views/access_log.sql")),
    ("tickets", include_str!("../../../query/src/views/tickets.sql")),
];

/// The Python that has DuckDB.
pub(super) fn python() -> anyhow::Result<PathBuf> {
    holdfast_testkit::tools::duckdb().context("DuckDB is what is measured against")
}

/// Asks for every report, and compares with the answers in `answers`.
pub(super) fn measure(python: &Path, plain: &Path, answers: &Path) -> anyhow::Result<Value> {
    let mut reports = Vec::new();
    for report in holdfast_reports::all() {
        reports.push((report.name, super::statement(report)?));
    }
    let task = json!({
        "plain": plain,
        "answers": answers,
        "threads": THREADS,
        "runs": RUNS,
        "views": VIEWS,
        "reports": reports,
    });
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start Python")?;
    child.stdin.take().context("Python has no input")?.write_all(task.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("DuckDB failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("read what DuckDB took")
}
