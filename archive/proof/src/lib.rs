//! The transparency log without I/O: leaves, trees, tiles, signed notes and proofs.
//!
//! ```text
//! records ─▶ salted hashes ─▶ batch tree ─▶ its root in a leaf ─▶ log tree ─▶ tiles, checkpoint (signed note)
//!                                  └──────────── path ───────────────┴── path ──▶ proof of one event, a file
//! ```
//!
//! The stored formats are published ones: RFC 6962 trees, C2SP tlog-tiles, tlog-checkpoint, signed-note and
//! tlog-cosignature. Only the leaves' JSON is Holdfast's own.
//!
//! Invariants:
//! - Hashes and signatures are checked over the stored bytes: nothing is serialized again before the check.
//! - No function panics on untrusted bytes.

pub mod bundle;
pub mod leaf;
pub mod note;
mod salt;
mod sha256;
pub mod tiles;
pub mod tree;
pub mod witness;

pub use leaf::{
    Batch, Commit, Digest32, Disposal, FileDigest, Files, Leaf, LeafError, Operation, Skip, SkipReason, Span,
};
pub use salt::{SALT_BYTES, Salts, Secret};
pub use sha256::RecordHasher;
pub use tlog_tiles::{Hash, Tile, node_hash, record_hash};
