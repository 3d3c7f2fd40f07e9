//! The settings of sealing.

use std::time::Duration;

/// How an archive is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSettings {
    /// A date is closed this long after its end, UTC.
    pub after: Duration,
    /// The grace period: merged files are deleted this long after the commit.
    pub grace: Duration,
    /// Maximum of rows in a sealed file.
    pub max_rows: u64,
    /// Maximum of encrypted bytes of the files that are merged into one.
    pub max_bytes: u64,
    /// Maximum of decrypted bytes of a joined recording object.
    pub max_object_bytes: u64,
    /// Maximum of memory for decrypted rows, in bytes. A group that needs more becomes several files.
    pub max_memory: usize,
}

impl Default for SealSettings {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(60 * 60),
            grace: Duration::from_secs(60 * 60),
            max_rows: 2_000_000,
            max_bytes: 512 << 20,
            max_object_bytes: 256 << 20,
            max_memory: 1 << 30,
        }
    }
}
