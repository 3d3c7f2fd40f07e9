//! The settings of the server. Plain data.

use holdfast_server::Tls;
use std::time::Duration;

/// The settings of the server.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// The certificate and key, with [`ALPN`](crate::ALPN). Without them the server does not offer TLS.
    pub tls: Option<Tls>,
    /// Whether clients on other machines must use TLS.
    pub require_tls: bool,
    /// The most concurrent sessions: connections that have logged in. One user gets at most half of them, rounded up.
    pub max_connections: usize,
    /// The most concurrent connections that have not logged in. They take no place of a session. A new one beyond them takes
    /// the place of the oldest of the address that has the most.
    pub max_logins: usize,
    /// The most of them from one address (of IPv6, one /64).
    pub max_logins_per_address: usize,
    /// The time from the start of a connection to the end of its login.
    pub startup_timeout: Duration,
    /// The time after which a connection is closed if the client sends no message, or does not read its response.
    pub idle_timeout: Duration,
    /// The default of `statement_timeout`: the time from the start of a statement to its last row.
    pub statement_timeout: Duration,
    /// The longest `statement_timeout` of a session.
    pub max_statement_timeout: Duration,
    /// The most rows of a result; `None` for no limit.
    pub row_limit: Option<u64>,
    /// The size of a client's message after the login, in bytes.
    pub max_message_bytes: usize,
    /// The time that running statements have to end when the server stops.
    pub drain_timeout: Duration,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            tls: None,
            require_tls: true,
            max_connections: 100,
            max_logins: 64,
            max_logins_per_address: 16,
            startup_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30 * 60),
            statement_timeout: Duration::from_secs(5 * 60),
            max_statement_timeout: Duration::from_secs(60 * 60),
            row_limit: None,
            max_message_bytes: 1 << 20,
            drain_timeout: Duration::from_secs(20),
        }
    }
}
