//! The report of a verification: what was checked, and the findings.

use serde::Serialize;
use std::collections::BTreeMap;

/// The kind of a finding. The names stay the same between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The checkpoint is missing, damaged, or not signed by a trusted key.
    Checkpoint,
    /// Another checkpoint (kept, mirrored, or given) is not of a prefix of this log, or has more leaves than the log.
    Fork,
    /// A tile or an entry bundle is missing or does not match the checkpoint's root.
    Tile,
    /// An entry of a Delta log is missing, damaged, or not what was integrated.
    Entry,
    /// An entry of a Delta log has no valid attestation.
    Unattested,
    /// A commit is in no checkpoint, although it should be by now.
    NotIntegrated,
    /// The files in a reader's snapshot of a Delta log are not those of its entries.
    Snapshot,
    /// A data file is missing.
    FileMissing,
    /// A data file is not the one that was written.
    FileChanged,
    /// A data file cannot be decrypted or read.
    FileUnreadable,
    /// Records are not those that were attested.
    RecordsChanged,
    /// A record is stored more than once.
    RecordRepeated,
    /// A record is stored that was not attested.
    RecordAdded,
    /// Records are stored, but the file's filter lacks their session, so a query for the session does not find them.
    RecordsHidden,
    /// Attested records are missing.
    RecordsMissing,
    /// Offsets that were acknowledged are neither archived, nor dead letters, nor skipped, nor disposed of.
    OffsetsMissing,
    /// Spans of offsets that do not join.
    SpansDisjoint,
    /// A recording's object is missing, changed, or does not decrypt.
    Object,
    /// A recording's chunk is not the one that arrived.
    Chunk,
    /// Events that a source numbered did not arrive.
    SourceCount,
    /// A public key does not belong to its private half.
    Key,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: Kind,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The file, object, tile or entry, relative to the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The ids of the affected events, if they could be read. Of changed records these are the ones whose columns do
    /// not follow from their payload, or else all candidates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The offsets, `first..end`, the end not included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offsets: Option<(i64, i64)>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            file: None,
            events: Vec::new(),
            topic: None,
            partition: None,
            offsets: None,
            expected: None,
            found: None,
        }
    }

    pub(crate) fn file(self, file: impl ToString) -> Self {
        Self { file: Some(file.to_string()), ..self }
    }

    pub(crate) fn at(self, topic: &str, partition: i32, first: i64, end: i64) -> Self {
        Self { topic: Some(topic.to_owned()), partition: Some(partition), offsets: Some((first, end)), ..self }
    }

    pub(crate) fn expected(self, expected: impl ToString, found: impl ToString) -> Self {
        Self { expected: Some(expected.to_string()), found: Some(found.to_string()), ..self }
    }

    pub(crate) fn events(self, events: Vec<String>) -> Self {
        Self { events, ..self }
    }
}

/// How the offsets of one partition are accounted for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionAccount {
    /// The first offset.
    pub first: i64,
    /// The offset after the last.
    pub next: i64,
    /// Archived as events.
    pub archived: u64,
    /// Kept as dead letters.
    pub dead_letters: u64,
    /// Lawfully disposed of.
    pub disposed: u64,
    /// Not delivered by Kafka, by the reason.
    pub skipped: BTreeMap<String, u64>,
    /// None of these.
    pub missing: u64,
}

/// What was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Leaves of the proof log.
    pub leaves: u64,
    /// Tiles and entry bundles.
    pub tiles: u64,
    /// Checkpoints: the newest, the kept, the mirrored and the given ones.
    pub checkpoints: u64,
    /// Entries of the Delta logs.
    pub entries: u64,
    /// Data files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that were hashed from decrypted rows.
    pub records: u64,
    /// Batches whose root was computed from them.
    pub batches: u64,
    /// Recording objects.
    pub objects: u64,
    /// Chunks in them.
    pub chunks: u64,
}

/// The outcome of a verification.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Whether nothing was found.
    pub intact: bool,
    /// The log's name.
    pub origin: String,
    /// The size of the tree that was verified.
    pub size: u64,
    /// Its root, base64.
    pub root: String,
    /// What was checked.
    pub checked: Checked,
    /// How each partition's offsets are accounted for, by `topic/partition`.
    pub offsets: BTreeMap<String, PartitionAccount>,
    /// All findings.
    pub findings: Vec<Finding>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
    /// Remarks that are not findings.
    pub notices: Vec<String>,
    /// Witnesses that cosigned the checkpoint, with the time of each.
    pub witnesses: Vec<String>,
}
