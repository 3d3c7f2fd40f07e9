//! What can go wrong, by what the caller would do about it.

use holdfast_archive::{ArchiveError, CommitError};

/// Why the sessions could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// The archive could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Somebody else changed the table meanwhile. The caller starts over.
    #[error("the table of sessions was changed by somebody else meanwhile")]
    Overtaken,
    /// A file of the table is not as it should be. The table can be made anew from the events.
    #[error("{file} of the table of sessions is refused: {why}; make the table anew with `holdfast sessions rebuild`")]
    Damaged {
        /// Its path, relative to the archive.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// There is more to fold than fits in memory at once.
    #[error(
        "the sessions lag {events} events behind, too many to fold for one statement: let a server with the role query \
         catch up, or run `holdfast sessions rebuild`"
    )]
    Behind {
        /// Events that are not folded yet.
        events: u64,
    },
    /// A row could not be made.
    #[error("a row of sessions could not be made: {0}")]
    Encode(String),
}

impl From<CommitError> for SessionsError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Archive(error) => Self::Archive(error),
            CommitError::Fenced { .. } | CommitError::ConcurrentRemove { .. } => Self::Overtaken,
        }
    }
}
