//! The archiver's settings. Plain data.

use holdfast_proof::note::SigningKey;
use std::sync::Arc;
use std::time::Duration;

/// When the archiver commits, and how it files and protects what it commits. It commits when any of the four flush
/// limits is reached.
#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    /// Events.
    pub flush_rows: usize,
    /// Bytes of messages as received, with their keys and headers.
    pub flush_bytes: usize,
    /// Filing dates. Each has a data file of its own, whose writer takes about 0.7 MB until the commit.
    pub flush_dates: usize,
    /// The age of the oldest event that is not committed.
    pub flush_interval: Duration,
    /// How long Kafka's group may leave this process without partitions before it makes its consumer anew. Longer than
    /// a rebalance takes.
    pub rejoin_after: Duration,
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
            flush_dates: 64,
            flush_interval: Duration::from_secs(5),
            rejoin_after: Duration::from_secs(60),
            class: holdfast_archive::table::GENERAL_CLASS.to_owned(),
            encrypt: true,
            signing_key: None,
        }
    }
}
