//! The leaves of the log: one line of JSON each.
//!
//! ```text
//! one commit ─▶ Commit   the entry of the Delta log, and the version of the other log whose entries precede it
//!               Files    the files that it adds and removes, with the digests of their ciphertext
//!               Span     the offsets of a partition that it advances over, and those that Kafka did not deliver
//!               Batch    the records that it adds: class, date, topic, partition, offsets, count, root of their tree
//!               Disposal the records that it lawfully disposes of
//! ```
//!
//! A batch names records and not files, so it remains valid when files are merged. The stored bytes are what is hashed:
//! a leaf is never serialized again from its parsed form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The height of the subtrees whose roots a batch lists: each covers 2^8 records.
pub const GROUP_HEIGHT: u32 = 8;
/// Files or gaps that one leaf lists, so that every leaf fits into 65,535 bytes.
pub const MAX_ITEMS_PER_LEAF: usize = 250;

/// A hash in its text form: base64 with padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest32(pub [u8; 32]);

/// One leaf of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "leaf", rename_all = "snake_case")]
pub enum Leaf {
    /// An entry of a Delta log.
    Commit(Commit),
    /// Files and objects of the entry.
    Files(Files),
    /// Offsets that the entry advances over.
    Span(Span),
    /// Records that the entry adds.
    Batch(Batch),
    /// Records that are lawfully disposed of.
    Disposal(Disposal),
}

/// The operation of an entry of a Delta log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Adds records.
    Append,
    /// Moves the same records into other files.
    Seal,
    /// Removes records from the archive for good.
    Dispose,
}

/// An entry of a Delta log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The table.
    pub table: String,
    /// The commit's own id.
    pub id: String,
    /// Its operation.
    pub operation: Operation,
    /// In the log of events: the version of the log of dead letters up to which its leaves precede these.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead_letters: Option<u64>,
}

/// A file with the digest of its bytes in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// The file's id. Of a recording object, which has a session's id in its name: the SHA-256 of its path.
    pub id: String,
    /// Rows; 0 for a recording object.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub rows: u64,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest32,
    /// The smallest and the greatest time in it, as in the Delta log: microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<(i64, i64)>,
}

/// Files and objects of an entry. An entry with many of them has several such leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The data files that it adds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub add: Vec<FileDigest>,
    /// The ids of the data files that it removes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remove: Vec<String>,
    /// The recording objects that its rows name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub objects: Vec<FileDigest>,
}

/// Why Kafka did not deliver an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The topic deletes by age alone, so only markers and aborted messages of transactions have offsets and are not
    /// delivered.
    Transactions,
    /// The topic is compacted: a newer message with the same key took the place of an older one, or transactions as
    /// above.
    Compaction,
    /// Kafka had deleted it before the archive first read the partition.
    BeforeFirst,
    /// The topic's cleanup policy could not be read.
    Unknown,
}

/// Offsets `start..end` that Kafka did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The first offset.
    pub start: i64,
    /// The offset after the last.
    pub end: i64,
    /// Why.
    pub why: SkipReason,
}

/// The offsets of one partition that an entry advances over. Each is a record, a dead letter, or skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The Kafka cluster's id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cluster: Option<String>,
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The next offset before the entry; `null` if the archive had no offset of the partition.
    pub from: Option<i64>,
    /// The next offset after the entry.
    pub next: i64,
    /// Offsets that were not delivered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub skipped: Vec<Skip>,
}

/// Records of one class, date, topic and partition that an entry adds, in the order of their offsets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The table.
    pub table: String,
    /// The retention class.
    pub class: String,
    /// The filing date, `YYYY-MM-DD`.
    pub date: String,
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The smallest offset.
    pub first: i64,
    /// The offset after the greatest.
    pub next: i64,
    /// Records.
    pub count: u64,
    /// The RFC 6962 root over their hashes.
    pub root: Digest32,
    /// If there are more than 256 records, the root of each 256 of them, from which `root` is computed. They locate a
    /// change.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<Digest32>,
}

/// A lawful disposal: it covers every record of a class and date in earlier leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disposal {
    /// The table.
    pub table: String,
    /// The retention class.
    pub class: String,
    /// The filing date, `YYYY-MM-DD`.
    pub date: String,
    /// The plan that was approved.
    pub plan: String,
    /// Records.
    pub rows: u64,
}

/// Why bytes are not a leaf.
#[derive(Debug, thiserror::Error)]
#[error("not a leaf of the log: {0}")]
pub struct LeafError(#[from] serde_json::Error);

impl Leaf {
    /// The bytes that are hashed and stored.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists are always JSON")
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// When it is not a leaf, or has members that this version does not support.
    pub fn parse(text: &str) -> Result<Self, LeafError> {
        Ok(serde_json::from_str(text)?)
    }
}

impl Files {
    /// As many leaves as all of them need.
    pub fn into_leaves(self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        let chunks = |files: Vec<FileDigest>| -> Vec<Vec<FileDigest>> {
            files.chunks(MAX_ITEMS_PER_LEAF).map(<[FileDigest]>::to_vec).collect()
        };
        leaves.extend(chunks(self.add).into_iter().map(|add| Self { add, ..Self::default() }));
        leaves.extend(chunks(self.objects).into_iter().map(|objects| Self { objects, ..Self::default() }));
        let removed =
            self.remove.chunks(MAX_ITEMS_PER_LEAF).map(|remove| Self { remove: remove.to_vec(), ..Self::default() });
        leaves.extend(removed);
        leaves.into_iter().map(Leaf::Files).collect()
    }
}

impl Span {
    /// As many leaves as the skipped offsets need. Each begins where the one before ends.
    pub fn into_leaves(self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        let mut from = self.from;
        let mut chunks = self.skipped.chunks(MAX_ITEMS_PER_LEAF).peekable();
        while let Some(skipped) = chunks.next() {
            let next = match (chunks.peek(), skipped.last()) {
                (Some(_), Some(last)) => last.end,
                _ => self.next,
            };
            leaves.push(Self { from, next, skipped: skipped.to_vec(), ..self.clone() });
            from = Some(next);
        }
        if leaves.is_empty() {
            leaves.push(self);
        }
        leaves.into_iter().map(Leaf::Span).collect()
    }

    /// How many offsets were skipped.
    pub fn skipped_count(&self) -> u64 {
        self.skipped.iter().map(|skip| skip.end.saturating_sub(skip.start).max(0) as u64).sum()
    }
}

impl std::fmt::Display for Digest32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl Serialize for Digest32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| D::Error::custom("a hash is not base64"))?;
        Ok(Self(bytes.try_into().map_err(|_| D::Error::custom("a hash does not have 32 bytes"))?))
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_read_back_from_its_text() {
        let leaf = Leaf::Batch(Batch {
            table: "events".to_owned(),
            class: "general".to_owned(),
            date: "2026-11-25".to_owned(),
            topic: "holdfast.events".to_owned(),
            partition: 2,
            first: 10,
            next: 14,
            count: 3,
            root: Digest32([9; 32]),
            groups: Vec::new(),
        });
        let text = leaf.to_text();
        assert_eq!(
            text,
            r#"{"leaf":"batch","table":"events","class":"general","date":"2026-11-25","topic":"holdfast.events","partition":2,"first":10,"next":14,"count":3,"root":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="}"#
        );
        assert_eq!(Leaf::parse(&text).unwrap(), leaf);
        assert!(Leaf::parse(&text.replace("\"count\"", "\"counts\"")).is_err());
        assert!(Leaf::parse(&text.replace("\"count\"", "\"more\":1,\"count\"")).is_err());
        assert!(Leaf::parse(&text.replace("CQkJ", "")).is_err());
        assert!(Leaf::parse("{}").is_err());
    }

    #[test]
    fn a_span_with_many_gaps_is_split_into_adjacent_leaves() {
        let skipped: Vec<Skip> =
            (0..600).map(|n| Skip { start: n * 2 + 1, end: n * 2 + 2, why: SkipReason::Transactions }).collect();
        let span = Span { cluster: None, topic: "t".to_owned(), partition: 0, from: Some(0), next: 1300, skipped };
        let leaves = span.clone().into_leaves();
        assert_eq!(leaves.len(), 3);
        let (mut at, mut count) = (span.from, 0);
        for leaf in &leaves {
            let Leaf::Span(piece) = leaf else { panic!("not a span") };
            assert_eq!(piece.from, at);
            assert!(leaf.to_text().len() < 65_535);
            at = Some(piece.next);
            count += piece.skipped_count();
        }
        assert_eq!((at, count), (Some(1300), 600));
    }

    #[test]
    fn many_files_are_split_into_several_leaves() {
        let file = |n: u64| FileDigest {
            id: format!("{n:036}"),
            rows: n,
            size: n,
            sha256: Digest32([1; 32]),
            time: Some((1, 1)),
        };
        let files = Files { add: (0..600).map(file).collect(), remove: vec!["x".to_owned()], objects: vec![file(1)] };
        let leaves = files.into_leaves();
        assert_eq!(leaves.len(), 5);
        assert!(leaves.iter().all(|leaf| leaf.to_text().len() < 65_535));
    }
}
