//! A sort that does not fit into its memory.

use super::limits::MEMORY;
use super::session;
use crate::process;
use futures::TryStreamExt;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The sorting process: sorts all events by their text, which do not fit into its memory, and reports.
pub(crate) async fn child(folder: &Path, spill: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(spill)?;
    let (session, _) = session::open(folder, spill, MEMORY)?;
    let max_spilled = Arc::new(AtomicU64::new(0));
    let watching = tokio::spawn(watch_size(spill.to_owned(), Arc::clone(&max_spilled)));
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
        "spilled": max_spilled.load(Ordering::Relaxed),
        "memory": process::peak_memory()?,
    });
    println!("{report}");
    Ok(())
}

/// Keeps the maximum of the total size of the files in a folder. It does not count unlinked files; spilled files are
/// linked.
async fn watch_size(folder: PathBuf, max_bytes: Arc<AtomicU64>) {
    loop {
        // Files may be deleted while they are counted.
        let sizes = std::fs::read_dir(&folder).into_iter().flatten().flatten().filter_map(|file| file.metadata().ok());
        max_bytes.fetch_max(sizes.map(|metadata| metadata.len()).sum(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
