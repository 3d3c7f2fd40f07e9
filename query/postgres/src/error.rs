//! Why the server cannot run. What goes wrong on one connection is told to its client, by SQLSTATE.

use std::net::SocketAddr;

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Everybody on the network could reach it, and nothing could be encrypted.
    #[error(
        "the PostgreSQL port listens on {0}, which other machines reach, without a TLS certificate: name one \
         (tls_certificate_file, tls_key_file), listen on a loopback address, or turn require_tls off"
    )]
    TlsNeeded(SocketAddr),
    /// The address of the listener cannot be told.
    #[error("the address of the PostgreSQL port cannot be read: {0}")]
    Listener(std::io::Error),
    /// The catalog that clients ask about tables and types could not be made.
    #[error("the catalog of tables and types for PostgreSQL clients could not be made: {0}")]
    Catalog(String),
}
