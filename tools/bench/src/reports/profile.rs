//! Where a statement spends its time and memory.

use super::folders::Folders;
use super::{session, statement};
use std::path::Path;
use std::time::Instant;

/// Executes a report or a statement `times` times, and prints its plan with the measurements of each operator. Below
/// the plan it prints the median time of the executions without them.
pub(crate) async fn profile(folder: &Path, what: &str, times: u32, memory: usize) -> anyhow::Result<()> {
    let folders = Folders::below(folder);
    let (session, _) = session::open(&folders.archive, &folders.spill, memory)?;
    let statement = match holdfast_reports::find(what) {
        Ok(report) => statement::statement(report)?,
        Err(_) => what.to_owned(),
    };
    let mut taken = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        session.sql(&statement).await?.collect().await?;
        taken.push(began.elapsed());
    }
    taken.sort_unstable();
    for batch in session.sql(&format!("EXPLAIN ANALYZE {statement}")).await?.collect().await? {
        let plan = arrow_cast::cast(batch.column(1), &arrow_schema::DataType::Utf8)?;
        for text in arrow_array::cast::as_string_array(&plan).iter().flatten() {
            println!("{text}");
        }
    }
    if let Some(median) = taken.get(taken.len() / 2) {
        println!("{:.1} ms without EXPLAIN ANALYZE", median.as_secs_f64() * 1000.0);
    }
    Ok(())
}
