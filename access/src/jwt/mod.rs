//! Tokens of an OpenID provider: JWT (RFC 7519), signed as in RFC 7515 with keys as in RFC 7517.
//!
//! ```text
//! JWT ─▶ length ─▶ header ─▶ algorithm allowed? ─▶ key by kid ─▶ signature ─▶ claims ─▶ Principal
//!                                                    │ unknown
//!                                                    ▼
//!                                  NeedsKeys ─▶ RefetchLimit ─▶ the caller fetches the JWKS ─▶ set_keys
//! ```
//!
//! Invariants:
//! - Only asymmetric algorithms are supported, and a key verifies only the algorithms of its own type.
//! - No claim is read before the signature has been verified.
//! - A token whose role claim is not mapped to a role is denied.
//!
//! *ring*, which every build has for TLS, verifies the signatures. It refuses RSA keys of less than 2048 bits.

mod claims;
mod keys;
mod refetch;
mod rules;
mod signature;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::{Denied, JwtError, Principal};
use keys::Keys;
use signature::Algorithm;

pub use keys::JwksError;
pub use refetch::RefetchLimit;
pub use rules::JwtRules;

/// Bytes of a token. Tokens of providers with many groups have some KiB.
const MAX_JWT_BYTES: usize = 16 << 10;

/// Verifies the tokens of one OpenID provider.
#[derive(Debug)]
pub struct JwtVerifier {
    rules: JwtRules,
    keys: Keys,
}

/// The header parameters that are checked.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

impl JwtVerifier {
    /// A verifier without keys. It denies every token until [`set_keys`](Self::set_keys) succeeds.
    pub fn new(rules: JwtRules) -> Self {
        Self { rules, keys: Keys::default() }
    }

    /// Replaces the provider's keys (a JWK Set) and returns the number of usable ones. Keys for other uses and of unknown types
    /// are left out.
    ///
    /// # Errors
    ///
    /// [`JwksError`] if the text is not a key set or has no usable key. The previous keys then stay.
    pub fn set_keys(&mut self, jwks: &str) -> Result<usize, JwksError> {
        self.keys = Keys::parse(jwks)?;
        Ok(self.keys.len())
    }

    /// The issuer of the tokens.
    pub fn issuer(&self) -> &str {
        &self.rules.issuer
    }

    /// Authenticates the user of a token.
    ///
    /// # Errors
    ///
    /// [`Denied`] has the reason. After [`Denied::NeedsKeys`], fetch the provider's keys if [`RefetchLimit`] allows it, and check
    /// again.
    pub fn check(&self, jwt: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        if jwt.len() > MAX_JWT_BYTES {
            return Err(Denied::TooLong { what: "the OpenID token", bytes: jwt.len(), limit: MAX_JWT_BYTES });
        }
        let (message, signature) = jwt.rsplit_once('.').ok_or(JwtError::Form)?;
        let (header, payload) = message.split_once('.').ok_or(JwtError::Form)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwtError::Form)?;
        let signature = decode(signature)?;

        let algorithm = Algorithm::of(&header.alg).ok_or(JwtError::Algorithm)?;
        if header.crit.is_some() {
            return Err(JwtError::Critical.into());
        }
        if header.typ.as_deref().is_some_and(|kind| !is_accepted_type(kind)) {
            return Err(JwtError::Kind.into());
        }
        let key = self.keys.find(header.kid.as_deref(), algorithm)?;
        if !key.verifies(algorithm, message.as_bytes(), &signature) {
            return Err(JwtError::Signature.into());
        }

        let claims: claims::Claims = serde_json::from_slice(&decode(payload)?).map_err(|_| JwtError::Form)?;
        claims::principal(&claims, &self.rules, now)
    }

    /// Whether a text has the form of a JWT rather than of an API token.
    pub fn is_jwt(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }
}

/// RFC 8725, section 3.11: the same key may sign tokens for other purposes, so the type is checked.
fn is_accepted_type(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Form)
}
