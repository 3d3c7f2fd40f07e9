//! Authentication of the users of an interface.

use super::reader::Reader;
use super::record::Interface;
use async_trait::async_trait;
use std::time::Duration;

/// Why a client is not authenticated, as the client may read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The client did not prove to be the user.
    #[error("{0}")]
    Credentials(String),
    /// The user is known, and lacks the permission.
    #[error("{0}")]
    Forbidden(String),
    /// There were too many failed tries.
    #[error("too many failed logins; try again in {} s", .0.as_secs().max(1))]
    TooManyTries(Duration),
    /// No user can be authenticated now.
    #[error("{0}")]
    Unavailable(String),
}

/// Authenticates users. A refusal is recorded before the method returns.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// By name and password.
    async fn by_password(
        &self,
        user: &str,
        password: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError>;

    /// By an API token or a token of the OpenID provider.
    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError>;

    /// The verifier of a user for SCRAM-SHA-256 (RFC 5802, RFC 7677), in PostgreSQL's form:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. For an unknown user, a verifier that no password
    /// matches.
    async fn scram_verifier(&self, user: &str, remote: Option<String>) -> Result<String, AuthenticationError>;

    /// The user of a verifier, after a successful exchange.
    async fn by_scram(&self, user: &str, remote: Option<String>) -> Result<Reader, AuthenticationError>;

    /// Records that the exchange with a verifier failed.
    async fn scram_failed(&self, user: &str, remote: Option<String>);
}
