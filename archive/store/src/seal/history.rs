//! The history of files in a Delta log: the attestation of each, and when it was removed.
//!
//! ```text
//! a file's id has the time at which it was begun ─▶ the first entry that may name it ─▶ that one and all that follow
//! ```
//!
//! A log has an entry every few seconds, for years. Entries have the time at which they were written, so the first
//! relevant one is found by binary search. An entry that is missing or cannot be read is skipped: verification reports
//! it.

use crate::error::ArchiveError;
use crate::file_id::begun;
use crate::proof::entry::{Entry, read_entry};
use crate::table::Table;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use holdfast_proof::{FileDigest, Leaf};
use object_store::ObjectStore;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Entries that are read at the same time.
const CONCURRENT_READS: usize = 16;
/// How far the clocks of processes that write to one log may differ.
const MAX_CLOCK_SKEW_MILLIS: i64 = 60 * 60 * 1_000;

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

    /// The first of the versions below `end` whose entry may name a file that was begun at `begun`.
    pub(crate) async fn first_version(&self, begun: i64, end: u64) -> Result<u64, ArchiveError> {
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let is_before = match self.entry(middle).await? {
                Some(entry) => entry.written.is_some_and(|written| written < begun - MAX_CLOCK_SKEW_MILLIS),
                // The beginning of a log that is no evidence may be deleted. In another log, an entry that cannot be
                // read counts as relevant.
                None => !self.table.is_evidence(),
            };
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
            .buffered(CONCURRENT_READS)
            .try_filter_map(|entry| std::future::ready(Ok(entry)))
    }

    /// The attested digests of the files with these ids, from the entries below `end` that add them. Files without
    /// attestation are left out. Signatures are not checked here but by verification.
    pub(crate) async fn digests(
        &self,
        ids: BTreeSet<&str>,
        end: u64,
    ) -> Result<HashMap<String, FileDigest>, ArchiveError> {
        let mut digests = HashMap::new();
        let mut wanted: HashMap<&str, i64> = ids.into_iter().map(|id| (id, begun(id))).collect();
        let mut next = 0;
        while let Some(oldest) = wanted.values().min() {
            next = self.first_version(*oldest, end).await?.max(next);
            if next == end {
                break;
            }
            next = self.take_digests(next..end, true, &mut wanted, &mut digests).await?;
        }
        if !wanted.is_empty() {
            // After a clock was set back, entries before may add newer files.
            self.take_digests(0..end, false, &mut wanted, &mut digests).await?;
        }
        Ok(digests)
    }

    /// Reads entries until all wanted files were found or, with `leaps`, until all that are left were begun much later.
    /// Returns the first version that was not read.
    async fn take_digests(
        &self,
        versions: Range<u64>,
        leaps: bool,
        wanted: &mut HashMap<&str, i64>,
        digests: &mut HashMap<String, FileDigest>,
    ) -> Result<u64, ArchiveError> {
        let end = versions.end;
        let mut entries = std::pin::pin!(self.entries(versions));
        while let Some(entry) = entries.try_next().await? {
            let mut found = false;
            for added in &entry.adds {
                found |= wanted.remove(added.id.as_str()).is_some();
            }
            if found {
                let leaves = entry.attestation.iter().flat_map(|attestation| &attestation.leaves);
                for leaf in leaves.filter_map(|leaf| Leaf::parse(leaf).ok()) {
                    let Leaf::Files(files) = leaf else { continue };
                    digests.extend(files.add.into_iter().map(|file| (file.id.clone(), file)));
                }
            }
            let written = entry.written.unwrap_or(i64::MAX);
            let is_far = |begun: &i64| *begun - 2 * MAX_CLOCK_SKEW_MILLIS > written;
            if wanted.is_empty() || (leaps && wanted.values().all(is_far)) {
                return Ok(entry.version + 1);
            }
        }
        Ok(end)
    }

    /// One entry. `None` if it is missing or cannot be read.
    pub(crate) async fn entry(&self, version: u64) -> Result<Option<Entry>, ArchiveError> {
        let bytes = read_entry(self.store.as_ref(), self.table, version).await?;
        Ok(bytes.and_then(|bytes| Entry::parse(version, &bytes).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn the_first_relevant_entry_is_found_by_its_time() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let hour = MAX_CLOCK_SKEW_MILLIS;
        for version in 0..50u64 {
            let line = format!("{{\"commitInfo\":{{\"timestamp\":{}}}}}\n", version as i64 * hour);
            let path = crate::paths::delta_log_entry(Table::Events, version);
            store.put(&path, line.into()).await.unwrap();
        }
        let history = History::new(store, Table::Events);
        assert_eq!(history.first_version(0, 50).await.unwrap(), 0);
        assert_eq!(history.first_version(20 * hour, 50).await.unwrap(), 19);
        assert_eq!(history.first_version(1_000 * hour, 50).await.unwrap(), 50);
        let versions: Vec<u64> = history.entries(47..60).map_ok(|entry| entry.version).try_collect().await.unwrap();
        assert_eq!(versions, [47, 48, 49]);
    }

    #[tokio::test]
    async fn the_beginning_of_a_log_that_is_trimmed_is_before_everything() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let hour = MAX_CLOCK_SKEW_MILLIS;
        for table in [Table::Events, Table::Sessions] {
            for version in 20..50u64 {
                let line = format!("{{\"commitInfo\":{{\"timestamp\":{}}}}}\n", version as i64 * hour);
                store.put(&crate::paths::delta_log_entry(table, version), line.into()).await.unwrap();
            }
        }
        let first =
            async |table, begun| History::new(Arc::clone(&store), table).first_version(begun, 50).await.unwrap();
        assert_eq!((first(Table::Sessions, 0).await, first(Table::Sessions, 30 * hour).await), (20, 29));
        // In a log that is evidence, what is missing may be what is sought.
        assert_eq!(first(Table::Events, 0).await, 0);
    }

    /// A UUID of version 7 of that time.
    fn id(millis: i64) -> String {
        let hex = format!("{millis:012x}");
        format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..])
    }

    #[tokio::test]
    async fn digests_are_found_across_gaps_of_time_and_after_clocks_were_set_back() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let hour = MAX_CLOCK_SKEW_MILLIS;
        // Hours of the entries, and of the begin of their files: the fourth by a clock that was far ahead.
        let entries = [(1_000, 1_000), (1_001, 1_001), (5_000, 4_999), (5_001, 9_000), (9_000, 8_999)];
        for (version, (written, begun)) in entries.into_iter().enumerate() {
            let id = id(begun * hour);
            let add = serde_json::json!({ "add": {
                "path": format!("class=c/date=2026-01-01/{id}.parquet"), "size": 1, "stats": "{\"numRecords\":1}",
                "partitionValues": { "class": "c", "date": "2026-01-01" },
            }});
            let leaf = format!(
                "{{\"leaf\":\"files\",\"add\":[{{\"id\":\"{id}\",\"size\":1,\"sha256\":\"{}\"}}]}}",
                holdfast_proof::Digest32([0; 32])
            );
            let info = serde_json::json!({ "commitInfo": {
                "timestamp": written * hour, "holdfastProof": { "leaves": [leaf], "note": "" },
            }});
            let path = crate::paths::delta_log_entry(Table::Events, version as u64);
            store.put(&path, format!("{add}\n{info}\n").into()).await.unwrap();
        }
        let history = History::new(store, Table::Events);
        let ids: Vec<String> = entries.iter().map(|(_, begun)| id(begun * hour)).collect();
        for wanted in [&ids[..], &ids[..1], &ids[3..], &ids[4..]] {
            let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
            let found = history.digests(wanted.clone(), 5).await.unwrap();
            assert!(wanted.iter().all(|id| found.contains_key(*id)), "{wanted:?}");
        }
        let unknown = id(1_002 * hour);
        assert!(!history.digests(BTreeSet::from([unknown.as_str()]), 5).await.unwrap().contains_key(&unknown));
    }
}
