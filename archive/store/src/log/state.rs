//! The state of the log as far as it was read, and its refresh to the newest version.
//!
//! ```text
//! first time   hint ─▶ listing behind it ─▶ checkpoint ─▶ its entry and all that follow ─┐
//!                  damaged? the one before, or no checkpoint ─▶ as many more entries ────┤
//! later        the entry after the last one, and the next, until there is none ──────────┴─▶ files, offsets, commits
//! ```
//!
//! Versions follow on each other without a gap, and an entry is never changed. So a log whose state is known is never
//! listed again: a refresh costs a request or two, however many entries there are, and a commit one more.
//!
//! Invariants:
//! - No entry is skipped from the checkpoint's own entry on. A missing entry is damage. An entry that could not be read
//!   is read again at the next refresh.
//! - The state reflects only entries that are in the log, never a commit that was only tried.
//! - A snapshot that was handed out does not change. The state shares its files until the next change, and copies them
//!   then only if somebody still has the snapshot.

use super::actions::Changes;
use super::checkpoint;
use super::listing::Listing;
use super::snapshot::{DataFile, Snapshot, TopicPartition};
use super::storage::LogStorage;
use crate::error::ArchiveError;
use crate::paths;
use crate::table::Table;
use futures::future::try_join_all;
use object_store::path::Path;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Commit ids that are kept, so that a writer recognises its own commits.
const MAX_COMMIT_IDS: usize = 256;

/// Entries that are read at the same time.
const MAX_READ_AHEAD: u64 = 32;

/// How often the log is listed when something of it is missing, and the pause before each repetition. A folder that is
/// written to while it is listed may show a new entry and not the one before; the next listing shows both.
const MAX_LISTINGS: u32 = 10;
const LISTING_PAUSE: Duration = Duration::from_millis(20);

/// What was read of one log.
#[derive(Debug, Default)]
pub(super) struct LogState {
    snapshot: Arc<Snapshot>,
    /// Where each file is among those of the snapshot.
    places: HashMap<Path, usize>,
    commits: VecDeque<String>,
    /// The cluster that the newest entry names.
    pub(super) cluster: Option<String>,
    /// The cluster that the entries of this writer name.
    pub(super) own_cluster: Option<String>,
}

/// What is missing of a log that was listed: an entry, or a checkpoint.
struct Missing(Path);

impl LogState {
    /// Brings the state up to the log's newest version.
    pub(super) async fn refresh(&mut self, storage: &LogStorage) -> Result<(), ArchiveError> {
        if self.version().is_none() {
            return self.open(storage).await;
        }
        self.read_new(storage).await?;
        // Of a log that is trimmed, entries may be gone that this state has not seen. Then there is a newer checkpoint.
        if !storage.table.is_evidence() && storage.hint().await?.is_some_and(|newest| Some(newest) > self.version()) {
            return self.open(storage).await;
        }
        Ok(())
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.snapshot.version
    }

    /// The version of the next entry.
    pub(super) fn next_version(&self) -> u64 {
        self.version().map_or(0, |version| version + 1)
    }

    /// The table as it was read.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    pub(super) fn offsets(&self) -> &BTreeMap<TopicPartition, i64> {
        &self.snapshot.offsets
    }

    /// Whether the commit is among the newest ones.
    pub(super) fn has_commit(&self, id: &str) -> bool {
        self.commits.iter().any(|known| known == id)
    }

    /// Whether the file is part of the table.
    pub(super) fn has_file(&self, path: &Path) -> bool {
        self.places.contains_key(path)
    }

    /// Reads the log from its newest checkpoint on. The state stays as it is when there is no log, or an error.
    pub(super) async fn open(&mut self, storage: &LogStorage) -> Result<(), ArchiveError> {
        let mut attempt = 1;
        loop {
            match Self::read(storage).await? {
                Ok(None) => return Ok(()),
                Ok(Some(state)) => {
                    *self = Self { own_cluster: self.own_cluster.take(), ..state };
                    return self.read_new(storage).await;
                }
                Err(Missing(path)) if attempt == MAX_LISTINGS => {
                    return Err(ArchiveError::Damaged {
                        what: format!("the Delta log of {}", storage.table.name()),
                        why: format!("{path} is missing"),
                    });
                }
                Err(_) => {
                    attempt += 1;
                    tokio::time::sleep(LISTING_PAUSE).await;
                }
            }
        }
    }

    /// The state as one listing shows it. `None` when there is no log.
    async fn read(storage: &LogStorage) -> Result<Result<Option<Self>, Missing>, ArchiveError> {
        let table = storage.table;
        let hint = storage.hint().await?;
        let mut listing = list(storage, hint).await?;
        let mut is_whole = hint.is_none();
        if !is_whole && listing.checkpoint().is_none() {
            // The hint names a checkpoint that is not there.
            listing = list(storage, None).await?;
            is_whole = true;
        }
        let mut unreadable = None;
        let mut state = loop {
            let Some(version) = listing.checkpoint() else { break Self::default() };
            let error = match Self::at_checkpoint(storage, version).await {
                Ok(Some(state)) => break state,
                Ok(None) => return Ok(Err(Missing(paths::delta_log_checkpoint(table, version)))),
                Err(error @ ArchiveError::Damaged { .. }) => error,
                // A store that does not answer says nothing about the checkpoint.
                Err(error) => return Err(error),
            };
            if !is_whole {
                listing = list(storage, None).await?;
                is_whole = true;
            }
            listing.forget_checkpoint(version);
            unreadable.get_or_insert(error);
        };
        let versions = match listing.versions() {
            Ok(Some(versions)) => versions,
            Ok(None) => return Ok(Ok(None)),
            Err(missing) => {
                // If a checkpoint cannot be read, what would replace it is gone as well.
                return unreadable.map_or_else(|| Ok(Err(Missing(paths::delta_log_entry(table, missing)))), Err);
            }
        };
        // The checkpoint's own entry is read again, because a checkpoint does not keep what the entry says of its
        // commit. Its files and offsets are those of the checkpoint.
        let (mut next, newest) = versions.into_inner();
        while next <= newest {
            let end = newest.min(next + MAX_READ_AHEAD - 1);
            for entry in try_join_all((next..=end).map(|version| storage.entry(version))).await? {
                let Some(entry) = entry else { return Ok(Err(Missing(paths::delta_log_entry(table, next)))) };
                state.apply(next, Changes::of(table, next, &entry)?);
                next += 1;
            }
        }
        if let Some(error) = unreadable {
            Arc::make_mut(&mut state.snapshot).damaged_checkpoint = Some(error.to_string());
            tracing::warn!(
                %error,
                table = table.name(),
                "a checkpoint of the Delta log cannot be read; the log was read from an older one, or from its entries"
            );
        }
        Ok(Ok(Some(state)))
    }

    /// The state that a checkpoint has; `None` if there is no such checkpoint.
    async fn at_checkpoint(storage: &LogStorage, version: u64) -> Result<Option<Self>, ArchiveError> {
        let Some(bytes) = storage.checkpoint(version).await? else { return Ok(None) };
        let checkpoint = checkpoint::read(storage.table, version, bytes)?;
        let mut state = Self::default();
        state.apply(version, Changes { added: checkpoint.files, offsets: checkpoint.offsets, ..Changes::default() });
        Ok(Some(state))
    }

    /// Reads the entries after the newest one that was read.
    async fn read_new(&mut self, storage: &LogStorage) -> Result<(), ArchiveError> {
        let mut count = 1;
        loop {
            let first = self.next_version();
            for entry in try_join_all((first..first + count).map(|version| storage.entry(version))).await? {
                let Some(entry) = entry else { return Ok(()) };
                self.apply_entry(storage.table, &entry)?;
            }
            // A remote store serves many requests as fast as one.
            count = (count * 2).min(MAX_READ_AHEAD);
        }
    }

    /// Applies the next entry.
    pub(super) fn apply_entry(&mut self, table: Table, entry: &[u8]) -> Result<(), ArchiveError> {
        let version = self.next_version();
        self.apply(version, Changes::of(table, version, entry)?);
        Ok(())
    }

    fn apply(&mut self, version: u64, changes: Changes) {
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.version = Some(version);
        snapshot.offsets.extend(changes.offsets);
        if !changes.added.is_empty() || !changes.removed.is_empty() {
            let files = Arc::make_mut(&mut snapshot.files);
            for path in &changes.removed {
                remove(files, &mut self.places, path);
            }
            for file in changes.added {
                match self.places.get(&file.path) {
                    Some(place) => files[*place] = file,
                    None => {
                        self.places.insert(file.path.clone(), files.len());
                        files.push(file);
                    }
                }
            }
        }
        self.cluster = changes.cluster.or_else(|| self.cluster.take());
        if let Some(id) = changes.commit {
            if self.commits.len() == MAX_COMMIT_IDS {
                self.commits.pop_front();
            }
            self.commits.push_back(id);
        }
    }
}

/// What the log has; with a version, from that one on.
async fn list(storage: &LogStorage, from: Option<u64>) -> Result<Listing, ArchiveError> {
    Ok(Listing::of(storage.names(from).await?.iter().map(String::as_str)))
}

/// Removes a file. The last one takes its place.
fn remove(files: &mut Vec<DataFile>, places: &mut HashMap<Path, usize>, path: &Path) {
    let Some(place) = places.remove(path) else { return };
    files.swap_remove(place);
    if let Some(moved) = files.get(place) {
        places.insert(moved.path.clone(), place);
    }
}
