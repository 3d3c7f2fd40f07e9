//! The attestation of a commit: the leaves that the commit adds to the proof log, signed before the commit is made.
//!
//! ```text
//! rows ─▶ BatchTrees: salted hashes by class, date, topic, partition ─▶ Batch leaves ─┐
//! segments, objects ─▶ Files leaves ──────────────────────────────────────────────────┼─▶ sign ─▶ Attestation ─▶ commitInfo
//! advances, gaps ─▶ Span leaves ──────────────────────────────────────────────────────┘
//! ```
//!
//! The signature is over the RFC 6962 root of the leaves, as a signed note with an origin of its own
//! (`<origin>/commit`). Write access to the store without the signing key is therefore not enough to add leaves to the
//! log.

use super::record::RecordColumns;
use super::secrets::with_secret;
use crate::error::ArchiveError;
use crate::segment::{Partition, Segment};
use crate::table::Table;
use arrow_array::RecordBatch;
use holdfast_proof::leaf::GROUP_HEIGHT;
use holdfast_proof::note::{Purpose, SignedTree, SigningKey};
use holdfast_proof::{Batch, Digest32, FileDigest, Hash, Leaf, RecordHasher, Salts, Secret, record_hash, tree};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The member of a log entry's commit information.
pub(crate) const PROOF_MEMBER: &str = "holdfastProof";
/// Groups that a batch's leaf lists. A batch with more lists none of them, so that its leaf stays below 65,535 bytes.
const MAX_GROUPS: usize = 1_300;

/// The leaves that a commit adds, and the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The leaves' bytes, in the order in which they enter the log.
    pub leaves: Vec<String>,
    /// The signed note over their root.
    pub note: String,
}

impl Attestation {
    /// Signs `leaves`.
    pub fn sign(key: &SigningKey, leaves: &[Leaf]) -> Result<Self, ArchiveError> {
        let leaves: Vec<String> = leaves.iter().map(Leaf::to_text).collect();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| record_hash(leaf.as_bytes())).collect();
        let tree = SignedTree::new(key, Purpose::Commit, hashes.len() as u64, tree::root(&hashes));
        let note = tree.sign(key).map_err(|error| ArchiveError::Sign { what: "a commit", why: error.to_string() })?;
        Ok(Self { leaves, note })
    }

    /// The leaves' hashes.
    pub fn hashes(&self) -> Vec<Hash> {
        self.leaves.iter().map(|leaf| record_hash(leaf.as_bytes())).collect()
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "leaves": self.leaves, "note": self.note })
    }

    pub(crate) fn of_json(json: &serde_json::Value) -> Option<Self> {
        let leaves = json["leaves"].as_array()?.iter().map(|leaf| leaf.as_str().map(str::to_owned));
        Some(Self { leaves: leaves.collect::<Option<_>>()?, note: json["note"].as_str()?.to_owned() })
    }
}

/// The trees of the rows that one commit adds.
#[derive(Debug)]
pub struct BatchTrees {
    table: Table,
    trees: BTreeMap<Partition, Vec<BatchTree>>,
    hasher: RecordHasher,
    /// Runs of rows of one tree in the current batch: the end of each run, and the index of its tree.
    runs: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct BatchTree {
    topic: String,
    partition: i32,
    secret: Secret,
    salts: Salts,
    /// Offsets of the records, in the order in which they were added.
    offsets: Vec<i64>,
    hashes: Vec<Hash>,
}

impl BatchTrees {
    /// No rows yet.
    pub fn new(table: Table) -> Self {
        Self { table, trees: BTreeMap::new(), hasher: RecordHasher::default(), runs: Vec::new() }
    }

    /// Adds rows that are filed under `partition`. Returns them with `secret` in their column of secrets.
    pub fn add(
        &mut self,
        partition: &Partition,
        batch: &RecordBatch,
        secret: &Secret,
    ) -> Result<RecordBatch, ArchiveError> {
        let damaged = |why: &str| ArchiveError::Damaged { what: "a batch of rows".to_owned(), why: why.to_owned() };
        let columns = RecordColumns::of(self.table, batch).ok_or_else(|| damaged("it lacks columns of its table"))?;
        let trees = self.trees.entry(partition.clone()).or_default();
        let topic = columns.only_topic();
        let mut newest = usize::MAX;
        for row in 0..batch.num_rows() {
            let number = columns.partition.value(row);
            let fits = |tree: &BatchTree| {
                tree.partition == number
                    && tree.secret == *secret
                    && tree.topic == topic.unwrap_or_else(|| columns.topic.value(row))
            };
            // Kafka delivers runs of rows of one partition, mostly of one topic.
            let is_same = |tree: &BatchTree| if topic.is_some() { tree.partition == number } else { fits(tree) };
            if trees.get(newest).is_none_or(|tree| !is_same(tree)) {
                newest = trees.iter().position(fits).unwrap_or_else(|| {
                    let topic = columns.topic.value(row);
                    trees.push(BatchTree {
                        topic: topic.to_owned(),
                        partition: number,
                        secret: *secret,
                        salts: Salts::new(secret, topic, number),
                        offsets: Vec::new(),
                        hashes: Vec::new(),
                    });
                    trees.len() - 1
                });
            }
            let salts = &mut trees[newest].salts;
            self.hasher.add(|record| columns.append(row, salts, record));
            match self.runs.last_mut() {
                Some((end, place)) if *place == newest => *end = row + 1,
                _ => self.runs.push((row + 1, newest)),
            }
        }
        let (offsets, hashes) = (columns.offset.values(), self.hasher.hashes());
        let mut start = 0;
        for (end, place) in self.runs.drain(..) {
            trees[place].offsets.extend_from_slice(&offsets[start..end]);
            trees[place].hashes.extend_from_slice(&hashes[start..end]);
            start = end;
        }
        self.hasher.clear();
        with_secret(batch, secret).map_err(|error| damaged(&error.to_string()))
    }

    /// Takes the leaves of all batches.
    pub fn finish(&mut self) -> Vec<Leaf> {
        let trees = std::mem::take(&mut self.trees);
        let table = self.table;
        let leaves = trees.into_iter().flat_map(|(partition, trees)| {
            trees.into_iter().filter_map(move |tree| tree.finish(table, &partition)).map(Leaf::Batch)
        });
        leaves.collect()
    }

    /// Drops all rows.
    pub fn clear(&mut self) {
        self.trees.clear();
    }
}

impl BatchTree {
    fn finish(mut self, table: Table, partition: &Partition) -> Option<Batch> {
        // The chunks of recordings are added after the other rows.
        if !self.offsets.is_sorted() {
            let mut records: Vec<(i64, Hash)> = self.offsets.into_iter().zip(self.hashes).collect();
            records.sort_unstable_by_key(|(offset, _)| *offset);
            (self.offsets, self.hashes) = records.into_iter().unzip();
        }
        let (first, last) = (*self.offsets.first()?, *self.offsets.last()?);
        let count = self.hashes.len() as u64;
        let groups = tree::subtree_roots(self.hashes, GROUP_HEIGHT);
        let root = tree::root_of_subtrees(&groups);
        let groups = if (2..=MAX_GROUPS).contains(&groups.len()) { groups } else { Vec::new() };
        Some(Batch {
            table: table.name().to_owned(),
            class: partition.class.clone(),
            date: partition.date_text(),
            topic: self.topic,
            partition: self.partition,
            first,
            next: last + 1,
            count,
            root: Digest32(root.0),
            groups: groups.iter().map(|hash| Digest32(hash.0)).collect(),
        })
    }
}

/// The digests of files to be committed.
pub fn file_digests<'s>(segments: impl IntoIterator<Item = &'s Segment>) -> Vec<FileDigest> {
    let digest = |segment: &Segment| FileDigest {
        id: segment.id.clone(),
        rows: segment.rows,
        size: segment.bytes.len() as u64,
        sha256: Digest32(Sha256::digest(&segment.bytes).into()),
        time: segment.time,
    };
    segments.into_iter().map(digest).collect()
}

/// The id of a recording object in the log: the SHA-256 of its path. The path contains a session's id, and the log is
/// kept for longer than the session.
pub fn object_id(path: &str) -> String {
    Sha256::digest(path.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
