//! What can go wrong, by what the caller would do about it.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a key file could not be made, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("broker key {path}: {source}")]
    File {
        /// The key file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody other than the owner may read the file.
    #[error("broker key {path} may be read by others (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error("broker key {path} is not a key: expected 64 hexadecimal digits")]
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// The system's source of randomness failed.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// Why the broker did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is reachable from other machines; the broker has no authentication.
    #[error(
        "the embedded broker listens on a loopback address only, not on {address}: use 127.0.0.1, or a Kafka cluster"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address could not be listened on.
    #[error("the embedded broker cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file or the directory could not be read or written.
    #[error("broker directory: cannot {action} {path}: {source}")]
    Directory {
        /// What was being done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process runs a broker on this directory.
    #[error("broker directory {directory} is in use by {holder}: stop it, or choose another directory")]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The process that holds it, as far as known.
        holder: String,
    },
    /// The key is not the one the directory was written with.
    #[error("broker directory {directory} was written with another key: give the key file that belongs to it")]
    WrongKey {
        /// The directory.
        directory: PathBuf,
    },
    /// There is a database, but not the file that proves the key.
    #[error("broker directory {directory} holds {database} but not {check}: restore it, or move the directory away")]
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
    /// The database answered with an error, or its task has died.
    #[error("broker database: cannot {action}: {reason}")]
    Database {
        /// What was being done.
        action: &'static str,
        /// What the database said.
        reason: String,
    },
    /// The broker's task panicked or was cancelled from outside.
    #[error("the embedded broker's task ended: {reason}")]
    Task {
        /// What the runtime said.
        reason: String,
    },
}

impl BrokerError {
    pub(crate) fn database(action: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Database { action, reason: reason.to_string() }
    }
}
