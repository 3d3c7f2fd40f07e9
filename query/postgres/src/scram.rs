//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677, RFC 5929).
//!
//! ```text
//! client-first  ─▶ Exchange::begin(verifier, nonce, binding) ─▶ server-first
//! client-final  ─▶ Exchange::finish                          ─▶ server-final, or Failure
//! ```
//!
//! Pure. It works from a verifier as PostgreSQL stores it (StoredKey and ServerKey), so that neither the password nor
//! anything that could stand for it is ever known here.

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

/// Why an exchange ended without a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The client broke the rules of the exchange.
    #[error("the SCRAM exchange is broken: {0}")]
    Broken(&'static str),
    /// The client does not know the password.
    #[error("the proof is wrong")]
    Unproven,
    /// Our own verifier cannot be read.
    #[error("the stored verifier is broken: {0}")]
    Verifier(&'static str),
}

/// What is kept of a password.
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
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(Failure::Verifier("it is of another kind"))?;
        let (how, keys) = rest.split_once('$').ok_or(Failure::Verifier("it has no keys"))?;
        let (iterations, salt) = how.split_once(':').ok_or(Failure::Verifier("it has no salt"))?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(Failure::Verifier("it has one key"))?;
        let key = |text: &str| -> Option<[u8; 32]> { STANDARD.decode(text).ok()?.try_into().ok() };
        let iterations = iterations.parse().map_err(|_| Failure::Verifier("its iterations are no number"))?;
        STANDARD.decode(salt).map_err(|_| Failure::Verifier("its salt is not base64"))?;
        Ok(Self {
            iterations,
            salt: salt.to_owned(),
            stored_key: key(stored_key).ok_or(Failure::Verifier("its StoredKey is broken"))?,
            server_key: key(server_key).ok_or(Failure::Verifier("its ServerKey is broken"))?,
        })
    }
}

/// An exchange whose first half is done.
#[derive(Debug)]
pub(crate) struct Exchange {
    verifier: Verifier,
    /// What the client must repeat about the channel, base64.
    channel: String,
    client_first_bare: String,
    server_first: String,
    nonce: String,
}

impl Exchange {
    /// Reads the client's first message and answers it. `end_point` is the channel's binding where the connection has one,
    /// `nonce` is fresh and random. `mechanism` is what the client chose.
    pub(crate) fn begin(
        mechanism: &str,
        client_first: &[u8],
        verifier: Verifier,
        nonce: &str,
        end_point: Option<&[u8]>,
    ) -> Result<(Self, String), Failure> {
        let text = std::str::from_utf8(client_first).map_err(|_| Failure::Broken("it is not UTF-8"))?;
        let mut parts = text.splitn(3, ',');
        let (flag, identity, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(flag), Some(identity), Some(bare)) = (flag, identity, bare) else {
            return Err(Failure::Broken("its first message is too short"));
        };
        if !identity.is_empty() {
            return Err(Failure::Broken("it asks for another identity"));
        }
        let header = format!("{flag},,");
        let mut channel = header.into_bytes();
        match (flag, mechanism) {
            ("n", PLAIN) => {}
            ("y", PLAIN) if end_point.is_none() => {}
            // We offered it, and the client never saw that: somebody stands between.
            ("y", PLAIN) => return Err(Failure::Broken("the offer of channel binding was taken out on the way")),
            (flag, PLUS) if flag.strip_prefix("p=") == Some(BINDING) => {
                channel.extend_from_slice(end_point.ok_or(Failure::Broken("this channel has no binding"))?);
            }
            _ => return Err(Failure::Broken("its channel binding does not fit its mechanism")),
        }
        let mut attributes = bare.split(',');
        // The user's name was given at the start of the session and stands here only for form's sake.
        if !attributes.next().is_some_and(|name| name.starts_with("n=")) {
            return Err(Failure::Broken("an extension that is not known is demanded"));
        }
        let client_nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let client_nonce = client_nonce.filter(|nonce| !nonce.is_empty()).ok_or(Failure::Broken("it has no nonce"))?;
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

    /// Checks the proof in the client's last message and proves in turn that this server knows the verifier.
    pub(crate) fn finish(self, client_final: &[u8]) -> Result<String, Failure> {
        let text = std::str::from_utf8(client_final).map_err(|_| Failure::Broken("it is not UTF-8"))?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::Broken("it has no proof"))?;
        let proof = STANDARD.decode(proof).map_err(|_| Failure::Broken("its proof is not base64"))?;
        let mut attributes = without_proof.split(',');
        if attributes.next().and_then(|channel| channel.strip_prefix("c=")) != Some(self.channel.as_str()) {
            return Err(Failure::Broken("it is bound to another channel"));
        }
        if attributes.next().and_then(|nonce| nonce.strip_prefix("r=")) != Some(self.nonce.as_str()) {
            return Err(Failure::Broken("its nonce is another one"));
        }
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = mac(&self.verifier.stored_key, message.as_bytes());
        if proof.len() != signature.len() {
            return Err(Failure::Unproven);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        if !bool::from(stored_key.as_ref().ct_eq(&self.verifier.stored_key)) {
            return Err(Failure::Unproven);
        }
        Ok(format!("v={}", STANDARD.encode(mac(&self.verifier.server_key, message.as_bytes()))))
    }
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests;
