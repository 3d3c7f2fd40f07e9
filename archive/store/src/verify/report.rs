//! What a verification found, for people and for machines.

use serde::Serialize;
use std::collections::BTreeMap;

/// What kind of thing is wrong. The names stay the same between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The checkpoint is missing, damaged, or not signed by a trusted key.
    Checkpoint,
    /// Another checkpoint (kept, mirrored, or given) is not one of this log's past, or says more than this one.
    Fork,
    /// A tile or an entry bundle is missing or not what the checkpoint's root says.
    Tile,
    /// An entry of a Delta log is missing, damaged, or not what was integrated.
    Entry,
    /// An entry of a Delta log was written by nobody who may.
    Unattested,
    /// What was committed long ago is in no checkpoint.
    NotIntegrated,
    /// What readers of the Delta log see is not what its entries say.
    Snapshot,
    /// A data file is missing.
    FileMissing,
    /// A data file is not the one that was written.
    FileChanged,
    /// A data file cannot be decrypted or read.
    FileUnreadable,
    /// Records are not those that were attested.
    RecordsChanged,
    /// A record stands more than once.
    RecordRepeated,
    /// A record that nobody attested.
    RecordAdded,
    /// Records are there, and a question for their session does not find them.
    RecordsHidden,
    /// Records that were attested are not there.
    RecordsMissing,
    /// Offsets that were acknowledged are neither archived, nor dead letters, nor skipped, nor disposed of.
    OffsetsMissing,
    /// Spans of offsets that do not join.
    SpansDisjoint,
    /// A recording's object is missing, changed, or does not decrypt.
    Object,
    /// A recording's chunk is not the one that arrived.
    Chunk,
    /// What a source counted did not all arrive.
    SourceCount,
    /// A public key does not belong to its private half.
    Key,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: Kind,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The file, object, tile or entry, relative to the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The events that are concerned, by id, where they could be read. Of changed records these are the ones whose columns
    /// do not follow from their payload, or else all among which the changed ones are.
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
    /// The first offset that is accounted for.
    pub first: i64,
    /// The offset behind the last.
    pub next: i64,
    /// Archived as events.
    pub archived: u64,
    /// Kept as dead letters.
    pub dead_letters: u64,
    /// Lawfully disposed of.
    pub disposed: u64,
    /// Not delivered by Kafka, by the reason.
    pub skipped: BTreeMap<String, u64>,
    /// Neither.
    pub missing: u64,
}

/// What was looked at.
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
    /// Records whose hash was made from decrypted rows.
    pub records: u64,
    /// Batches whose root was made from them.
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
    /// What was looked at.
    pub checked: Checked,
    /// How each partition's offsets are accounted for, by `topic/partition`.
    pub offsets: BTreeMap<String, PartitionAccount>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What was not looked at, and why.
    pub not_checked: Vec<String>,
    /// What is worth knowing and not wrong.
    pub notices: Vec<String>,
    /// Witnesses that cosigned the checkpoint, with the time of each.
    pub witnesses: Vec<String>,
}
