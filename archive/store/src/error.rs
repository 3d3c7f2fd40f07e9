//! What can go wrong, at the grain at which callers act: try again, ask for another key, or mend the set-up.

use crate::keys::MasterKeyId;

/// Why an operation on the archive failed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The object store did not do what was asked; it may later.
    #[error("{doing}: {source}")]
    Store {
        /// What was being done, and to what.
        doing: String,
        /// The store's answer.
        source: object_store::Error,
    },
    /// The Delta log could not be read or written.
    #[error("{doing}: {source}")]
    Log {
        /// What was being done.
        doing: &'static str,
        /// The log's answer.
        source: Box<deltalake_core::DeltaTableError>,
    },
    /// A data file could not be written or read.
    #[error("{doing}: {source}")]
    Parquet {
        /// What was being done.
        doing: String,
        /// The reader's or writer's answer.
        source: parquet::errors::ParquetError,
    },
    /// Encryption failed.
    #[error("encrypt {what}: {source}")]
    Encrypt {
        /// What was being encrypted.
        what: String,
        /// age's answer.
        source: std::io::Error,
    },
    /// Something could not be decrypted with the keys at hand.
    #[error("decrypt {what}: {source}")]
    Decrypt {
        /// What was being decrypted.
        what: String,
        /// age's answer.
        source: age::DecryptError,
    },
    /// No holder would be able to open a new master key.
    #[error(
        "no holder has the tier {tier}: name one under [[keys.holders]], or nobody could ever read what is archived"
    )]
    NoHolder {
        /// The tier.
        tier: holdfast_events::Tier,
    },
    /// The caller's identities do not open a master key.
    #[error("no key for {id}: none of the given identities opens keys/{id}.age; ask a holder of that key")]
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
        /// Why it was not.
        why: String,
    },
    /// An object could not be locked against deletion.
    #[error("lock {what} against deletion: {why}")]
    Lock {
        /// The object.
        what: String,
        /// Why it was not.
        why: String,
    },
    /// Something in the archive does not have the form that it must have.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// What.
        what: String,
        /// Why it is thought so.
        why: String,
    },
    /// The location cannot be used.
    #[error("the archive's location `{url}` cannot be used: {why}")]
    Location {
        /// The location as it was given.
        url: String,
        /// Why.
        why: String,
    },
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else moved the offset. What was to be committed must be dropped and read again from where the log says.
    #[error(
        "fenced: the log says offset {found:?} for {topic} partition {partition}, this writer started from {expected:?}"
    )]
    Fenced {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where the writer started.
        expected: Option<i64>,
        /// What the log says.
        found: Option<i64>,
    },
    /// A file that was to be removed is not part of the table: somebody else was first.
    #[error("the file {id} is no longer part of the table: somebody else has merged or removed it")]
    Gone {
        /// The file.
        id: String,
    },
    /// The archive could not be reached; the same commit may be tried again.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}
