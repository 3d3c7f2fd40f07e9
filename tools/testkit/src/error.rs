//! What can go wrong when a part of a test is set up.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a part of a test could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine lacks the part. The one kind that lets a test be skipped; see [`crate::skip`].
    #[error("{part} is not on this machine: {reason}")]
    Unavailable {
        /// What is missing.
        part: String,
        /// What was looked for, and how to get it.
        reason: String,
    },
    /// A file or process operation failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done, such as "start".
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A process stopped when it should have run, or failed when it should have worked.
    #[error("{name} ended with {status}; the end of what it said:\n{log}")]
    Ended {
        /// The process.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard output and standard error.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{name} did not {what} within {limit:?}; the end of what it said:\n{log}")]
    TimedOut {
        /// The process.
        name: String,
        /// What was waited for, such as "get ready".
        what: &'static str,
        /// How long.
        limit: Duration,
        /// The end of its standard output and standard error.
        log: String,
    },
    /// A Kafka client's call failed.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The S3 server refused a request that the test kit made.
    #[error("S3 {request} answered {status}: {body}")]
    S3 {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What the server said.
        body: String,
    },
    /// An HTTP request got no answer.
    #[error("HTTP {request}: {message}")]
    Http {
        /// Method and address.
        request: String,
        /// Why.
        message: String,
    },
    /// An object store could not be built.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// A script wrote something else than it promises.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    pub(crate) fn unavailable(part: &str, reason: impl Into<String>) -> Self {
        Self::Unavailable { part: part.to_owned(), reason: reason.into() }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
