//! Deletes files that were merged into others, after a grace period in which readers of an older version may still need
//! them.
//!
//! ```text
//! in the store ─ live ─▶ candidates ─▶ removed by an entry before the grace period began?
//!                                         └─▶ objects of its rows, but not of live rows ─▶ delete, then the file
//! ```
//!
//! Invariants:
//! - Nothing that a live file needs is deleted: the live files are those of a version at least as new as the removal,
//!   and only rows of one class and date refer to an object.
//! - Objects are deleted before the file that names them. An interrupted sweep is therefore repeated completely.
//! - A file that no entry removes is not deleted: it may belong to a commit that is about to be made.
//! - What a log no longer needs ([`expire`]) is deleted after the files that its entries remove: then nothing that was
//!   removed is only known from an entry that is gone.
//!
//! The sweeper keeps the version up to which it has read the removals. Its first sweep begins with the first entry that
//! may name the oldest file that is in the store and not live. Without such a file it reads no entry. It reads at most
//! [`MAX_ENTRIES`] entries, because waste of a crash may be years old.

use super::expire;
use super::history::History;
use super::join::{object_path, objects_of};
use crate::error::ArchiveError;
use crate::fetch;
use crate::file_id::begun;
use crate::keys::Unlocker;
use crate::log::DataFile;
use crate::segment::Partition;
use crate::{Archive, Table, paths};
use futures::TryStreamExt;
use holdfast_events::{Tier, Timestamp};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Entries that the first sweep reads.
const MAX_ENTRIES: u64 = 500_000;
/// The least grace period of what belongs to a log. Opening a log takes seconds; this is for a machine that was paused.
const MIN_LOG_GRACE: Duration = Duration::from_secs(60 * 60);

/// Deletes merged files. Keep it between sweeps: it holds the version up to which it has read.
pub struct Sweeper {
    archive: Archive,
    unlocker: Arc<Unlocker>,
    grace: Duration,
    removals: HashMap<&'static str, Removals>,
}

/// The removals of a table, as far as they were read.
#[derive(Debug, Default)]
struct Removals {
    /// The first version that was not read; `None` before the first sweep.
    next: Option<u64>,
    /// Files that were removed and may still exist, with the time of the removal in milliseconds since 1970.
    removed: HashMap<Path, i64>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Data files that were deleted.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Recording objects that were deleted.
    pub objects: u64,
    /// Checkpoints of Delta logs that were deleted, because newer ones have superseded them.
    pub checkpoints: u64,
    /// Entries that were deleted of the log of the sessions, which is no evidence.
    pub entries: u64,
    /// Removed files whose grace period is not over.
    pub waiting: u64,
    /// Files and objects that the store refuses to delete, because they are locked or the permission is missing.
    pub refused: Vec<String>,
    /// Removed files that were kept because no available key decrypts the names of their objects.
    pub no_key: Vec<String>,
}

impl Sweeper {
    /// A sweeper that has read no entry yet.
    pub fn new(archive: Archive, unlocker: Arc<Unlocker>, grace: Duration) -> Self {
        Self { archive, unlocker, grace, removals: HashMap::new() }
    }

    /// Deletes files whose grace period is over at `now`, and the recording objects that only they name.
    ///
    /// # Errors
    /// When the store cannot be reached or a live file cannot be read. Deletions before the error stay.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Swept, ArchiveError> {
        let mut swept = Swept::default();
        for table in [Table::Events, Table::DeadLetters, Table::Sessions] {
            self.sweep_table(table, now, &mut swept).await?;
            self.sweep_log(table, now, &mut swept).await?;
        }
        Ok(swept)
    }

    async fn sweep_table(&mut self, table: Table, now: Timestamp, swept: &mut Swept) -> Result<(), ArchiveError> {
        let log = self.archive.table(table);
        let snapshot = log.snapshot().await?;
        let Some(version) = snapshot.version else { return Ok(()) };
        let live: HashSet<&Path> = snapshot.files.iter().map(|file| &file.path).collect();
        let mut unused = self.data_files(table).await?;
        unused.retain(|path, _| !live.contains(path));
        let removals = self.removals.entry(table.name()).or_default();
        let history = History::new(Arc::clone(self.archive.store()), table);
        read_removals(removals, history, &unused, version + 1).await?;
        removals.removed.retain(|path, _| unused.contains_key(path));

        let latest = before(now, self.grace);
        let due: BTreeSet<Path> =
            removals.removed.iter().filter(|(_, at)| **at <= latest).map(|(path, _)| path.clone()).collect();
        swept.waiting += (removals.removed.len() - due.len()) as u64;
        let mut in_use: BTreeMap<Partition, BTreeSet<String>> = BTreeMap::new();
        for path in due {
            if table == Table::Events && !self.sweep_objects(&path, &snapshot.files, &mut in_use, swept).await? {
                continue;
            }
            if self.delete(&path, swept).await? {
                swept.files += 1;
                swept.bytes += unused.get(&path).copied().unwrap_or(0);
                self.removals.entry(table.name()).or_default().removed.remove(&path);
            }
        }
        Ok(())
    }

    /// Deletes what the log of a table no longer needs.
    async fn sweep_log(&self, table: Table, now: Timestamp, swept: &mut Swept) -> Result<(), ArchiveError> {
        let latest = before(now, self.grace.max(MIN_LOG_GRACE));
        let expired = expire::expired(self.archive.store().as_ref(), table, latest).await?;
        for path in expired.checkpoints {
            if !self.delete(&path, swept).await? {
                return Ok(());
            }
            swept.checkpoints += 1;
        }
        for version in expired.entries {
            if !self.delete(&paths::delta_log_entry(table, version), swept).await? {
                return Ok(());
            }
            swept.entries += 1;
        }
        Ok(())
    }

    /// Deletes the objects that only this removed file names. Returns whether the file itself may be deleted.
    async fn sweep_objects(
        &self,
        path: &Path,
        live: &[DataFile],
        in_use: &mut BTreeMap<Partition, BTreeSet<String>>,
        swept: &mut Swept,
    ) -> Result<bool, ArchiveError> {
        let Some(file) = removed_file(path) else { return Ok(false) };
        self.unlocker.prepare(std::slice::from_ref(&file)).await?;
        if !self.unlocker.can_read(Tier::Operational, &file) {
            swept.no_key.push(path.to_string());
            return Ok(false);
        }
        let own = self.objects(&file).await?;
        if own.is_empty() {
            return Ok(true);
        }
        let partition = Partition { class: file.class.clone(), date: file.date };
        if !in_use.contains_key(&partition) {
            let mut objects = BTreeSet::new();
            for file in live.iter().filter(|file| file.class == partition.class && file.date == partition.date) {
                objects.append(&mut self.objects(file).await?);
            }
            in_use.insert(partition.clone(), objects);
        }
        let mut all = true;
        for object in own.difference(&in_use[&partition]) {
            // Rows are untrusted input to a deletion: only recordings may be deleted because of them.
            let object = object_path(object)?;
            if !object.prefix_matches(&paths::recordings()) {
                continue;
            }
            match self.delete(&object, swept).await? {
                true => swept.objects += 1,
                false => all = false,
            }
        }
        Ok(all)
    }

    /// The objects that the rows of a file name.
    async fn objects(&self, file: &DataFile) -> Result<BTreeSet<String>, ArchiveError> {
        let paths = fetch::columns(self.archive.store(), &self.unlocker, file, &["object_path"]).await?;
        Ok(objects_of(&paths))
    }

    /// Deletes an object. Returns whether it no longer exists; a refusal is reported in `swept`.
    async fn delete(&self, path: &Path, swept: &mut Swept) -> Result<bool, ArchiveError> {
        match self.archive.store().delete(path).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) if is_refusal(&error) => {
                swept.refused.push(path.to_string());
                Ok(false)
            }
            Err(source) => Err(ArchiveError::Store { doing: format!("delete {path}"), source }),
        }
    }

    /// The data files in the store, with their sizes. The log, which has many more objects, is not listed.
    async fn data_files(&self, table: Table) -> Result<BTreeMap<Path, u64>, ArchiveError> {
        let store = self.archive.store();
        let directory = paths::table(table);
        let failed = |source| ArchiveError::Store { doing: format!("list {directory}"), source };
        let folders = store.list_with_delimiter(Some(&directory)).await.map_err(failed)?.common_prefixes;
        let mut files = BTreeMap::new();
        for folder in folders.iter().filter(|folder| folder.filename() != Some("_delta_log")) {
            let listed: Vec<_> = store.list(Some(folder)).try_collect().await.map_err(failed)?;
            files.extend(listed.into_iter().map(|object| (object.location, object.size)));
        }
        Ok(files)
    }
}

/// The time before which something must have been, in milliseconds since 1970, so that its grace period is over.
fn before(now: Timestamp, grace: Duration) -> i64 {
    (now.0 / 1_000).saturating_sub(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX))
}

/// Reads the removals of the entries below `end` that were not read yet.
async fn read_removals(
    removals: &mut Removals,
    history: History,
    candidates: &BTreeMap<Path, u64>,
    end: u64,
) -> Result<(), ArchiveError> {
    let next = match removals.next {
        Some(next) => next,
        None => {
            let ids = candidates.keys().filter_map(|path| path.filename()?.strip_suffix(".parquet"));
            match ids.map(begun).min() {
                Some(oldest) => history.first_version(oldest, end).await?.max(end.saturating_sub(MAX_ENTRIES)),
                None => end,
            }
        }
    };
    let table = history.table();
    let mut entries = std::pin::pin!(history.entries(next..end));
    while let Some(entry) = entries.try_next().await? {
        for removed in entry.removes {
            let Some(at) = removed.removed_at.or(entry.written) else { continue };
            removals.removed.insert(paths::in_table(table, &removed.path), at);
        }
    }
    removals.next = Some(end);
    Ok(())
}

/// The description of a removed file, as far as its path contains it.
fn removed_file(path: &Path) -> Option<DataFile> {
    let mut parts = path.parts().rev();
    let (name, date, class) = (parts.next()?, parts.next()?, parts.next()?);
    let date = Timestamp::parse(&format!("{}T00:00:00Z", date.as_ref().strip_prefix("date=")?)).ok()?;
    Some(DataFile {
        path: path.clone(),
        id: name.as_ref().strip_suffix(".parquet")?.to_owned(),
        class: class.as_ref().strip_prefix("class=")?.to_owned(),
        date: date.days() as i32,
        rows: 0,
        size: 0,
        time: None,
    })
}

/// Whether the store refused the request. The response of S3 to a deletion is a list with a code for each object.
fn is_refusal(error: &object_store::Error) -> bool {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    let text = || {
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            text.push_str(&error.to_string());
            cause = error.source();
        }
        ["AccessDenied", "ObjectLocked", "InvalidRetentionPeriod"].iter().any(|code| text.contains(code))
    };
    matches!(error, PermissionDenied { .. } | Unauthenticated { .. }) || text()
}
