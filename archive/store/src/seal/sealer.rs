//! The sealer: reads, merges, puts, locks and commits one group after the other.
//!
//! ```text
//! group ─▶ keys? ─▶ gather ─▶ still live? ─▶ join ─▶ write ─▶ put ─▶ lock ─▶ commit
//!            └ NoKey    └ Unattested, Damaged  └ Damaged                        └ Conflict
//! ```
//!
//! A problem of one group is reported, and the run continues with the others. An error of the store ends the run.

use super::commit::{Commits, Outcome, set_cluster};
use super::history::History;
use super::join::{self, Joined};
use super::merge::{self, Gathered, LeftOut};
use super::outcome::{Progress, Sealed, SkipReason};
use super::plan::{self, Group};
use super::retention::Lock;
use super::settings::SealSettings;
use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{KeyRing, MasterKeyId, Unlocker};
use crate::log::{DataFile, TableLog};
use crate::proof::{file_digests, object_id};
use crate::segment::Partition;
use crate::table::Table;
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::SigningKey;
use holdfast_proof::{FileDigest, Files};
use object_store::path::Path;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Files that one reason lists.
const MAX_LISTED: usize = 10;

/// Seals an archive.
#[derive(Clone)]
pub struct Sealer {
    /// The archive.
    pub archive: Archive,
    /// The public keys, for writing.
    pub ring: Arc<KeyRing>,
    /// The private keys, for reading.
    pub unlocker: Arc<Unlocker>,
    /// Signs the commits.
    pub key: Arc<SigningKey>,
    /// How it is sealed.
    pub settings: SealSettings,
    /// Locks sealed files and their recording objects; `None` locks nothing.
    pub lock: Option<Lock>,
}

impl Sealer {
    /// Seals every date that is closed at `now`; with `everything` also those that are not closed.
    ///
    /// # Errors
    /// When the store or the log cannot be reached. Groups that were sealed before stay sealed. Groups that cannot be
    /// sealed for another reason are named in the outcome.
    pub async fn seal(
        &self,
        now: Timestamp,
        everything: bool,
        progress: impl Fn(Progress),
    ) -> Result<Sealed, ArchiveError> {
        Run::new(self, now).seal(everything, progress).await
    }
}

/// One run of a sealer.
struct Run<'s> {
    sealer: &'s Sealer,
    commits: Commits<'s>,
    now: Timestamp,
    started: Instant,
    sealed: Sealed,
}

/// One group of files, and their attested digests.
struct Work {
    log: TableLog,
    group: Group,
    digests: Arc<HashMap<String, FileDigest>>,
}

impl<'s> Run<'s> {
    fn new(sealer: &'s Sealer, now: Timestamp) -> Self {
        let commits = Commits::new(&sealer.archive, &sealer.key, now);
        Self { sealer, commits, now, started: Instant::now(), sealed: Sealed::default() }
    }

    async fn seal(mut self, everything: bool, progress: impl Fn(Progress)) -> Result<Sealed, ArchiveError> {
        let mut work = Vec::new();
        // Dead letters first: their entries enter the proof log with the next entry of events.
        for log in [self.commits.dead_letters.clone(), self.sealer.archive.table(Table::Events)] {
            work.extend(self.work(log, everything).await?);
        }
        progress(Progress::Rows(work.iter().map(|work| work.group.rows()).sum()));
        for work in work {
            let (table, rows) = (work.log.table(), work.group.rows());
            match self.seal_group(&work).await {
                Err(error @ ArchiveError::Damaged { .. }) => {
                    self.sealed.skip(table, &work.group.partition, SkipReason::Damaged, error.to_string());
                }
                other => other?,
            }
            progress(Progress::Done(rows));
        }
        self.commits.name_dead_letters().await?;
        self.sealed.seconds = self.started.elapsed().as_secs_f64();
        Ok(self.sealed)
    }

    /// The groups to seal in a table.
    async fn work(&self, log: TableLog, everything: bool) -> Result<Vec<Work>, ArchiveError> {
        let snapshot = log.snapshot().await?;
        // A locked file stays until its lock ends, also after it was merged.
        let again = self.sealer.lock.is_none();
        let groups = plan::plan(&snapshot.files, self.now, everything, again, &self.sealer.settings);
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        set_cluster(&log).await?;
        let ids: BTreeSet<&str> = groups.iter().flat_map(|group| &group.files).map(|file| file.id.as_str()).collect();
        let history = History::new(Arc::clone(self.sealer.archive.store()), log.table());
        let digests = Arc::new(history.digests(ids, snapshot.version.map_or(0, |version| version + 1)).await?);
        let work = |group| Work { log: log.clone(), group, digests: Arc::clone(&digests) };
        Ok(groups.into_iter().map(work).collect())
    }

    /// Seals a group: into one file, or several when its rows need too much memory.
    async fn seal_group(&mut self, work: &Work) -> Result<(), ArchiveError> {
        let (table, partition) = (work.log.table(), &work.group.partition);
        if let Some(missing) = self.missing_keys(&work.group.files).await? {
            self.sealed.skip(table, partition, SkipReason::NoKey, missing);
            return Ok(());
        }
        let mut waiting: VecDeque<DataFile> = work.group.files.clone().into();
        let mut left = Vec::new();
        while !waiting.is_empty() {
            let (store, max_memory) = (self.sealer.archive.store(), self.sealer.settings.max_memory);
            let unlocker = &self.sealer.unlocker;
            let gathered = merge::gather(store, unlocker, table, &mut waiting, &work.digests, max_memory).await;
            let outcome = match gathered {
                // Files that another process has sealed may be swept already.
                Err(_) if were_removed(&work.log, waiting.iter()).await? => Outcome::Conflict,
                Err(error) => return Err(error),
                Ok(mut gathered) => {
                    left.append(&mut gathered.left);
                    // Sealed files of which few fill the memory. The others of the group would only be decrypted.
                    if !plan::is_progress(&gathered.files) {
                        break;
                    }
                    self.seal_files(&work.log, partition, gathered).await?
                }
            };
            if let Outcome::Conflict = outcome {
                let why = "another process has sealed or removed some of its files meanwhile".to_owned();
                self.sealed.skip(table, partition, SkipReason::Conflict, why);
                break;
            }
        }
        self.skip_left(table, partition, &left);
        Ok(())
    }

    /// Merges the rows of some files and commits the result.
    async fn seal_files(
        &mut self,
        log: &TableLog,
        partition: &Partition,
        gathered: Gathered,
    ) -> Result<Outcome, ArchiveError> {
        let Gathered { files, mut batches, .. } = gathered;
        // An object that is put and not committed is waste, and may be locked for years.
        if were_removed(log, files.iter()).await? {
            return Ok(Outcome::Conflict);
        }
        let Sealer { archive, ring, unlocker, settings, .. } = self.sealer;
        let joined = match log.table() {
            Table::Events => {
                join::join(archive, ring, unlocker, partition, settings.max_object_bytes, &mut batches).await?
            }
            Table::DeadLetters | Table::Sessions => Joined::default(),
        };
        let segment = merge::write(ring, log.table(), partition, batches).await?;
        log.put(&segment).await?;
        self.retain(&log.path_of(&segment), &joined.objects, partition.date).await?;
        let given_up = joined.given_up.iter().map(|object| object_id(object));
        let remove = files.iter().map(|file| file.id.clone()).chain(given_up).collect();
        let leaf = Files { add: file_digests(std::slice::from_ref(&segment)), remove, objects: joined.digests };
        if let Outcome::Conflict = self.commits.make(log, std::slice::from_ref(&segment), &files, leaf).await? {
            return Ok(Outcome::Conflict);
        }
        let sealed = &mut self.sealed;
        sealed.groups += 1;
        sealed.files_before += files.len() as u64;
        sealed.files_after += 1;
        sealed.rows += segment.rows;
        sealed.bytes_before += files.iter().map(|file| file.size).sum::<u64>();
        sealed.bytes_after += segment.bytes.len() as u64;
        sealed.objects_before += joined.before;
        sealed.objects_after += joined.objects.len() as u64;
        Ok(Outcome::Committed)
    }

    /// Locks a sealed file and the objects that its rows name, if there is a lock and the retain-until date is not
    /// past.
    async fn retain(&self, file: &Path, objects: &[Path], date: i32) -> Result<(), ArchiveError> {
        let Some(lock) = &self.sealer.lock else { return Ok(()) };
        let until = plan::end_of(date).plus_days(lock.days.into());
        if until <= self.now {
            return Ok(());
        }
        for path in std::iter::once(file).chain(objects) {
            lock.retention.retain(path, until).await?;
        }
        Ok(())
    }

    /// A sentence about the keys of a group's date that are not available; `None` if all are.
    async fn missing_keys(&self, files: &[DataFile]) -> Result<Option<String>, ArchiveError> {
        let unlocker = &self.sealer.unlocker;
        unlocker.prepare(files).await?;
        let Some(file) = files.first() else { return Ok(None) };
        let missing: Vec<String> = Tier::ALL
            .into_iter()
            .filter(|tier| !unlocker.can_read(*tier, file))
            .map(|tier| MasterKeyId::of(tier, &file.class, file.date).to_string())
            .collect();
        Ok((!missing.is_empty()).then(|| format!("no key for {}; sealing needs all tiers", missing.join(", "))))
    }

    /// Reports the files that are not merged, by reason.
    fn skip_left(&mut self, table: Table, partition: &Partition, left: &[(DataFile, LeftOut)]) {
        for (kind, reason, what) in [
            (LeftOut::Unattested, SkipReason::Unattested, "are in no entry of the proof log"),
            (LeftOut::NewerColumns, SkipReason::NewerColumns, "have columns that this version does not support"),
        ] {
            let ids: Vec<&str> =
                left.iter().filter(|(_, own)| *own == kind).map(|(file, _)| file.id.as_str()).collect();
            if ids.is_empty() {
                continue;
            }
            let more = if ids.len() > MAX_LISTED { ", and more" } else { "" };
            let names = ids[..ids.len().min(MAX_LISTED)].join(", ");
            self.sealed.skip(table, partition, reason, format!("{} files {what}: {names}{more}", ids.len()));
        }
    }
}

/// Whether one of these files is no longer part of the table.
async fn were_removed(log: &TableLog, mut files: impl Iterator<Item = &DataFile>) -> Result<bool, ArchiveError> {
    let snapshot = log.snapshot().await?;
    let live: HashSet<&str> = snapshot.files.iter().map(|file| file.id.as_str()).collect();
    Ok(files.any(|file| !live.contains(file.id.as_str())))
}
