//! Errors, by how the caller handles them.

use holdfast_archive::{ArchiveError, CommitError};

/// Why the sessions could not be updated.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The archive could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Another process changed the table meanwhile. The caller starts over.
    #[error("another process changed the table of sessions meanwhile")]
    Conflict,
    /// A file of the table is corrupt. The table can be rebuilt from the events.
    #[error("{file} of the table of sessions is corrupt: {why}; rebuild the table with `holdfast sessions rebuild`")]
    Corrupt {
        /// Its path, relative to the archive.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// More events wait to be folded than fit in memory.
    #[error(
        "the sessions lag {events} events behind, too many to fold for one statement: let a server with the role sessions \
         catch up, or run `holdfast sessions rebuild`"
    )]
    Behind {
        /// Events that are not folded yet.
        events: u64,
    },
    /// A row could not be encoded or decoded.
    #[error("a row of the table of sessions could not be encoded: {0}")]
    Encode(String),
}

impl From<CommitError> for SessionsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Archive(error) => Self::Archive(error),
            CommitError::Fenced { .. } | CommitError::ConcurrentRemove { .. } => Self::Conflict,
        }
    }
}
