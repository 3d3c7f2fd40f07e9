//! Every report in Holdfast and in DuckDB, and single sessions in Holdfast.

use super::duckdb::DuckDb;
use super::limits::{MEMORY, RUNS};
use super::{session, statement};
use crate::{process, prove};
use anyhow::{Context, bail};
use datafusion::common::ScalarValue;
use holdfast_archive::Table;
use holdfast_query::Session;
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Sessions that are read one by one.
const LOOKUPS: usize = 50;
/// One session's chat.
const CHAT: &str = "SELECT time, sender, text FROM archive.chat_lines WHERE session = $1 ORDER BY seq";

/// The querying process: runs each report on the archive in `folder`, and in DuckDB on the files in `plain`, and
/// reports. The engines alternate, so that other load on the machine affects both.
pub(crate) async fn child(folder: &Path, plain: &Path, results: &Path, spill: &Path) -> anyhow::Result<()> {
    let (session, footers) = session::open(folder, spill, MEMORY)?;
    let mut duckdb = DuckDb::start(plain)?;
    let mut reports = Map::new();
    for report in holdfast_reports::all() {
        let statement = statement::statement(report)?;
        let file = results.join(format!("{}.parquet", report.name));
        let (mut holdfast_seconds, mut duckdb_seconds) = (Vec::new(), Vec::new());
        let (mut rows, mut first_of_duckdb) = (0, None);
        for run in 0..=RUNS {
            let began = Instant::now();
            let result = session.sql(&statement).await.with_context(|| report.name.to_owned())?;
            let schema = Arc::clone(&result.schema);
            let batches = result.collect().await.with_context(|| report.name.to_owned())?;
            holdfast_seconds.push(began.elapsed().as_secs_f64());
            rows = batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>();
            if run == 0 {
                let mut writer = ArrowWriter::try_new(std::fs::File::create(&file)?, schema, None)?;
                batches.iter().try_for_each(|batch| writer.write(batch))?;
                writer.close()?;
            }
            drop(batches);
            let executed =
                duckdb.execute(&statement, (run == 0).then_some(&file)).with_context(|| report.name.to_owned())?;
            duckdb_seconds.push(executed.seconds);
            first_of_duckdb.get_or_insert(executed);
        }
        let first_of_duckdb = first_of_duckdb.context("no statement was executed")?;
        let best = |times: &[f64]| times[1..].iter().copied().fold(f64::INFINITY, f64::min);
        let figures = json!({
            "rows": rows,
            "first": holdfast_seconds[0],
            "best": best(&holdfast_seconds),
            "duckdb": best(&duckdb_seconds),
            "duckdb_rows": first_of_duckdb.rows,
            "differing": first_of_duckdb.differing,
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
        "sorted": process::child("sort", |command| {
            command.arg("--folder").arg(folder).arg("--spill").arg(spill);
        })?,
    });
    println!("{report}");
    Ok(())
}

/// Reads single sessions, one after the other, from all over the archive.
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
        bail!("there are only {} sessions to read", ids.len());
    }
    let mut report = Map::new();
    for key in ["session", "chat", "chat by parameter", "timeline"] {
        let mut times = Vec::new();
        for id in &ids {
            let began = Instant::now();
            let result = match key {
                "session" => session.sql(&format!("SELECT * FROM archive.sessions WHERE session = '{id}'")).await?,
                "chat" => session.sql(&CHAT.replace("$1", &format!("'{id}'"))).await?,
                "chat by parameter" => session.sql_with(CHAT, vec![ScalarValue::from(id.as_str())]).await?,
                _ => holdfast_query::timeline(session, id).await?,
            };
            let rows: usize = result.collect().await?.iter().map(arrow_array::RecordBatch::num_rows).sum();
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
