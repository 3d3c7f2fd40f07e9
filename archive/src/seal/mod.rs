//! Sealing: the many small files of a closed date become few large ones, sorted by session and time, and its small recording
//! objects become large ones. Sweeping: what was merged is deleted after a time of grace.
//!
//! ```text
//! snapshot ─▶ plan: groups ─▶ merge: attested? decrypt, sort ─▶ join: recordings ─▶ put ─▶ lock ─▶ one commit, signed
//!                                                                                                    │ removes, adds
//! sweep: removed longer than the grace ago ─▶ delete objects, then files  ◀──────────────────────────┘
//! ```
//!
//! Invariants:
//! - Rows stay what they are. The proof log speaks of records, so what was attested of them goes on to hold, and a
//!   verification before, between and after finds the same.
//! - What is damaged is not sealed: a file must be the one that was attested, a chunk must have the hash of its row.
//! - Readers see the files before or the file after, never both, never neither. A crash leaves objects that nobody names.
//! - Archivers go on committing meanwhile, and several sealers may run: who commits first has sealed, the others give up.
//!
//! Whoever seals has the private keys of all three tiers. That is not the archiver's process, which has none.

mod fetch;
mod history;
mod join;
mod merge;
mod plan;
mod retention;
mod sweep;

pub use retention::{LockMode, Retention, S3Retention};
pub use sweep::{Swept, Sweeper};

use crate::error::{ArchiveError, CommitError};
use crate::keys::{KeyRing, MasterKeyId, Unlocker};
use crate::log::{Change, DataFile, TableLog};
use crate::proof::{Attestation, file_digests};
use crate::segment::{Partition, Segment};
use crate::{Archive, Table};
use history::History;
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::SigningKey;
use holdfast_proof::{Commit, FileDigest, Files, Leaf, Operation};
use join::Joined;
use merge::{Gathered, LeftOut};
use object_store::path::Path;
use plan::Group;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tries of one commit, and the pause before the second. Each further pause is twice as long.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// Files that one reason names singly.
const NAMED: usize = 10;

/// How is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSettings {
    /// A date is closed so long after its end, UTC.
    pub after: Duration,
    /// What was merged is deleted so long afterwards.
    pub grace: Duration,
    /// Rows of a sealed file at the most.
    pub max_rows: u64,
    /// Bytes of the files that become one, as they stand in the store.
    pub max_bytes: u64,
    /// Decrypted bytes of a joined recording object at the most.
    pub max_object_bytes: u64,
    /// Bytes of memory that decrypted rows may take. A group that needs more becomes several files.
    pub max_memory: usize,
}

impl Default for SealSettings {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(60 * 60),
            grace: Duration::from_secs(60 * 60),
            max_rows: 2_000_000,
            max_bytes: 512 << 20,
            max_object_bytes: 256 << 20,
            max_memory: 1 << 30,
        }
    }
}

/// How what is sealed is locked.
#[derive(Debug, Clone)]
pub struct Lock {
    /// What locks.
    pub retention: Arc<dyn Retention>,
    /// Days behind the end of an object's date.
    pub days: u32,
}

/// Seals an archive.
#[derive(Clone)]
pub struct Sealer {
    /// The archive.
    pub archive: Archive,
    /// The public keys, for what is written.
    pub ring: Arc<KeyRing>,
    /// The private keys, for what is read.
    pub unlocker: Arc<Unlocker>,
    /// Signs the commits.
    pub key: Arc<SigningKey>,
    /// How.
    pub settings: SealSettings,
    /// Locks what is sealed; `None` locks nothing.
    pub lock: Option<Lock>,
}

/// How far a sealing is, for people who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many rows are to be sealed.
    Rows(u64),
    /// So many more of them are sealed, or are not going to be.
    Done(u64),
}

/// What was sealed.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Sealed {
    /// Sealed files that were written; each is one commit.
    pub groups: u64,
    /// Files that they took the place of.
    pub files_before: u64,
    /// Sealed files.
    pub files_after: u64,
    /// Their rows.
    pub rows: u64,
    /// Bytes of the data files before.
    pub bytes_before: u64,
    /// Bytes of the data files after.
    pub bytes_after: u64,
    /// Recording objects that their rows pointed to before.
    pub objects_before: u64,
    /// Recording objects that they point to now.
    pub objects_after: u64,
    /// What was not sealed.
    pub skipped: Vec<Skipped>,
    /// How long it took.
    pub seconds: f64,
}

/// Files that were not sealed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// The table.
    pub table: &'static str,
    /// The retention class.
    pub class: String,
    /// The filing date, `YYYY-MM-DD`.
    pub date: String,
    /// What kind of reason it is.
    pub reason: SkipReason,
    /// The reason in a sentence, with the file or the key.
    pub why: String,
}

/// Why files were not sealed. The names stay the same between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// A key is not at hand. Sealing needs all three tiers.
    NoKey,
    /// They have rows from before the proof log.
    BeforeProof,
    /// No entry of the log attests them.
    Unattested,
    /// They have columns that this version does not know.
    NewerColumns,
    /// Somebody else has sealed or removed them meanwhile.
    Gone,
    /// A file or a chunk is not what was archived. Verify the archive.
    Damaged,
}

impl Sealed {
    /// Whether something is damaged.
    pub fn found_damage(&self) -> bool {
        self.skipped.iter().any(|skipped| skipped.reason == SkipReason::Damaged)
    }

    fn skip(&mut self, table: Table, partition: &Partition, reason: SkipReason, why: String) {
        let (class, date) = (partition.class.clone(), partition.date_text());
        self.skipped.push(Skipped { table: table.name(), class, date, reason, why });
    }
}

/// How one file of a group ended.
enum Outcome {
    Sealed,
    Gone,
}

impl Sealer {
    /// Seals every date that is closed at `now`; with `everything` also those that are not.
    ///
    /// # Errors
    /// When the store or the log cannot be reached. What was sealed before stays sealed. What cannot be sealed for another
    /// reason is named in the outcome.
    pub async fn seal(
        &self,
        now: Timestamp,
        everything: bool,
        progress: impl Fn(Progress),
    ) -> Result<Sealed, ArchiveError> {
        let started = Instant::now();
        let mut sealed = Sealed::default();
        let mut work = Vec::new();
        // Dead letters first: their entries enter the proof log with the next entry of events.
        for table in [Table::DeadLetters, Table::Events] {
            let log = self.archive.table(table);
            let snapshot = log.snapshot().await?;
            let groups = plan::plan(&snapshot.files, now, everything, &self.settings);
            work.push((log, snapshot.version.map_or(0, |version| version + 1), groups));
        }
        progress(Progress::Rows(work.iter().flat_map(|(_, _, groups)| groups).map(Group::rows).sum()));
        for (log, end, groups) in work {
            let ids = groups.iter().flat_map(|group| &group.files).map(|file| file.id.as_str()).collect::<BTreeSet<_>>();
            let history = History::new(Arc::clone(self.archive.store()), log.table());
            let digests = if ids.is_empty() { HashMap::new() } else { history.digests(ids, end).await? };
            if !groups.is_empty()
                && let Some(cluster) = log.cluster().await?
            {
                // Who reads the log from this entry on must find there whose offsets it has.
                log.set_cluster(&cluster).await;
            }
            for group in groups {
                let rows = group.rows();
                match self.seal_group(&log, &group, &digests, now, &mut sealed).await {
                    Err(error @ ArchiveError::Damaged { .. }) => {
                        sealed.skip(log.table(), &group.partition, SkipReason::Damaged, error.to_string());
                    }
                    other => other?,
                }
                progress(Progress::Done(rows));
            }
        }
        sealed.seconds = started.elapsed().as_secs_f64();
        Ok(sealed)
    }

    /// Seals a group: into one file, or several when its rows need too much memory.
    async fn seal_group(
        &self,
        log: &TableLog,
        group: &Group,
        digests: &HashMap<String, FileDigest>,
        now: Timestamp,
        sealed: &mut Sealed,
    ) -> Result<(), ArchiveError> {
        let (table, partition) = (log.table(), &group.partition);
        if let Some(closed) = self.closed(&group.files).await? {
            sealed.skip(table, partition, SkipReason::NoKey, closed);
            return Ok(());
        }
        let mut waiting: VecDeque<DataFile> = group.files.clone().into();
        let mut left = Vec::new();
        while !waiting.is_empty() {
            let (store, max_memory) = (self.archive.store(), self.settings.max_memory);
            let gathered = merge::gather(store, &self.unlocker, table, &mut waiting, digests, max_memory).await;
            let gathered = match gathered {
                Err(_) if self.are_gone(log, &group.files).await? => {
                    self.skip_gone(table, partition, sealed);
                    return Ok(());
                }
                gathered => gathered?,
            };
            left.extend(gathered.left.iter().cloned());
            if gathered.files.is_empty() {
                continue;
            }
            if let Outcome::Gone = self.seal_files(log, partition, gathered, now, sealed).await? {
                self.skip_gone(table, partition, sealed);
            }
        }
        skip_left(table, partition, &left, sealed);
        Ok(())
    }

    /// Merges the rows of some files and commits the result.
    async fn seal_files(
        &self,
        log: &TableLog,
        partition: &Partition,
        gathered: Gathered,
        now: Timestamp,
        sealed: &mut Sealed,
    ) -> Result<Outcome, ArchiveError> {
        let Gathered { files, mut batches, .. } = gathered;
        // Whatever is put for nothing is waste, and may be locked for years.
        if self.are_gone(log, &files).await? {
            return Ok(Outcome::Gone);
        }
        let joined = match log.table() {
            Table::Events => {
                let (ring, most) = (&self.ring, self.settings.max_object_bytes);
                join::join(&self.archive, ring, &self.unlocker, partition, most, &mut batches).await?
            }
            Table::DeadLetters => Joined::default(),
        };
        let segment = merge::write(&self.ring, log.table(), partition, batches).await?;
        log.put(&segment).await?;
        self.retain(&log.path_of(&segment), &joined.objects, partition.date, now).await?;
        if let Outcome::Gone = self.commit(log, &segment, &files, joined.digests, now).await? {
            return Ok(Outcome::Gone);
        }
        sealed.groups += 1;
        sealed.files_before += files.len() as u64;
        sealed.files_after += 1;
        sealed.rows += segment.rows;
        sealed.bytes_before += files.iter().map(|file| file.size).sum::<u64>();
        sealed.bytes_after += segment.bytes.len() as u64;
        sealed.objects_before += joined.before;
        sealed.objects_after += joined.objects.len() as u64;
        Ok(Outcome::Sealed)
    }

    /// Commits a sealed file in the place of others, in one entry.
    async fn commit(
        &self,
        log: &TableLog,
        segment: &Segment,
        removed: &[DataFile],
        objects: Vec<FileDigest>,
        now: Timestamp,
    ) -> Result<Outcome, ArchiveError> {
        let dead_letters = match log.table() {
            Table::Events => self.archive.table(Table::DeadLetters).version().await?,
            Table::DeadLetters => None,
        };
        let id = uuid::Uuid::now_v7().to_string();
        let commit = Commit {
            table: log.table().name().to_owned(),
            id: id.clone(),
            operation: Operation::Seal,
            dead_letters,
        };
        let files = Files {
            add: file_digests([segment]),
            remove: removed.iter().map(|file| file.id.clone()).collect(),
            objects,
        };
        let leaves: Vec<Leaf> = [Leaf::Commit(commit)].into_iter().chain(files.into_leaves()).collect();
        let attestation = Attestation::sign(&self.key, &leaves)?;
        let change = Change {
            segments: std::slice::from_ref(segment),
            removed,
            advances: &[],
            commit_id: &id,
            attestation: Some(&attestation),
        };
        let mut pause = PAUSE;
        for attempt in 1.. {
            match log.change(&change, now).await {
                Ok(_) => break,
                Err(CommitError::Gone { .. }) => return Ok(Outcome::Gone),
                Err(CommitError::Fenced { .. }) => unreachable!("no offset is moved"),
                Err(CommitError::Archive(ArchiveError::Store { .. } | ArchiveError::Log { .. }))
                    if attempt < TRIES =>
                {
                    tokio::time::sleep(pause).await;
                }
                Err(CommitError::Archive(error)) => return Err(error),
            }
            pause *= 2;
        }
        Ok(Outcome::Sealed)
    }

    /// Locks a sealed file and the objects that its rows point to, if they are to be locked and the time is not over.
    async fn retain(&self, file: &Path, objects: &[Path], date: i32, now: Timestamp) -> Result<(), ArchiveError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let until = plan::end_of(date).plus_days(lock.days.into());
        if until <= now {
            return Ok(());
        }
        for path in std::iter::once(file).chain(objects) {
            lock.retention.retain(path, until).await?;
        }
        Ok(())
    }

    /// Which keys of a group's date are not at hand, in a sentence.
    async fn closed(&self, files: &[DataFile]) -> Result<Option<String>, ArchiveError> {
        self.unlocker.prepare(files).await?;
        let Some(file) = files.first() else { return Ok(None) };
        let closed: Vec<String> = Tier::ALL
            .into_iter()
            .filter(|tier| !self.unlocker.can_read(*tier, file))
            .map(|tier| MasterKeyId::of(tier, &file.class, file.date).to_string())
            .collect();
        Ok((!closed.is_empty()).then(|| format!("no key for {}; sealing needs all tiers", closed.join(", "))))
    }

    /// Whether one of these files is no longer part of the table.
    async fn are_gone(&self, log: &TableLog, files: &[DataFile]) -> Result<bool, ArchiveError> {
        let snapshot = log.snapshot().await?;
        let live: HashSet<&str> = snapshot.files.iter().map(|file| file.id.as_str()).collect();
        Ok(files.iter().any(|file| !live.contains(file.id.as_str())))
    }

    fn skip_gone(&self, table: Table, partition: &Partition, sealed: &mut Sealed) {
        let why = "somebody else has sealed or removed some of its files meanwhile".to_owned();
        sealed.skip(table, partition, SkipReason::Gone, why);
    }
}

/// Names the files that stay as they are, by the reason.
fn skip_left(table: Table, partition: &Partition, left: &[(DataFile, LeftOut)], sealed: &mut Sealed) {
    for (kind, reason, what) in [
        (LeftOut::BeforeProof, SkipReason::BeforeProof, "have rows from before the proof log"),
        (LeftOut::Unattested, SkipReason::Unattested, "were attested by nobody"),
        (LeftOut::NewerColumns, SkipReason::NewerColumns, "have columns that this version does not know"),
    ] {
        let ids: Vec<&str> = left.iter().filter(|(_, own)| *own == kind).map(|(file, _)| file.id.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let more = if ids.len() > NAMED { ", and more" } else { "" };
        let names = ids[..ids.len().min(NAMED)].join(", ");
        sealed.skip(table, partition, reason, format!("{} files {what}: {names}{more}", ids.len()));
    }
}
