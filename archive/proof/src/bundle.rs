//! The proof of one event: a file that can be verified with the log's verifier keys alone, without the archive.
//!
//! ```text
//! record ──hash──▶ batch tree ──root──▶ leaf ──hash──▶ log tree ──root──▶ checkpoint ◀── signed by a trusted key
//!            └─ batch: index, path        └──────── log: index, path
//! ```
//!
//! ```json
//! {"holdfast":"proof 1","record":"<base64>","batch":{"index":0,"path":["<base64>"]},"leaf":"<JSON as text>",
//!  "log":{"index":0,"path":["<base64>"]},"checkpoint":"<signed note>"}
//! ```
//!
//! Invariants:
//! - The record's and the leaf's bytes are in the file as they were hashed, and are never serialized again.
//! - A file has one interpretation: unknown and duplicate members are refused.
//! - The file is untrusted and bounded: [`MAX_PROOF_BYTES`], and [`MAX_PATH`] hashes a path.

use crate::leaf::{Batch, Leaf, LeafError};
use crate::note::{KeyId, NoteError, Purpose, SignedTree, TrustedKeys};
use crate::tree::{MAX_PATH, check_inclusion};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tlog_tiles::{Hash, record_hash};

/// Maximum of bytes of a proof's file.
pub const MAX_PROOF_BYTES: usize = 16 * 1024 * 1024;
/// The value of the member `holdfast`.
const FORMAT: &str = "proof 1";

/// Why a proof is not valid. The variants are the steps of [`EventProof::verify`].
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The file is not a proof.
    #[error("not a proof: {what}")]
    Format {
        /// What is wrong.
        what: String,
    },
    /// The leaf cannot be read.
    #[error("the proof's leaf: {0}")]
    Leaf(#[from] LeafError),
    /// The leaf is not that of a batch.
    #[error("the proof's leaf is not that of a batch of records")]
    NoBatch,
    /// The record is not in the batch.
    #[error("the record is not number {index} of the {count} records of the batch, whose root is {root}")]
    Record {
        /// The claimed index in the batch.
        index: u64,
        /// Records of the batch.
        count: u64,
        /// The root in the leaf, in base64.
        root: String,
    },
    /// The checkpoint is not accepted.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The leaf is not in the log.
    #[error("the leaf is not number {index} of the {size} leaves of the log, whose root is {root}")]
    Log {
        /// The claimed index in the log.
        index: u64,
        /// Leaves of the log.
        size: u64,
        /// The root in the checkpoint, in base64.
        root: String,
    },
}

/// An inclusion proof (RFC 6962, section 2.1.1): the index of a leaf in a tree, and its audit path.
#[derive(Debug, Clone, PartialEq)]
pub struct InclusionProof {
    /// The leaf's index, from 0.
    pub index: u64,
    /// The path, from the leaf's sibling upwards.
    pub path: Vec<Hash>,
}

/// The proof of one event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventProof {
    /// The record, as it was hashed: its salt and its canonical bytes.
    pub record: Vec<u8>,
    /// The record's inclusion in its batch.
    pub batch: InclusionProof,
    /// The leaf of the batch, byte for byte.
    pub leaf: String,
    /// The leaf's inclusion in the log.
    pub log: InclusionProof,
    /// The log's checkpoint, a signed note.
    pub checkpoint: String,
}

/// The contents of a verified proof.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The log's tree that was signed.
    pub checkpoint: SignedTree,
    /// The trusted keys that signed it.
    pub keys: Vec<KeyId>,
    /// The record's batch, as the log attests it.
    pub batch: Batch,
}

/// The file's members.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofFile {
    holdfast: String,
    record: String,
    batch: InclusionProofFile,
    leaf: String,
    log: InclusionProofFile,
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InclusionProofFile {
    index: u64,
    #[serde(deserialize_with = "bounded_path")]
    path: Vec<String>,
}

/// Reads a path of at most [`MAX_PATH`] hashes, so that a file cannot require many times its own size in memory.
fn bounded_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MAX_PATH} hashes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut hashes: A) -> Result<Self::Value, A::Error> {
            let mut path = Vec::new();
            while let Some(hash) = hashes.next_element()? {
                if path.len() == MAX_PATH {
                    return Err(A::Error::invalid_length(MAX_PATH + 1, &self));
                }
                path.push(hash);
            }
            Ok(path)
        }
    }
    deserializer.deserialize_seq(Bounded)
}

impl InclusionProof {
    fn to_file(&self) -> InclusionProofFile {
        InclusionProofFile { index: self.index, path: self.path.iter().map(Hash::to_string).collect() }
    }

    fn of_file(proof: &InclusionProofFile, member: &str) -> Result<Self, ProofError> {
        let path: Option<_> = proof.path.iter().map(|hash| Hash::parse_hash(hash).ok()).collect();
        let path = path.ok_or_else(|| format(format!("a hash of `{member}.path` is not the base64 of 32 bytes")))?;
        Ok(Self { index: proof.index, path })
    }
}

fn format(what: impl Into<String>) -> ProofError {
    ProofError::Format { what: what.into() }
}

impl EventProof {
    /// The file: JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        let file = ProofFile {
            holdfast: FORMAT.to_owned(),
            record: BASE64.encode(&self.record),
            batch: self.batch.to_file(),
            leaf: self.leaf.clone(),
            log: self.log.to_file(),
            checkpoint: self.checkpoint.clone(),
        };
        let mut json = serde_json::to_string_pretty(&file).expect("texts, numbers and lists are always JSON");
        json.push('\n');
        json
    }

    /// Parses a file. Its contents are not verified yet.
    ///
    /// # Errors
    /// When it is not a proof, is not one of this version, or is too large.
    pub fn parse(file: &[u8]) -> Result<Self, ProofError> {
        if file.len() > MAX_PROOF_BYTES {
            return Err(format(format!("it has {} bytes, more than {MAX_PROOF_BYTES}", file.len())));
        }
        let file: ProofFile = serde_json::from_slice(file).map_err(|error| {
            // serde_json's own message may quote the file, and with it an event.
            let what = match error.classify() {
                serde_json::error::Category::Eof => "it ends too early",
                serde_json::error::Category::Data => {
                    "a member is missing, unknown, duplicate, too long or of another type"
                }
                _ => "it is not JSON",
            };
            format(format!("{what}, at line {} column {}", error.line(), error.column()))
        })?;
        if file.holdfast != FORMAT {
            return Err(format("`holdfast` is not `proof 1`; a newer version of Holdfast may read it"));
        }
        let record = BASE64.decode(&file.record).map_err(|_| format("`record` is not base64"))?;
        Ok(Self {
            record,
            batch: InclusionProof::of_file(&file.batch, "batch")?,
            leaf: file.leaf,
            log: InclusionProof::of_file(&file.log, "log")?,
            checkpoint: file.checkpoint,
        })
    }

    /// Checks every step from the record to the signature.
    ///
    /// # Errors
    /// The first step that fails: the leaf is that of a batch, the record is in the batch, a trusted key signed the
    /// checkpoint, the leaf is in the checkpoint's tree.
    pub fn verify(&self, keys: &TrustedKeys) -> Result<Verified, ProofError> {
        let Leaf::Batch(batch) = Leaf::parse(&self.leaf)? else { return Err(ProofError::NoBatch) };
        let (index, root) = (self.batch.index, Hash(batch.root.0));
        if !check_inclusion(&self.batch.path, batch.count, root, index, record_hash(&self.record)) {
            return Err(ProofError::Record { index, count: batch.count, root: root.to_string() });
        }
        let opened = keys.open(&self.checkpoint, Purpose::Checkpoint)?;
        let (index, size, root) = (self.log.index, opened.tree.size, opened.tree.root);
        if !check_inclusion(&self.log.path, size, root, index, record_hash(self.leaf.as_bytes())) {
            return Err(ProofError::Log { index, size, root: root.to_string() });
        }
        Ok(Verified { checkpoint: opened.tree, keys: opened.keys, batch })
    }
}

#[cfg(test)]
mod tests;
