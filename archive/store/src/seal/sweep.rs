//! Files that were merged into others, after the time of grace in which readers of an older version may still want them.
//!
//! ```text
//! in the store ─ live ─▶ candidates ─▶ removed by an entry longer than the grace ago?
//!                                         └─▶ objects of its rows ─ objects of live rows ─▶ delete those, then the file
//! ```
//!
//! Invariants:
//! - Nothing is deleted that a live file needs: the live files are those of a version that is as new as the removal, and an
//!   object is referred to by rows of one class and date alone.
//! - Objects first, then the file that names them, so that a sweep that was broken off is repeated and nothing is forgotten.
//! - What no entry removes is left alone: it may belong to a commit that is about to be made.
//!
//! Whoever sweeps remembers up to which entry it has looked for removals. At its start it begins with the first entry that
//! may speak of the oldest file that is in the store and not live; when there is no such file, no entry is read at all. It
//! goes back by [`MOST_ENTRIES`] at the most, for the sake of waste that a crash has left years ago.

use super::history::{History, begun};
use super::join::{object_path, objects_of};
use crate::error::ArchiveError;
use crate::fetch;
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

/// Entries that are looked through at the start.
const MOST_ENTRIES: u64 = 500_000;

/// Deletes what was merged. Keep it between sweeps: it remembers how far it has looked.
pub struct Sweeper {
    archive: Archive,
    unlocker: Arc<Unlocker>,
    grace: Duration,
    known: HashMap<&'static str, Known>,
}

/// What is known of the removals of a table.
#[derive(Debug, Default)]
struct Known {
    /// The first entry that was not looked at; `None` before the first look.
    next: Option<u64>,
    /// Files that were removed and may still be there, with the time in milliseconds.
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
    /// Removed files whose time of grace is not over.
    pub waiting: u64,
    /// Files and objects that the store refuses to delete, because they are locked or we may not.
    pub refused: Vec<String>,
    /// Removed files that stay, because no key at hand tells which objects belong to them.
    pub closed: Vec<String>,
}

impl Sweeper {
    /// Nothing is remembered yet.
    pub fn new(archive: Archive, unlocker: Arc<Unlocker>, grace: Duration) -> Self {
        Self { archive, unlocker, grace, known: HashMap::new() }
    }

    /// Deletes what was removed long enough before `now`.
    ///
    /// # Errors
    /// When the store cannot be reached or a live file cannot be read. What was done stays done.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Swept, ArchiveError> {
        let mut swept = Swept::default();
        for table in [Table::Events, Table::DeadLetters, Table::Sessions] {
            self.sweep_table(table, now, &mut swept).await?;
        }
        Ok(swept)
    }

    async fn sweep_table(&mut self, table: Table, now: Timestamp, swept: &mut Swept) -> Result<(), ArchiveError> {
        let log = self.archive.table(table);
        let snapshot = log.snapshot().await?;
        let Some(version) = snapshot.version else { return Ok(()) };
        let live: HashSet<&Path> = snapshot.files.iter().map(|file| &file.path).collect();
        let mut there = self.data_files(table).await?;
        there.retain(|path, _| !live.contains(path));
        let known = self.known.entry(table.name()).or_default();
        learn(known, History::new(Arc::clone(self.archive.store()), table), &there, version + 1).await?;
        known.removed.retain(|path, _| there.contains_key(path));

        let latest = now.0 / 1_000 - i64::try_from(self.grace.as_millis()).unwrap_or(i64::MAX);
        let due: BTreeSet<Path> =
            known.removed.iter().filter(|(_, at)| **at <= latest).map(|(path, _)| path.clone()).collect();
        swept.waiting += (known.removed.len() - due.len()) as u64;
        let mut in_use: BTreeMap<Partition, BTreeSet<String>> = BTreeMap::new();
        for path in due {
            if table == Table::Events && !self.sweep_objects(&path, &snapshot.files, &mut in_use, swept).await? {
                continue;
            }
            if self.delete(&path, swept).await? {
                swept.files += 1;
                swept.bytes += there.get(&path).copied().unwrap_or(0);
                self.known.entry(table.name()).or_default().removed.remove(&path);
            }
        }
        Ok(())
    }

    /// Deletes the objects that only this removed file refers to. Returns whether the file itself may go.
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
            swept.closed.push(path.to_string());
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
            // Rows are from outside to whoever deletes: nothing but recordings is deleted for their sake.
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

    /// The objects that the rows of a file refer to.
    async fn objects(&self, file: &DataFile) -> Result<BTreeSet<String>, ArchiveError> {
        let paths = fetch::columns(self.archive.store(), &self.unlocker, file, &["object_path"]).await?;
        Ok(objects_of(&paths))
    }

    /// Deletes an object. Returns whether it is gone; a refusal is told.
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

    /// The data files in the store, with their sizes. The log beside them, which has many more objects, is not listed.
    async fn data_files(&self, table: Table) -> Result<BTreeMap<Path, u64>, ArchiveError> {
        let store = self.archive.store();
        let directory = table.directory();
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

/// Takes in the removals of the entries below `end` that were not looked at yet.
async fn learn(
    known: &mut Known,
    history: History,
    candidates: &BTreeMap<Path, u64>,
    end: u64,
) -> Result<(), ArchiveError> {
    let next = match known.next {
        Some(next) => next,
        None => {
            let ids = candidates.keys().filter_map(|path| path.filename()?.strip_suffix(".parquet"));
            match ids.map(begun).min() {
                Some(oldest) => history.first_version(oldest, end).await?.max(end.saturating_sub(MOST_ENTRIES)),
                None => end,
            }
        }
    };
    let directory = history.table().directory();
    let mut entries = std::pin::pin!(history.entries(next..end));
    while let Some(entry) = entries.try_next().await? {
        for removed in entry.removes {
            let Some(at) = removed.removed_at.or(entry.written) else { continue };
            known.removed.insert(Path::from(format!("{directory}/{}", removed.path)), at);
        }
    }
    known.next = Some(end);
    Ok(())
}

/// What a removed file's path tells of it.
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

/// Whether the store understood and will not. S3 answers a deletion with a list that has a code for each object.
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
