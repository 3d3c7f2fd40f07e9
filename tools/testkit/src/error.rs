//! Errors in the setup of a test.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why the setup of a test failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server or tool is not installed. Only this kind allows a test to be skipped; see [`crate::skip`].
    #[error("{part} is not on this machine: {reason}")]
    Unavailable {
        /// What is missing.
        part: String,
        /// What was expected, and how to install it.
        reason: String,
    },
    /// A file or process operation failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// The operation, such as "start".
        doing: &'static str,
        /// The file or program.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A process ended unexpectedly, or failed.
    #[error("{name} ended with {status}; the end of its output:\n{log}")]
    Ended {
        /// The process.
        name: String,
        /// Its exit status.
        status: ExitStatus,
        /// The end of its standard output and standard error.
        log: String,
    },
    /// An operation of a process timed out.
    #[error("{name} did not {what} within {limit:?}; the end of its output:\n{log}")]
    TimedOut {
        /// The process.
        name: String,
        /// The operation, such as "get ready".
        what: &'static str,
        /// The timeout.
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
        /// The body of the response.
        body: String,
    },
    /// An HTTP request got no response.
    #[error("HTTP {request}: {message}")]
    Http {
        /// Method and address.
        request: String,
        /// Why.
        message: String,
    },
    /// A server of SQL refused what the test kit needs.
    #[error("{server}: {reason}")]
    Sql {
        /// Which.
        server: &'static str,
        /// Why.
        reason: String,
    },
    /// An object store could not be built.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The output of a script does not have the expected form.
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
