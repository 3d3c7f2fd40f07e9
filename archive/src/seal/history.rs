//! What the entries of a Delta log say of files that are no longer new: what was attested of them, and when they were
//! removed.
//!
//! ```text
//! a file's id has the time at which it was begun ─▶ the first entry that may speak of it ─▶ that one and all that follow
//! ```
//!
//! A log has an entry every few seconds, for years. Entries bear the time at which they were written, so the first one that
//! may matter is found by bisection. An entry that is missing or cannot be read is passed over: the verification tells.

use crate::error::ArchiveError;
use crate::proof::entry::{Entry, read_entry};
use crate::table::Table;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use holdfast_proof::{FileDigest, Leaf};
use object_store::ObjectStore;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Entries that are read at the same time.
const READS: usize = 16;
/// How far the clocks of processes that write to one log may differ.
const SLACK_MILLIS: i64 = 60 * 60 * 1_000;

/// When a file was begun, in milliseconds since 1970, by its id. 0 when the id does not tell.
pub(crate) fn begun(id: &str) -> i64 {
    let id = id.strip_prefix(super::plan::SEALED).unwrap_or(id);
    let time = uuid::Uuid::try_parse(id).ok().and_then(|id| id.get_timestamp());
    time.map_or(0, |time| {
        let (seconds, nanos) = time.to_unix();
        i64::try_from(seconds).unwrap_or(0) * 1_000 + i64::from(nanos / 1_000_000)
    })
}

/// The entries of one Delta log.
#[derive(Debug, Clone)]
pub(crate) struct History {
    store: Arc<dyn ObjectStore>,
    table: Table,
}

impl History {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, table: Table) -> Self {
        Self { store, table }
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// The first of the versions below `end` that may speak of a file that was begun at `begun`.
    pub(crate) async fn first_version(&self, begun: i64, end: u64) -> Result<u64, ArchiveError> {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            // An entry that cannot be read is taken for one that may matter.
            let is_before = self
                .entry(middle)
                .await?
                .and_then(|entry| entry.written)
                .is_some_and(|written| written < begun - SLACK_MILLIS);
            if is_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The entries of these versions, in order.
    pub(crate) fn entries(&self, versions: Range<u64>) -> impl Stream<Item = Result<Entry, ArchiveError>> {
        let history = self.clone();
        stream::iter(versions)
            .map(move |version| {
                let history = history.clone();
                async move { history.entry(version).await }
            })
            .buffered(READS)
            .try_filter_map(|entry| std::future::ready(Ok(entry)))
    }

    /// What was attested of the files with these ids, by the entries below `end`. A file of which nothing was attested is
    /// not among them. Signatures are not looked at, which the verification does.
    pub(crate) async fn digests(
        &self,
        ids: BTreeSet<&str>,
        end: u64,
    ) -> Result<HashMap<String, FileDigest>, ArchiveError> {
        let mut digests = HashMap::new();
        let oldest = ids.iter().map(|id| begun(id)).min().unwrap_or(i64::MAX);
        let first = self.first_version(oldest, end).await?;
        // What a clock that was set back has hidden stands before.
        for versions in [first..end, 0..first] {
            if digests.len() == ids.len() {
                break;
            }
            let mut entries = std::pin::pin!(self.entries(versions));
            while let Some(entry) = entries.try_next().await? {
                for leaf in entry.attestation.iter().flat_map(|attestation| &attestation.leaves) {
                    let Ok(Leaf::Files(files)) = Leaf::parse(leaf) else { continue };
                    let wanted = files.add.into_iter().filter(|file| ids.contains(file.id.as_str()));
                    digests.extend(wanted.map(|file| (file.id.clone(), file)));
                }
            }
        }
        Ok(digests)
    }

    async fn entry(&self, version: u64) -> Result<Option<Entry>, ArchiveError> {
        let bytes = read_entry(self.store.as_ref(), self.table, version).await?;
        Ok(bytes.and_then(|bytes| Entry::parse(version, &bytes).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    #[test]
    fn a_files_id_tells_when_it_was_begun() {
        let id = "0198a0c8-5a00-7000-8000-000000000000";
        assert_eq!(begun(id), 0x0198_a0c8_5a00);
        assert_eq!(begun(&format!("sealed-{id}")), 0x0198_a0c8_5a00);
        assert_eq!(begun("one"), 0);
    }

    #[tokio::test]
    async fn the_first_entry_that_matters_is_found_by_its_time() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let hour = SLACK_MILLIS;
        for version in 0..50u64 {
            let line = format!("{{\"commitInfo\":{{\"timestamp\":{}}}}}\n", version as i64 * hour);
            let path = crate::proof::entry::entry_path(Table::Events, version);
            store.put(&path, line.into()).await.unwrap();
        }
        let history = History::new(store, Table::Events);
        assert_eq!(history.first_version(0, 50).await.unwrap(), 0);
        assert_eq!(history.first_version(20 * hour, 50).await.unwrap(), 19);
        assert_eq!(history.first_version(1_000 * hour, 50).await.unwrap(), 50);
        let versions: Vec<u64> =
            history.entries(47..60).map_ok(|entry| entry.version).try_collect().await.unwrap();
        assert_eq!(versions, [47, 48, 49]);
    }
}
