//! The archiver's settings. Plain data.

use holdfast_proof::note::SigningKey;
use std::sync::Arc;
use std::time::Duration;

/// When the archiver commits, and how it files and protects what it commits. It commits when any of the three flush
/// limits is reached.
#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    /// Events.
    pub flush_rows: usize,
    /// Bytes of events and recording chunks, as received.
    pub flush_bytes: usize,
    /// The age of the oldest event that is not committed.
    pub flush_interval: Duration,
    /// The retention class of everything that is archived.
    pub class: String,
    /// Whether files are encrypted. `false` only to measure the cost of encryption.
    pub encrypt: bool,
    /// The key that commits are attested with. Without a key the proof log does not cover what is archived: only to
    /// measure the cost of proofs, and for tests of other subjects.
    pub signing_key: Option<Arc<SigningKey>>,
}

impl Default for ArchiverSettings {
    fn default() -> Self {
        Self {
            flush_rows: 250_000,
            flush_bytes: 64 << 20,
            flush_interval: Duration::from_secs(5),
            class: holdfast_archive::table::GENERAL_CLASS.to_owned(),
            encrypt: true,
            signing_key: None,
        }
    }
}
