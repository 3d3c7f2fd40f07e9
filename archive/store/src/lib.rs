//! The archive on an object store: names, keys, encrypted data files, the Delta log, recordings.
//!
//! ```text
//! RecordBatch ─▶ SegmentWriter ─▶ encrypted Parquet ─▶ put ─┐
//!                   ▲ data keys                             ├─▶ TableLog::commit (files + offsets, atomic)
//!               KeyRing (recipients only)                   │
//! chunk bytes ─▶ recordings::put ─▶ age object ─▶ put ──────┘
//!
//! small files of a closed date ─▶ seal ─▶ large sorted ones ─▶ TableLog::change (adds and removals, atomic) ─▶ sweep
//!
//! TableLog::snapshot ─▶ files ─▶ Unlocker (identities of one caller) ─▶ decryption properties ─▶ a Parquet reader
//! ```
//!
//! Invariants:
//! - A writer holds public keys. It cannot read back what it wrote.
//! - What a commit makes visible is whole: files first, then one log entry with the files and the offsets they end at.
//! - A commit succeeds only when the log still says the offsets that the writer started from.
//! - Every column of every file is encrypted with its tier's key, and so is the footer.
//!
//! The crate knows nothing of Kafka beyond the words topic, partition and offset, and nothing of SQL.

mod archive;
mod error;
mod fetch;
mod folder;
pub mod keys;
pub mod location;
pub mod log;
pub mod paths;
pub mod proof;
pub mod read;
pub mod recordings;
pub mod seal;
pub mod segment;
mod subjects;
pub mod table;
pub mod verify;

pub use archive::Archive;
pub use error::{ArchiveError, CommitError};
pub use location::{Location, open_store};
pub use log::{Advance, Change, DataFile, Snapshot, TableLog};
pub use subjects::Subjects;
pub use table::Table;
