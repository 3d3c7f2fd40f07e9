//! The progress and the outcome of sealing.

use crate::segment::Partition;
use crate::table::Table;

/// The progress of sealing, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The number of rows to seal.
    Rows(u64),
    /// The number of further rows that were sealed or skipped.
    Done(u64),
}

/// What was sealed.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Sealed {
    /// Sealed files that were written; each is one commit.
    pub groups: u64,
    /// Files that they replaced.
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
    /// Files that were not sealed.
    pub skipped: Vec<Skipped>,
    /// The duration, in seconds.
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
    /// The kind of reason.
    pub reason: SkipReason,
    /// The reason in a sentence, with the file or the key.
    pub why: String,
}

/// Why files were not sealed. The names stay the same between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// A key is not available. Sealing needs all three tiers.
    NoKey,
    /// No entry of the log attests them: they are older than the proof log, or were committed without attestation.
    Unattested,
    /// They have columns that this version does not support.
    NewerColumns,
    /// Another process has sealed or removed them meanwhile.
    Conflict,
    /// A file or a chunk is not what was archived. Verify the archive.
    Damaged,
}

impl Sealed {
    /// Whether something is damaged.
    pub fn found_damage(&self) -> bool {
        self.skipped.iter().any(|skipped| skipped.reason == SkipReason::Damaged)
    }

    pub(super) fn skip(&mut self, table: Table, partition: &Partition, reason: SkipReason, why: String) {
        let (class, date) = (partition.class.clone(), partition.date_text());
        self.skipped.push(Skipped { table: table.name(), class, date, reason, why });
    }
}
