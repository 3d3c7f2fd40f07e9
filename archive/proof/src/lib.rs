//! The transparency log as arithmetic: what its leaves say, the trees, tiles, signed notes and proofs. No I/O.
//!
//! ```text
//! records ─▶ salted hashes ─▶ batch tree ─▶ its root in a leaf ─▶ log tree ─▶ tiles, checkpoint (signed note)
//!                                  └──────────── path ───────────────┴── path ──▶ proof of one event, a file
//! ```
//!
//! Everything that lasts is in a published format: RFC 6962 trees, C2SP tlog-tiles, tlog-checkpoint, signed-note and
//! tlog-cosignature. Only the leaves' JSON is ours.
//!
//! Invariants:
//! - What was signed or hashed is what was written: nothing is serialized anew before it is checked.
//! - Nothing panics on bytes from outside.

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
