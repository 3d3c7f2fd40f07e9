//! The archive on an object store: object names, keys, encrypted data files, the Delta log, recordings, proof, sealing.
//!
//! ```text
//! RecordBatch ─▶ SegmentWriter ─▶ encrypted Parquet ─▶ put ─┐
//!                   ▲ data keys                             ├─▶ TableLog::commit (files + offsets, atomic)
//!               KeyRing (recipients only)                   │
//! chunk bytes ─▶ recordings::put ─▶ age object ─▶ put ──────┘
//!
//! small files of a closed date ─▶ seal ─▶ large sorted files ─▶ TableLog::change (adds and removals, atomic) ─▶ sweep
//!
//! TableLog::snapshot ─▶ files ─▶ Unlocker (identities of one caller) ─▶ decryption properties ─▶ a Parquet reader
//! ```
//!
//! Invariants:
//! - A writer holds only public keys. It cannot decrypt what it wrote.
//! - A commit is atomic: the files are put first, then one log entry names the files and the next offsets.
//! - A commit succeeds only if the log still has the offsets that the writer started from.
//! - Every column of every file is encrypted with its tier's key, and the footer with the operational key.
//!
//! The crate uses topic, partition and offset of Kafka as plain values. It depends neither on a Kafka client nor on
//! SQL.

mod archive;
mod error;
mod fetch;
mod file_id;
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
