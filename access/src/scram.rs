//! SCRAM-SHA-256 verifiers (RFC 5802, 7677): enough to check a client that knows the password, not enough to be that client.
//!
//! ```text
//! SaltedPassword = PBKDF2(password, salt, iterations)
//! StoredKey = SHA-256(HMAC(SaltedPassword, "Client Key"))     ServerKey = HMAC(SaltedPassword, "Server Key")
//! ```
//!
//! The text form is the one that PostgreSQL stores in `pg_authid`: `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::password::prepared;

/// Iterations of a new verifier: the default of PostgreSQL and the minimum of RFC 7677.
pub const SCRAM_ITERATIONS: u32 = 4096;
/// The greatest number of iterations of a verifier from a file. The client computes them.
const MAX_ITERATIONS: u32 = 10_000_000;
const MAX_SALT_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// Bytes of the salt of a new verifier, as in PostgreSQL.
pub(crate) const SALT_BYTES: usize = 16;

/// A verifier: what the server stores of a password.
#[derive(Clone)]
pub struct ScramVerifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
}

/// A text is not a verifier. The message does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a SCRAM verifier; it must be SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")]
pub struct InvalidVerifier;

impl ScramVerifier {
    /// Derives the verifier of a password.
    pub fn derive(password: &str, salt: Vec<u8>, iterations: NonZeroU32) -> Self {
        let mut salted = Zeroizing::new([0; KEY_BYTES]);
        let password = prepared(password);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut *salted);
        let client_key = Zeroizing::new(hmac(&*salted, b"Client Key"));
        let server_key = hmac(&*salted, b"Server Key");
        Self { iterations, salt, stored_key: sha256(&*client_key), server_key }
    }

    /// A mock verifier: its keys are random, so no client can send a valid proof.
    pub(crate) fn mock(salt: [u8; KEY_BYTES], stored_key: [u8; KEY_BYTES], server_key: [u8; KEY_BYTES]) -> Self {
        let iterations = NonZeroU32::new(SCRAM_ITERATIONS).unwrap_or(NonZeroU32::MIN);
        Self { iterations, salt: salt[..SALT_BYTES].to_vec(), stored_key, server_key }
    }

    /// The salt that is sent to the client.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The iterations that are sent to the client.
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// Whether a client's proof is valid, so that it knows the password. `auth_message` is the AuthMessage of RFC 5802: the three
    /// messages so far, without the proof, joined by commas.
    pub fn accepts(&self, auth_message: &[u8], client_proof: &[u8]) -> bool {
        let Ok(proof) = <[u8; KEY_BYTES]>::try_from(client_proof) else { return false };
        let signature = hmac(&self.stored_key, auth_message);
        let mut client_key = Zeroizing::new([0; KEY_BYTES]);
        for (key, (proof, signature)) in client_key.iter_mut().zip(proof.iter().zip(signature)) {
            *key = proof ^ signature;
        }
        sha256(&*client_key).ct_eq(&self.stored_key).into()
    }

    /// The ServerSignature of RFC 5802, which proves to the client that the server has the verifier.
    pub fn server_signature(&self, auth_message: &[u8]) -> [u8; 32] {
        hmac(&self.server_key, auth_message)
    }

    /// The text that PostgreSQL stores. Store it only in files that only their owner can read.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        ))
    }
}

impl FromStr for ScramVerifier {
    type Err = InvalidVerifier;

    fn from_str(text: &str) -> Result<Self, InvalidVerifier> {
        let parts = || {
            let (cost, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
            let (iterations, salt) = cost.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            let key = |text: &str| <[u8; KEY_BYTES]>::try_from(STANDARD.decode(text).ok()?).ok();
            let iterations: u32 = iterations.parse().ok()?;
            let salt = STANDARD.decode(salt).ok()?;
            let is_valid =
                (SCRAM_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) && (1..=MAX_SALT_BYTES).contains(&salt.len());
            let iterations = NonZeroU32::new(iterations).filter(|_| is_valid)?;
            Some(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
        };
        parts().ok_or(InvalidVerifier)
    }
}

impl PartialEq for ScramVerifier {
    fn eq(&self, other: &Self) -> bool {
        let keys = self.stored_key.ct_eq(&other.stored_key) & self.server_key.ct_eq(&other.server_key);
        self.iterations == other.iterations && self.salt == other.salt && bool::from(keys)
    }
}

impl Eq for ScramVerifier {}

impl Drop for ScramVerifier {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramVerifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; KEY_BYTES] {
    let mut out = [0; KEY_BYTES];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref());
    out
}

fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut out = [0; KEY_BYTES];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: user "user", password "pencil".
    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const AUTH_MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn verifier(password: &str) -> ScramVerifier {
        ScramVerifier::derive(password, STANDARD.decode(SALT).unwrap(), NonZeroU32::new(SCRAM_ITERATIONS).unwrap())
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let verifier = verifier("pencil");
        let proof = STANDARD.decode(PROOF).unwrap();
        assert!(verifier.accepts(AUTH_MESSAGE.as_bytes(), &proof));
        assert_eq!(STANDARD.encode(verifier.server_signature(AUTH_MESSAGE.as_bytes())), SIGNATURE);
    }

    #[test]
    fn another_password_message_or_proof_is_not_accepted() {
        let proof = STANDARD.decode(PROOF).unwrap();
        assert!(!verifier("pencils").accepts(AUTH_MESSAGE.as_bytes(), &proof));
        let verifier = verifier("pencil");
        assert!(!verifier.accepts(AUTH_MESSAGE.replace("user", "admin").as_bytes(), &proof));
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] ^= 1;
            assert!(!verifier.accepts(AUTH_MESSAGE.as_bytes(), &changed), "byte {at}");
        }
        assert!(!verifier.accepts(AUTH_MESSAGE.as_bytes(), &proof[..31]));
        assert!(!verifier.accepts(AUTH_MESSAGE.as_bytes(), &[]));
    }

    #[test]
    fn the_text_is_that_of_postgresql_and_survives_writing_and_reading() {
        let verifier = verifier("pencil");
        let text = verifier.to_text();
        // The keys of the password of RFC 7677, as other implementations derive them.
        assert_eq!(
            *text,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
             wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
        assert!(text.parse::<ScramVerifier>().unwrap() == verifier);
        assert!(!format!("{verifier:?}").contains("WG5d"), "keys are not printed");
    }

    #[test]
    fn broken_texts_are_refused() {
        let text = verifier("pencil").to_text();
        for broken in [
            "",
            "pencil",
            &text.replace("SHA-256", "SHA-1"),
            &text.replace("4096", "4095"),
            &text.replace("4096", "99999999"),
            &text.replace("4096", "-1"),
            &text.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
            &text[..text.len() - 4],
            &format!("{}AAAA", *text),
        ] {
            assert!(broken.parse::<ScramVerifier>().is_err(), "{broken}");
        }
    }
}
