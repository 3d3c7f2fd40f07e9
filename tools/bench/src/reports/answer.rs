//! Holdfast asked: every report, single sessions, and a sort that does not fit into its memory.

use super::duckdb::DuckDb;
use super::{MEMORY, RUNS, SPILL, THREADS};
use crate::{process, prove};
use anyhow::{Context, bail};
use futures::TryStreamExt;
use holdfast_archive::Table;
use holdfast_query::{FooterCache, Session, SessionOptions, Spill};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sessions that are looked up.
const LOOKUPS: usize = 50;

fn session(folder: &Path, spill: &Path, memory: usize) -> anyhow::Result<(Session, Arc<FooterCache>)> {
    let (archive, identities) = prove::open(folder)?;
    let mut options = SessionOptions::new(archive, identities);
    options.memory_limit = memory;
    options.parallelism = THREADS;
    options.spill = Spill::Encrypted { directory: spill.to_owned(), limit: SPILL };
    let footers = Arc::clone(&options.footers);
    Ok((Session::new(options)?, footers))
}

/// The asking process. Asks DuckDB the same of the files in `plain`, in turns, so that whatever else the machine does at a time
/// falls on both.
pub(crate) async fn child(folder: &Path, plain: &Path, answers: &Path, spill: &Path) -> anyhow::Result<()> {
    let (session, footers) = session(folder, spill, MEMORY)?;
    let mut duckdb = DuckDb::start(plain)?;
    let mut reports = Map::new();
    for report in holdfast_reports::all() {
        let statement = super::statement(report)?;
        let file = answers.join(format!("{}.parquet", report.name));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let (mut rows, mut told) = (0, None);
        for run in 0..=RUNS {
            let began = Instant::now();
            let result = session.sql(&statement).await.with_context(|| report.name.to_owned())?;
            let schema = Arc::clone(&result.schema);
            let answer = result.collect().await.with_context(|| report.name.to_owned())?;
            ours.push(began.elapsed().as_secs_f64());
            rows = answer.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>();
            if run == 0 {
                let mut writer = ArrowWriter::try_new(std::fs::File::create(&file)?, schema, None)?;
                answer.iter().try_for_each(|batch| writer.write(batch))?;
                writer.close()?;
            }
            drop(answer);
            let other = duckdb.ask(&statement, (run == 0).then_some(&file)).with_context(|| report.name.to_owned())?;
            theirs.push(other.seconds);
            told.get_or_insert(other);
        }
        let told = told.context("nothing was asked")?;
        let best = |times: &[f64]| times[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let figures = json!({
            "rows": rows,
            "first": ours[0],
            "best": best(&ours),
            "duckdb": best(&theirs),
            "duckdb_rows": told.rows,
            "differing": told.differing,
        });
        reports.insert(report.name.to_owned(), figures);
    }
    drop(duckdb);
    let memory = process::peak_memory()?;
    let lookups = look_up(&session).await?;
    let (archive, _) = prove::open(folder)?;
    let mut files = 0;
    for table in [Table::Events, Table::Sessions] {
        files += archive.table(table).snapshot().await?.files.len();
    }
    let report = json!({
        "reports": reports,
        "lookups": lookups,
        "memory": memory,
        "footers": footers.loads(),
        "footer_bytes": footers.usage().1,
        "files": files,
        "sorted": super::child("sort", |command| {
            command.arg("--folder").arg(folder).arg("--spill").arg(spill);
        })?,
    });
    println!("{report}");
    Ok(())
}

/// Prints the plan of a report or a statement, executed, after it was answered some times. The time of the last answer
/// stands below.
pub(crate) async fn profile(folder: &Path, what: &str, times: u32, memory: usize) -> anyhow::Result<()> {
    let places = super::Places::in_folder(folder);
    let (session, _) = session(&places.archive, &places.spill, memory)?;
    let statement = match holdfast_reports::find(what) {
        Ok(report) => super::statement(report)?,
        Err(_) => what.to_owned(),
    };
    let mut taken = Duration::ZERO;
    for _ in 0..times {
        let began = Instant::now();
        session.sql(&statement).await?.collect().await?;
        taken = began.elapsed();
    }
    for batch in session.sql(&format!("EXPLAIN ANALYZE {statement}")).await?.collect().await? {
        let plan = arrow_cast::cast(batch.column(1), &arrow_schema::DataType::Utf8)?;
        for text in arrow_array::cast::as_string_array(&plan).iter().flatten() {
            println!("{text}");
        }
    }
    println!("{:.1} ms without being watched", taken.as_secs_f64() * 1000.0);
    Ok(())
}

/// Sessions one after the other, spread over all of them.
async fn look_up(session: &Session) -> anyhow::Result<Value> {
    let some =
        format!("SELECT session FROM archive.sessions WHERE chat_lines > 0 ORDER BY md5(session) LIMIT {LOOKUPS}");
    let mut ids = Vec::new();
    for batch in session.sql(&some).await?.collect().await? {
        let column = arrow_cast::cast(batch.column(0), &arrow_schema::DataType::Utf8)?;
        let column = arrow_array::cast::as_string_array(&column);
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    if ids.len() != LOOKUPS {
        bail!("there are only {} sessions to look up", ids.len());
    }
    let mut report = Map::new();
    for key in ["session", "chat", "story"] {
        let mut times = Vec::new();
        for id in &ids {
            let began = Instant::now();
            let answer = match key {
                "session" => session.sql(&format!("SELECT * FROM archive.sessions WHERE session = '{id}'")).await?,
                "chat" => {
                    let chat = "SELECT time, sender, text FROM archive.chat_lines WHERE session =";
                    session.sql(&format!("{chat} '{id}' ORDER BY seq")).await?
                }
                _ => holdfast_query::timeline(session, id).await?,
            };
            let rows: usize = answer.collect().await?.iter().map(arrow_array::RecordBatch::num_rows).sum();
            times.push(began.elapsed().as_secs_f64());
            if rows == 0 {
                bail!("the session {id} was not found in {key}");
            }
        }
        let first = times[0];
        times.sort_by(f64::total_cmp);
        report.insert(
            key.to_owned(),
            json!({ "first": first, "median": times[times.len() / 2], "slowest": times[times.len() - 1] }),
        );
    }
    Ok(report.into())
}

/// The sorting process: all events by their text, which is more than the memory holds, one row after the other out of it.
pub(crate) async fn sort(folder: &Path, spill: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(spill)?;
    let (session, _) = session(folder, spill, MEMORY)?;
    let most = Arc::new(AtomicU64::new(0));
    let watching = tokio::spawn(watch(spill.to_owned(), Arc::clone(&most)));
    let began = Instant::now();
    let mut result = session.sql("SELECT data, time, subject FROM archive.events ORDER BY data, time, subject").await?;
    let mut rows = 0;
    while let Some(batch) = result.batches.try_next().await? {
        rows += batch.num_rows();
    }
    watching.abort();
    let report = json!({
        "rows": rows,
        "wall": began.elapsed().as_secs_f64(),
        "spilled": most.load(Ordering::Relaxed),
        "memory": process::peak_memory()?,
    });
    println!("{report}");
    Ok(())
}

/// Keeps the most bytes that the files of a folder took together. Unlinked files do not count, and none is here.
async fn watch(folder: PathBuf, most: Arc<AtomicU64>) {
    loop {
        // Files vanish while they are counted.
        let sizes = std::fs::read_dir(&folder).into_iter().flatten().flatten().filter_map(|file| file.metadata().ok());
        most.fetch_max(sizes.map(|metadata| metadata.len()).sum(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
