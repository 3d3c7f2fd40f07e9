//! The other verifier: tokens of an OpenID provider (JWT, RFC 7519; signed as in RFC 7515 with the keys of RFC 7517).
//!
//! ```text
//! JWT ─▶ length ─▶ header ─▶ algorithm allowed? ─▶ key by kid ─▶ signature ─▶ claims ─▶ Principal
//!                                                    │ unknown
//!                                                    ▼
//!                                  NeedsKeys ─▶ RefetchLimit ─▶ the caller fetches the JWKS ─▶ set_keys
//! ```
//!
//! Invariants:
//! - Only asymmetric algorithms are known here at all, and a key serves only the algorithms of its own kind.
//! - Nothing of the claims is looked at before the signature held.
//! - What is not mapped to a role is not let in.
//!
//! Signatures are checked by *ring*, which every build has for TLS, and refuses RSA keys of less than 2048 bits.

mod claims;
mod keys;
mod refetch;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::{Denied, JwtFault, Principal, Role};
use keys::Keys;
use signature::Algorithm;

pub use keys::JwksError;
pub use refetch::RefetchLimit;

/// Bytes of a token that is looked at at all. Providers with many groups come to some KiB.
const MAX_JWT_BYTES: usize = 16 << 10;

/// What an OpenID provider's tokens must say, and what it means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtRules {
    /// The `iss` that is expected, to the letter.
    pub issuer: String,
    /// The `aud` that is expected, or one of several.
    pub audience: String,
    /// The claim that names the user: `sub`, `preferred_username`, `email`. Dots lead into objects.
    pub user_claim: String,
    /// The claim with the role: a string or a list of them. Dots lead into objects.
    pub role_claim: String,
    /// Which role each value of that claim gives.
    pub roles: BTreeMap<String, Role>,
    /// The claim with the portals that somebody sees; `*` in it stands for all.
    pub portals_claim: Option<String>,
    /// The claim with the agents whose sessions somebody sees. Without it nobody is let in as an agent.
    pub agents_claim: Option<String>,
    /// How far the clocks may be apart.
    pub leeway: TimeDelta,
}

/// Checks the tokens of one OpenID provider.
#[derive(Debug)]
pub struct JwtVerifier {
    rules: JwtRules,
    keys: Keys,
}

/// The parts of the header that decide.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

impl JwtVerifier {
    /// A door without keys, which nobody comes through yet.
    pub fn new(rules: JwtRules) -> Self {
        Self { rules, keys: Keys::default() }
    }

    /// Takes the provider's keys (a JWK Set) in the place of those before, and returns how many of them can be used. Keys for
    /// other uses and of unknown kinds are left out.
    ///
    /// # Errors
    ///
    /// [`JwksError`] when the text is no key set or has no usable key; the keys before stay then.
    pub fn set_keys(&mut self, jwks: &str) -> Result<usize, JwksError> {
        self.keys = Keys::parse(jwks)?;
        Ok(self.keys.len())
    }

    /// Who issues the tokens.
    pub fn issuer(&self) -> &str {
        &self.rules.issuer
    }

    /// Lets in whom the provider vouches for.
    ///
    /// # Errors
    ///
    /// [`Denied`] says why not. [`Denied::NeedsKeys`] asks for the provider's keys: fetch them if [`RefetchLimit`] allows it, and
    /// check again.
    pub fn check(&self, jwt: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        if jwt.len() > MAX_JWT_BYTES {
            return Err(Denied::TooLong { what: "the OpenID token", bytes: jwt.len(), limit: MAX_JWT_BYTES });
        }
        let (message, signature) = jwt.rsplit_once('.').ok_or(JwtFault::Form)?;
        let (header, payload) = message.split_once('.').ok_or(JwtFault::Form)?;
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwtFault::Form)?;
        let signature = decode(signature)?;

        let algorithm = Algorithm::of(&header.alg).ok_or(JwtFault::Algorithm)?;
        if header.crit.is_some() {
            return Err(JwtFault::Critical.into());
        }
        if header.typ.as_deref().is_some_and(|kind| !lets_in(kind)) {
            return Err(JwtFault::Kind.into());
        }
        let key = self.keys.find(header.kid.as_deref(), algorithm)?;
        if !key.verifies(algorithm, message.as_bytes(), &signature) {
            return Err(JwtFault::Signature.into());
        }

        let claims: claims::Claims = serde_json::from_slice(&decode(payload)?).map_err(|_| JwtFault::Form)?;
        claims::principal(&claims, &self.rules, now)
    }

    /// Whether a text looks like a token of a provider rather than one of this archive.
    pub fn is_jwt(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }
}

/// RFC 8725, section 3.11: the same key may sign tokens for other ends.
fn lets_in(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

fn decode(part: &str) -> Result<Vec<u8>, JwtFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtFault::Form)
}
