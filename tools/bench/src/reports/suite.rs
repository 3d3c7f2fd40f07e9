//! Fills the archive, runs every report in both engines, and prints the figures.

use super::folders::Folders;
use super::limits::MEMORY;
use super::{clients, duckdb, fill};
use crate::archive;
use crate::figure::figure;
use crate::process::{child, number};
use anyhow::{Context, bail};
use holdfast_ingest::kafka::ensure_topics;
use holdfast_testkit::kafka::{Kafka, Options};
use serde_json::Value;
use std::path::PathBuf;

/// Measures all figures. The archive is in `folder`, or in a temporary one. An archive that exists there is used again.
pub(crate) async fn measure(events: u64, folder: Option<PathBuf>) -> anyhow::Result<()> {
    let kept = folder.is_some();
    let temporary = tempfile::tempdir()?;
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let folders = Folders::below(&folder);
    // A missing tool is reported before the long work.
    duckdb::python()?;
    let kafka = Kafka::start_with(Options { heap_mebibytes: 1024, ..Options::default() })
        .await
        .context("start Apache Kafka (`bash .ci/install` installs it)")?;
    ensure_topics(&archive::settings(kafka.bootstrap(), "bench")).await?;
    if folders.plain.is_dir() {
        println!("(the archive in {} is used again)", folder.display());
    } else {
        create(&folders, kafka.bootstrap(), events).await.context("create the archive")?;
    }

    std::fs::create_dir_all(&folders.results)?;
    let report = child("compare", |command| {
        command.arg("--folder").arg(&folders.archive).arg("--plain").arg(&folders.plain);
        command.arg("--results").arg(&folders.results).arg("--spill").arg(&folders.spill);
    })?;
    print_comparison(&report)?;
    print_lookups(&report)?;
    print_sort(&report)?;
    clients::measure(&folders, kafka.bootstrap()).await?;
    if kept {
        println!("(kept in {})", folder.display());
    }
    Ok(())
}

/// Fills, seals, projects and exports an archive, and prints the figures of each.
async fn create(folders: &Folders, brokers: &str, events: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(&folders.archive)?;
    let count = fill::kafka(brokers, events).await?;
    figure("events", count, "");
    let archived = child("archive", |command| {
        command.args(["--brokers", brokers, "--group", "bench-reports", "--events", &count.to_string()]);
        command.arg("--folder").arg(&folders.archive);
    })?;
    figure("archived", (count as f64 / number(&archived, "cpu")?) as u64, "events/CPU s");
    let sealed = child("seal", |command| _ = command.arg("--folder").arg(&folders.archive))?;
    figure("sealed", (count as f64 / number(&sealed, "cpu")?) as u64, "events/CPU s");
    figure(
        "data files before and after sealing",
        format!("{} to {}", sealed["files_before"], sealed["files_after"]),
        "",
    );
    figure("bytes an event after sealing", format!("{:.1}", number(&sealed, "bytes_after")? / count as f64), "bytes");
    let projected = child("project", |command| _ = command.arg("--folder").arg(&folders.archive))?;
    figure("sessions made out of them", number(&projected, "sessions")? as u64, "");
    figure("sessions: events folded", (count as f64 / number(&projected, "wall")?) as u64, "events/s");
    figure("sessions: peak memory", number(&projected, "memory")? as u64, "MiB");
    let exported = child("export", |command| {
        command.arg("--folder").arg(&folders.archive).arg("--plain").arg(&folders.plain);
    })?;
    figure("plain files for DuckDB", number(&exported, "files")? as u64, "");
    figure("plain bytes of encrypted", format!("{:.3}", number(&exported, "share")?), "");
    Ok(())
}

/// Each report: the time of both engines, and their ratio.
fn print_comparison(comparison: &Value) -> anyhow::Result<()> {
    println!();
    println!("{:<44} {:>8} {:>9} {:>9} {:>9} {:>6}", "report", "rows", "first", "Holdfast", "DuckDB", "ratio");
    let (mut holdfast_total, mut duckdb_total) = (0.0, 0.0);
    let mut differ = Vec::new();
    for report in holdfast_reports::all() {
        let measured = &comparison["reports"][report.name];
        let (holdfast, duckdb) = (number(measured, "best")?, number(measured, "duckdb")?);
        holdfast_total += holdfast;
        duckdb_total += duckdb;
        let ms = |seconds: f64| format!("{:.1} ms", seconds * 1000.0);
        println!(
            "{:<44} {:>8} {:>9} {:>9} {:>9} {:>6.2}",
            report.name,
            number(measured, "rows")? as u64,
            ms(number(measured, "first")?),
            ms(holdfast),
            ms(duckdb),
            holdfast / duckdb
        );
        if measured["rows"] != measured["duckdb_rows"] || number(measured, "differing")? > 0.0 {
            differ.push(format!("{}: {measured}", report.name));
        }
    }
    println!();
    figure("the suite, Holdfast", format!("{holdfast_total:.2}"), "s");
    figure("the suite, DuckDB", format!("{duckdb_total:.2}"), "s");
    figure("the suite, Holdfast against DuckDB", format!("{:.2}", holdfast_total / duckdb_total), "");
    figure("the querying process: peak memory", number(comparison, "memory")? as u64, "MiB");
    if !differ.is_empty() {
        bail!("the results of the two engines differ:\n{}", differ.join("\n"));
    }
    Ok(())
}

/// Single sessions.
fn print_lookups(comparison: &Value) -> anyhow::Result<()> {
    for (name, key) in [
        ("one session out of `sessions`", "session"),
        ("one session's chat", "chat"),
        ("one session's chat, by a parameter", "chat by parameter"),
        ("one session's time line", "timeline"),
    ] {
        let times = &comparison["lookups"][key];
        let ms = |name: &str| Ok::<_, anyhow::Error>(format!("{:.1}", number(times, name)? * 1000.0));
        figure(
            &format!("{name}: first, median, slowest"),
            format!("{} {} {}", ms("first")?, ms("median")?, ms("slowest")?),
            "ms",
        );
    }
    let footers = format!("{} {}", comparison["footers"], comparison["files"]);
    figure("footers read and keys unwrapped, of data files", footers, "");
    figure("footers kept in memory", (number(comparison, "footer_bytes")? / f64::from(1 << 20)) as u64, "MiB");
    Ok(())
}

/// A sort that needs more memory than it may use.
fn print_sort(comparison: &Value) -> anyhow::Result<()> {
    let sorted = &comparison["sorted"];
    figure(
        &format!("sorting all events by text, {} MiB of memory", MEMORY >> 20),
        format!("{:.1}", number(sorted, "wall")?),
        "s",
    );
    figure("sorting: spilled", (number(sorted, "spilled")? / f64::from(1 << 20)) as u64, "MiB");
    figure("sorting: peak memory of its process", number(sorted, "memory")? as u64, "MiB");
    Ok(())
}
