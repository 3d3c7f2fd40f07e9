//! What a Delta log no longer needs: checkpoints that newer ones have superseded, and of a log that is no evidence the
//! entries before the oldest checkpoint that is kept.
//!
//! ```text
//! entries       0 ... 99 | 100 ... 199 | 200 ... 299 | 300 ...
//! checkpoints         99           199           299
//!                  expired        kept          kept          entries below 199: of `sessions`, expired
//! ```
//!
//! Names follow from versions, so nothing is listed. A checkpoint is superseded when the next one is written. Somebody
//! who began to read it before that has the grace period to end. Who follows the log entry by entry, and finds that the
//! next one is gone, begins again at the newest checkpoint.
//!
//! Of each kind the oldest ones are deleted first, so that what is left after an interruption has no gap.

use crate::error::ArchiveError;
use crate::log::{CHECKPOINT_INTERVAL, hinted_version};
use crate::paths;
use crate::proof::entry::get;
use crate::table::Table;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::ops::Range;

/// Checkpoints that are always kept.
const KEPT: usize = 2;
/// Checkpoints that may be missing one after the other, because they could not be written, before older ones.
const MAX_MISSING: u32 = 8;
/// Entries that one sweep deletes.
const MAX_ENTRIES: u64 = 5_000;

/// What may be deleted, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) checkpoints: Vec<Path>,
    pub(super) entries: Range<u64>,
}

/// What of the log of `table` was superseded at `latest` (milliseconds since 1970) or before.
pub(super) async fn expired(store: &dyn ObjectStore, table: Table, latest: i64) -> Result<Expired, ArchiveError> {
    let mut expired = Expired::default();
    let hint = get(store, &paths::delta_log_hint(table)).await?;
    let Some(newest) = hint.as_deref().and_then(hinted_version) else { return Ok(expired) };
    let Some(at) = written(store, &paths::delta_log_checkpoint(table, newest)).await? else { return Ok(expired) };
    // The oldest checkpoint that is kept, and when it was written. When the one after the current one was written.
    let (mut oldest, mut oldest_at, mut newer_at) = (newest, at, at);
    let (mut version, mut kept, mut missing) = (newest, 1, 0);
    while missing < MAX_MISSING
        && let Some(before) = version.checked_sub(CHECKPOINT_INTERVAL)
    {
        version = before;
        let path = paths::delta_log_checkpoint(table, version);
        let Some(at) = written(store, &path).await? else {
            missing += 1;
            continue;
        };
        missing = 0;
        if kept >= KEPT && newer_at <= latest {
            expired.checkpoints.push(path);
        } else {
            kept += 1;
            (oldest, oldest_at) = (version, at);
        }
        newer_at = at;
    }
    expired.checkpoints.reverse();
    if !table.is_evidence() && kept >= KEPT && oldest_at <= latest {
        let first = first_entry(store, table, oldest).await?;
        expired.entries = first..oldest.min(first + MAX_ENTRIES);
    }
    Ok(expired)
}

/// The first version up to `end` that has an entry. Those after it up to `end` have one too.
async fn first_entry(store: &dyn ObjectStore, table: Table, end: u64) -> Result<u64, ArchiveError> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        match written(store, &paths::delta_log_entry(table, middle)).await? {
            Some(_) => high = middle,
            None => low = middle + 1,
        }
    }
    Ok(low)
}

/// When an object was written, in milliseconds since 1970; `None` if it does not exist.
async fn written(store: &dyn ObjectStore, path: &Path) -> Result<Option<i64>, ArchiveError> {
    match store.head(path).await {
        Ok(object) => Ok(Some(object.last_modified.timestamp_millis())),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(ArchiveError::Store { doing: format!("check for {path}"), source }),
    }
}
