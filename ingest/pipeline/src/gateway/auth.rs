//! Authenticates senders: by the certificate that their client presented, else by bearer tokens (RFC 6750), compared in
//! constant time.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use holdfast_server::ClientCertificate;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::headers::single;
use super::problem::Problem;

/// A token and the name of its sender. Stores only the token's SHA-256.
#[derive(Clone)]
pub struct ApiToken {
    name: String,
    digest: [u8; 32],
    empty: bool,
}

impl ApiToken {
    /// `name` names the sender in logs; `secret` is the token.
    pub fn new(name: impl Into<String>, secret: &str) -> Self {
        let secret = secret.trim();
        Self { name: name.into(), digest: Sha256::digest(secret).into(), empty: secret.is_empty() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiToken").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sender {
    /// The name of the certificate or of the token.
    pub(super) name: Arc<str>,
    /// Whether the name is from a certificate, which an authority has issued. That of a token is for the log alone.
    pub(super) is_certified: bool,
}

/// All valid tokens.
pub(super) struct Tokens(Vec<ApiToken>);

impl Tokens {
    pub(super) fn new(tokens: Vec<ApiToken>) -> Self {
        Self(tokens)
    }

    /// The sender of a request.
    pub(super) fn sender(&self, parts: &Parts) -> Result<Sender, Problem> {
        if let Some(ClientCertificate { name }) = parts.extensions.get() {
            return Ok(Sender { name: Arc::clone(name), is_certified: true });
        }
        self.name(&parts.headers).map(|name| Sender { name: name.into(), is_certified: false })
    }

    /// The name of the token in a request.
    fn name(&self, headers: &HeaderMap) -> Result<&str, Problem> {
        let Some(value) = single(headers, &header::AUTHORIZATION)? else { return Err(Problem::unauthorized(false)) };
        let bearer = value.as_bytes().split_first_chunk::<7>();
        let Some((_, secret)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer ")) else {
            return Err(Problem::unauthorized(false));
        };
        let digest: [u8; 32] = Sha256::digest(secret.trim_ascii()).into();
        // Compares all tokens, also after a match, so that the time does not depend on the token.
        let (mut found, mut which) = (Choice::from(0), 0u32);
        for (index, token) in (0u32..).zip(&self.0) {
            let matches = token.digest.ct_eq(&digest);
            which.conditional_assign(&index, matches);
            found |= matches;
        }
        if bool::from(found) { Ok(&self.0[which as usize].name) } else { Err(Problem::unauthorized(true)) }
    }
}
