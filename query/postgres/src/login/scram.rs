//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 5929).
//!
//! ```text
//! client-first  ─▶ Exchange::begin(verifier, nonce, binding) ─▶ server-first
//! client-final  ─▶ Exchange::finish                          ─▶ server-final, or ScramError
//! ```
//!
//! Pure. It uses a verifier in PostgreSQL's format (StoredKey and ServerKey). It never has the password or an equivalent of
//! it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use std::fmt;
use subtle::ConstantTimeEq;

/// The mechanism without channel binding.
pub(crate) const PLAIN: &str = "SCRAM-SHA-256";
/// The mechanism that is bound to the TLS connection.
pub(crate) const PLUS: &str = "SCRAM-SHA-256-PLUS";
const BINDING: &str = "tls-server-end-point";

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    /// The client violated the protocol.
    #[error("the SCRAM exchange is invalid: {0}")]
    Invalid(&'static str),
    /// The client has another password.
    #[error("the proof is wrong")]
    WrongProof,
    /// The stored verifier cannot be parsed.
    #[error("the stored verifier is invalid: {0}")]
    Verifier(&'static str),
}

/// The stored verifier of a password.
#[derive(Clone)]
pub(crate) struct Verifier {
    iterations: u32,
    salt: String,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub(crate) fn parse(text: &str) -> Result<Self, ScramError> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(ScramError::Verifier("it is of another kind"))?;
        let (how, keys) = rest.split_once('$').ok_or(ScramError::Verifier("it has no keys"))?;
        let (iterations, salt) = how.split_once(':').ok_or(ScramError::Verifier("it has no salt"))?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(ScramError::Verifier("it has one key"))?;
        let key = |text: &str| -> Option<[u8; 32]> { STANDARD.decode(text).ok()?.try_into().ok() };
        let iterations = iterations.parse().map_err(|_| ScramError::Verifier("its iterations are not a number"))?;
        STANDARD.decode(salt).map_err(|_| ScramError::Verifier("its salt is not base64"))?;
        Ok(Self {
            iterations,
            salt: salt.to_owned(),
            stored_key: key(stored_key).ok_or(ScramError::Verifier("its StoredKey is invalid"))?,
            server_key: key(server_key).ok_or(ScramError::Verifier("its ServerKey is invalid"))?,
        })
    }
}

/// An exchange after the first messages of both sides.
#[derive(Debug)]
pub(crate) struct Exchange {
    verifier: Verifier,
    /// The channel binding data that the client must repeat, base64.
    channel: String,
    client_first_bare: String,
    server_first: String,
    nonce: String,
}

impl Exchange {
    /// Reads the client's first message and returns the server's. `mechanism` is the client's choice, `nonce` is fresh and
    /// random, `end_point` is the channel binding of the connection.
    pub(crate) fn begin(
        mechanism: &str,
        client_first: &[u8],
        verifier: Verifier,
        nonce: &str,
        end_point: Option<&[u8]>,
    ) -> Result<(Self, String), ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_| ScramError::Invalid("it is not UTF-8"))?;
        let mut parts = text.splitn(3, ',');
        let (flag, identity, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(flag), Some(identity), Some(bare)) = (flag, identity, bare) else {
            return Err(ScramError::Invalid("its first message is too short"));
        };
        if !identity.is_empty() {
            return Err(ScramError::Invalid("it requests another identity"));
        }
        let header = format!("{flag},,");
        let mut channel = header.into_bytes();
        match (flag, mechanism) {
            ("n", PLAIN) => {}
            ("y", PLAIN) if end_point.is_none() => {}
            // The server offered channel binding and the client did not see the offer: an attacker may have removed it.
            ("y", PLAIN) => return Err(ScramError::Invalid("the offer of channel binding was removed on the way")),
            (flag, PLUS) if flag.strip_prefix("p=") == Some(BINDING) => {
                channel.extend_from_slice(end_point.ok_or(ScramError::Invalid("this channel has no binding"))?);
            }
            _ => return Err(ScramError::Invalid("its channel binding does not match its mechanism")),
        }
        let mut attributes = bare.split(',');
        // PostgreSQL uses the user of the startup message and ignores the one here.
        if !attributes.next().is_some_and(|name| name.starts_with("n=")) {
            return Err(ScramError::Invalid("it requires an unknown extension"));
        }
        let client_nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let client_nonce =
            client_nonce.filter(|nonce| !nonce.is_empty()).ok_or(ScramError::Invalid("it has no nonce"))?;
        let nonce = format!("{client_nonce}{nonce}");
        let server_first = format!("r={nonce},s={},i={}", verifier.salt, verifier.iterations);
        let exchange = Self {
            verifier,
            channel: STANDARD.encode(channel),
            client_first_bare: bare.to_owned(),
            server_first: server_first.clone(),
            nonce,
        };
        Ok((exchange, server_first))
    }

    /// Checks the proof in the client's last message. Returns the server's last message, which proves that the server has the
    /// verifier.
    pub(crate) fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let text = std::str::from_utf8(client_final).map_err(|_| ScramError::Invalid("it is not UTF-8"))?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Invalid("it has no proof"))?;
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Invalid("its proof is not base64"))?;
        let mut attributes = without_proof.split(',');
        if attributes.next().and_then(|channel| channel.strip_prefix("c=")) != Some(self.channel.as_str()) {
            return Err(ScramError::Invalid("it is bound to another channel"));
        }
        if attributes.next().and_then(|nonce| nonce.strip_prefix("r=")) != Some(self.nonce.as_str()) {
            return Err(ScramError::Invalid("its nonce is different"));
        }
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = mac(&self.verifier.stored_key, message.as_bytes());
        if proof.len() != signature.len() {
            return Err(ScramError::WrongProof);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        if !bool::from(stored_key.as_ref().ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::WrongProof);
        }
        Ok(format!("v={}", STANDARD.encode(mac(&self.verifier.server_key, message.as_bytes()))))
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests;
