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

mod history;
mod join;
mod merge;
mod plan;
mod retention;
mod run;
mod sweep;

pub(crate) use plan::{SEALED, is_sealed as is_sealed_file};
pub use retention::{LockMode, Retention, S3Retention};
pub use sweep::{Sweeper, Swept};

use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{KeyRing, Unlocker};
use crate::segment::Partition;
use crate::table::Table;
use holdfast_events::Timestamp;
use holdfast_proof::note::SigningKey;
use std::sync::Arc;
use std::time::Duration;

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
    /// No entry of the log attests them: they are from before the proof log, or were committed outside of it.
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
        run::Run::new(self, now).seal(everything, progress).await
    }
}
