//! The benchmark of questions: the built-in reports over sealed, encrypted events, beside DuckDB on the same rows in plain
//! Parquet.
//!
//! ```text
//! made-up service desk ─▶ Apache Kafka ─▶ archiver ─▶ sealer ─▶ sessions      each in a process of its own
//!                                                       │
//!                      ┌────────────────────────────────┴─ export: the same rows in the same files, unencrypted
//!                      ▼                                ▼
//!                    DuckDB                         Holdfast: reports, one session, a sort that does not fit, 50 clients
//! ```
//!
//! Both have the same threads, and both may keep what they like in memory between statements. Every answer of the one is
//! compared with that of the other, row by row.

mod answer;
mod clients;
mod duckdb;
mod export;
mod fill;
mod serve;

pub(crate) use answer::{child as answer, profile, sort};
pub(crate) use export::child as export;
pub(crate) use fill::project;
pub(crate) use serve::child as serve;

use crate::{archive, figure, process};
use anyhow::{Context, bail};
use holdfast_ingest::kafka::ensure_topics;
use holdfast_reports::{Arguments, Report};
use holdfast_testkit::kafka::{Kafka, Options};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Threads for one statement, in both engines.
const THREADS: usize = 2;
/// How often each report is asked for; the best counts, and the first is printed beside it.
const RUNS: usize = 5;
/// What sorts, joins and groups of all statements together may take.
const MEMORY: usize = 512 << 20;
/// What spilled files may take.
const SPILL: u64 = 16 << 30;

/// The statement of a report as both are asked it: until the end of what was made up, because nothing may depend on now.
fn statement(report: &Report) -> anyhow::Result<String> {
    let mut arguments = Arguments::new();
    if report.parameters.iter().any(|parameter| parameter.name == "to") {
        arguments.set("to", fill::END_TEXT);
    }
    Ok(report.statement(&arguments)?)
}

/// Where everything lies.
struct Places {
    archive: PathBuf,
    plain: PathBuf,
    answers: PathBuf,
    spill: PathBuf,
}

impl Places {
    fn in_folder(folder: &Path) -> Self {
        Self {
            archive: folder.join("archive"),
            plain: folder.join("plain"),
            answers: folder.join("answers"),
            spill: folder.join("spill"),
        }
    }
}

/// Fills an archive in `folder`, or a temporary one, unless there is one already, and measures.
pub(crate) async fn measure(events: u64, folder: Option<PathBuf>) -> anyhow::Result<()> {
    let kept = folder.is_some();
    let temporary = tempfile::tempdir()?;
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let places = Places::in_folder(&folder);
    // What is lacking is said before the long work.
    duckdb::python()?;
    let kafka = Kafka::start_with(Options { heap_mebibytes: 1024, ..Options::default() })
        .await
        .context("start Apache Kafka (`bash .ci/install` installs it)")?;
    ensure_topics(&archive::settings(kafka.bootstrap(), "bench")).await?;
    if places.plain.is_dir() {
        println!("(the archive in {} is used again)", folder.display());
    } else {
        make(&places, kafka.bootstrap(), events).await.context("make the archive")?;
    }

    std::fs::create_dir_all(&places.answers)?;
    let ours = child("answer", |command| {
        command.arg("--folder").arg(&places.archive).arg("--plain").arg(&places.plain);
        command.arg("--answers").arg(&places.answers).arg("--spill").arg(&places.spill);
    })?;
    compared(&ours)?;
    looked_up(&ours)?;
    bounded(&ours)?;
    clients::measure(&places, kafka.bootstrap()).await?;
    if kept {
        println!("(kept in {})", folder.display());
    }
    Ok(())
}

/// Runs this program as another process and reads its report.
fn child(name: &str, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    arguments(&mut command);
    process::report_of(command).with_context(|| name.to_owned())
}

async fn make(places: &Places, brokers: &str, events: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(&places.archive)?;
    let count = fill::kafka(brokers, events).await?;
    figure("events", count, "");
    let archived = child("archive", |command| {
        command.args(["--brokers", brokers, "--group", "bench-reports", "--events", &count.to_string()]);
        command.arg("--folder").arg(&places.archive);
    })?;
    figure("archived", (count as f64 / number(&archived, "cpu")?) as u64, "events/CPU s");
    let sealed = child("seal", |command| _ = command.arg("--folder").arg(&places.archive))?;
    figure("sealed", (count as f64 / number(&sealed, "cpu")?) as u64, "events/CPU s");
    figure(
        "data files before and after sealing",
        format!("{} to {}", sealed["files_before"], sealed["files_after"]),
        "",
    );
    figure("bytes an event after sealing", format!("{:.1}", number(&sealed, "bytes_after")? / count as f64), "bytes");
    let projected = child("project", |command| _ = command.arg("--folder").arg(&places.archive))?;
    figure("sessions made out of them", number(&projected, "sessions")? as u64, "");
    figure("sessions: events folded", (count as f64 / number(&projected, "wall")?) as u64, "events/s");
    figure("sessions: peak memory", number(&projected, "memory")? as u64, "MiB");
    let exported = child("export", |command| {
        command.arg("--folder").arg(&places.archive).arg("--plain").arg(&places.plain);
    })?;
    figure("plain files for DuckDB", number(&exported, "files")? as u64, "");
    figure("plain bytes of encrypted", format!("{:.3}", number(&exported, "share")?), "");
    Ok(())
}

fn number(report: &Value, name: &str) -> anyhow::Result<f64> {
    report[name].as_f64().with_context(|| format!("no {name} in the report"))
}

/// Every report: the time of the one, of the other, and their ratio.
fn compared(ours: &Value) -> anyhow::Result<()> {
    println!();
    println!("{:<44} {:>8} {:>9} {:>9} {:>9} {:>6}", "report", "rows", "first", "Holdfast", "DuckDB", "ratio");
    let (mut sum_of_ours, mut sum_of_theirs) = (0.0, 0.0);
    let mut differ = Vec::new();
    for report in holdfast_reports::all() {
        let told = &ours["reports"][report.name];
        let (mine, other) = (number(told, "best")?, number(told, "duckdb")?);
        sum_of_ours += mine;
        sum_of_theirs += other;
        let ms = |seconds: f64| format!("{:.1} ms", seconds * 1000.0);
        println!(
            "{:<44} {:>8} {:>9} {:>9} {:>9} {:>6.2}",
            report.name,
            number(told, "rows")? as u64,
            ms(number(told, "first")?),
            ms(mine),
            ms(other),
            mine / other
        );
        if told["rows"] != told["duckdb_rows"] || number(told, "differing")? > 0.0 {
            differ.push(format!("{}: {told}", report.name));
        }
    }
    println!();
    figure("the suite, Holdfast", format!("{:.2}", sum_of_ours), "s");
    figure("the suite, DuckDB", format!("{:.2}", sum_of_theirs), "s");
    figure("the suite, Holdfast against DuckDB", format!("{:.2}", sum_of_ours / sum_of_theirs), "");
    figure("the asking process: peak memory", number(ours, "memory")? as u64, "MiB");
    if !differ.is_empty() {
        bail!("the two do not answer the same:\n{}", differ.join("\n"));
    }
    Ok(())
}

/// One session of all.
fn looked_up(ours: &Value) -> anyhow::Result<()> {
    for (name, key) in
        [("one session out of `sessions`", "session"), ("one session's chat", "chat"), ("one session's story", "story")]
    {
        let found = &ours["lookups"][key];
        let ms = |name: &str| Ok::<_, anyhow::Error>(format!("{:.1}", number(found, name)? * 1000.0));
        figure(
            &format!("{name}: first, median, slowest"),
            format!("{} {} {}", ms("first")?, ms("median")?, ms("slowest")?),
            "ms",
        );
    }
    figure("footers read and keys unwrapped, of data files", format!("{} {}", ours["footers"], ours["files"]), "");
    figure("footers kept in memory", (number(ours, "footer_bytes")? / f64::from(1 << 20)) as u64, "MiB");
    Ok(())
}

/// A statement that needs more memory than it may have.
fn bounded(ours: &Value) -> anyhow::Result<()> {
    let sorted = &ours["sorted"];
    figure(
        &format!("sorting all events by text, {} MiB of memory", MEMORY >> 20),
        format!("{:.1}", number(sorted, "wall")?),
        "s",
    );
    figure("sorting: spilled", (number(sorted, "spilled")? / f64::from(1 << 20)) as u64, "MiB");
    figure("sorting: peak memory of its process", number(sorted, "memory")? as u64, "MiB");
    Ok(())
}
