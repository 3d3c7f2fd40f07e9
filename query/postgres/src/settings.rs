//! What bounds the server.

use crate::tls::TlsIdentity;
use std::time::Duration;

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// The certificate and key; without them nothing is encrypted.
    pub tls: Option<TlsIdentity>,
    /// Whether clients on other machines must use TLS.
    pub require_tls: bool,
    /// Connections at one time.
    pub max_connections: usize,
    /// Time that a connection has until its user is let in.
    pub startup_timeout: Duration,
    /// Time that a connection may say nothing, or take nothing of an answer.
    pub idle_timeout: Duration,
    /// Time of a statement until its last row, unless the session sets its own.
    pub statement_timeout: Duration,
    /// The most that a session may set.
    pub max_statement_timeout: Duration,
    /// Rows of one answer at most; `None` for no bound.
    pub row_limit: Option<u64>,
    /// Bytes of one message of a client at most, after its user was let in.
    pub max_message: usize,
    /// Time that running statements have to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            tls: None,
            require_tls: true,
            max_connections: 100,
            startup_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30 * 60),
            statement_timeout: Duration::from_secs(5 * 60),
            max_statement_timeout: Duration::from_secs(60 * 60),
            row_limit: None,
            max_message: 16 << 20,
            drain_timeout: Duration::from_secs(20),
        }
    }
}
