//! Authentication of the users of an interface.

use super::reader::Reader;
use super::record::Interface;
use async_trait::async_trait;
use std::fmt;
use std::time::{Duration, SystemTime};

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

/// A SCRAM exchange that has begun. The interface passes it back with the outcome.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramAttempt {
    /// The name that the client gave.
    pub user: String,
    /// The client's address, if there is one.
    pub remote: Option<String>,
    /// The verifier of the user for SCRAM-SHA-256 (RFC 5802, RFC 7677), in PostgreSQL's form:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. For an unknown user, a verifier that no password
    /// matches.
    pub verifier: String,
    /// When the attempt was counted. A right proof takes this attempt back, and no other.
    pub counted_at: SystemTime,
}

impl fmt::Debug for ScramAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramAttempt").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a SCRAM exchange ended without a right proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramFailure {
    /// The client has another password.
    WrongProof,
    /// The client violated the protocol.
    Invalid,
    /// The client left before it proved anything, or took too long.
    Abandoned,
}

impl ScramFailure {
    /// Its name in records.
    pub fn reason(self) -> &'static str {
        match self {
            Self::WrongProof => "wrong_secret",
            Self::Invalid => "invalid_exchange",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Authenticates users. A refusal is recorded before the method returns, once.
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

    /// Begins a SCRAM exchange. The attempt counts until [`Authenticator::by_scram`] takes it back; an exchange that
    /// ends in another way is passed to [`Authenticator::scram_failed`].
    async fn begin_scram(&self, user: &str, remote: Option<String>) -> Result<ScramAttempt, AuthenticationError>;

    /// The user of an exchange that ended with the right proof.
    async fn by_scram(&self, attempt: &ScramAttempt) -> Result<Reader, AuthenticationError>;

    /// Records that an exchange ended without one.
    async fn scram_failed(&self, attempt: &ScramAttempt, failure: ScramFailure);
}
