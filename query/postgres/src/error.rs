//! Errors that keep the server from running. An error of one connection is sent to its client, with an SQLSTATE.

use std::net::SocketAddr;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server would accept connections from the network without TLS.
    #[error(
        "the PostgreSQL port listens on {0}, which other machines reach, without a TLS certificate: name one \
         (tls_certificate_file, tls_key_file), listen on a loopback address, or turn require_tls off"
    )]
    TlsNeeded(SocketAddr),
    /// The address of the listener cannot be read.
    #[error("the address of the PostgreSQL port cannot be read: {0}")]
    Listener(std::io::Error),
    /// The schema `pg_catalog` cannot be created.
    #[error("the schema pg_catalog cannot be created: {0}")]
    Catalog(String),
}
