//! Errors, by how the caller handles them.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a key file could not be created, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("broker key {path}: {source}")]
    File {
        /// The key file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Users other than the owner may read the file.
    #[error("broker key {path} is readable by other users (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not contain a key.
    #[error("broker key {path} is not a key: expected 64 hexadecimal digits")]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// The system's source of randomness failed.
    #[error("the operating system provided no random bytes")]
    Random,
}

/// Why the broker did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is reachable from other machines; the broker has no authentication.
    #[error(
        "the embedded broker listens on a loopback address only, not on {address}: use 127.0.0.1, or a Kafka cluster"
    )]
    NotLoopback {
        /// The requested address.
        address: SocketAddr,
    },
    /// The broker could not listen on the address.
    #[error("the embedded broker cannot listen on {address}: {source}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file or the directory could not be read or written.
    #[error("broker directory: cannot {action} {path}: {source}")]
    Directory {
        /// The operation that failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another process runs a broker on this directory.
    #[error("broker directory {directory} is in use by {holder}: stop it, or choose another directory")]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The process that holds the lock, if known.
        holder: String,
    },
    /// The directory was written with another key.
    #[error("broker directory {directory} was written with another key: use the key file that belongs to it")]
    WrongKey {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory has a database, but not the file that verifies the key.
    #[error("broker directory {directory} has {database} but not {check}: restore {check}, or move the directory away")]
    KeyCheckMissing {
        /// The directory.
        directory: PathBuf,
        /// Name of the database file.
        database: &'static str,
        /// Name of the missing file.
        check: &'static str,
    },
    /// The key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database returned an error, or its task has ended.
    #[error("broker database: cannot {action}: {reason}")]
    Database {
        /// The operation that failed.
        action: &'static str,
        /// The database's error.
        reason: String,
    },
    /// The broker's task panicked or was cancelled from outside.
    #[error("the embedded broker's task ended: {reason}")]
    Task {
        /// The runtime's error.
        reason: String,
    },
}

impl BrokerError {
    pub(crate) fn database(action: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Database { action, reason: reason.to_string() }
    }
}
