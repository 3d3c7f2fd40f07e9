//! Errors, distinguished by what the caller does about them: try again, obtain another key, or correct the
//! configuration.

use crate::keys::MasterKeyId;

/// Why an operation on the archive failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A request to the object store failed. A later attempt may succeed.
    #[error("{doing}: {source}")]
    Store {
        /// What was being done, and to what.
        doing: String,
        /// The store's error.
        source: object_store::Error,
    },
    /// The Delta log could not be read or written.
    #[error("{doing}: {source}")]
    Log {
        /// What was being done.
        doing: &'static str,
        /// The Delta library's error.
        source: Box<deltalake_core::DeltaTableError>,
    },
    /// A data file could not be written or read.
    #[error("{doing}: {source}")]
    Parquet {
        /// What was being done.
        doing: String,
        /// The reader's or writer's error.
        source: parquet::errors::ParquetError,
    },
    /// Encryption failed.
    #[error("encrypt {what}: {source}")]
    Encrypt {
        /// What was being encrypted.
        what: String,
        /// age's error.
        source: std::io::Error,
    },
    /// Something could not be decrypted with the available keys.
    #[error("decrypt {what}: {source}")]
    Decrypt {
        /// What was being decrypted.
        what: String,
        /// age's error.
        source: age::DecryptError,
    },
    /// A new master key would have no holder.
    #[error(
        "no holder has the tier {tier}: name one under [[keys.holders]], or archived events could never be decrypted"
    )]
    NoHolder {
        /// The tier.
        tier: holdfast_events::Tier,
    },
    /// None of the caller's identities decrypts a master key.
    #[error("no key for {id}: none of the given identities decrypts keys/{id}.age; ask a holder of that key")]
    NoKey {
        /// The master key.
        id: MasterKeyId,
    },
    /// A master key is not in the key ring.
    #[error("the master key {id} is not in the key ring: it was destroyed, or keys/{id}.age was lost")]
    MissingKey {
        /// The master key.
        id: MasterKeyId,
    },
    /// A signature could not be made.
    #[error("sign {what}: {why}")]
    Sign {
        /// What was to be signed.
        what: &'static str,
        /// Why it failed.
        why: String,
    },
    /// An object could not be locked against deletion.
    #[error("lock {what} against deletion: {why}")]
    Lock {
        /// The object.
        what: String,
        /// Why it failed.
        why: String,
    },
    /// An object, a file or an entry of the archive is missing or malformed.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// What is damaged.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The location cannot be used.
    #[error("the archive's location `{url}` cannot be used: {why}")]
    Location {
        /// The location as configured.
        url: String,
        /// Why.
        why: String,
    },
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another writer moved the offset. The caller must drop the rows and read the partition again from the log's
    /// offset.
    #[error(
        "fenced: the log has offset {found:?} for {topic} partition {partition}, this writer started from {expected:?}"
    )]
    Fenced {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that the writer started from.
        expected: Option<i64>,
        /// The offset that the log has.
        found: Option<i64>,
    },
    /// A file to be removed is no longer part of the table: another writer was first.
    #[error("the file {id} is no longer part of the table: another writer has merged or removed it")]
    ConcurrentRemove {
        /// The file.
        id: String,
    },
    /// The archive could not be reached; the same commit may be tried again.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}
