//! Passwords and token secrets at rest: Argon2id (RFC 9106) in the PHC string format.

use std::borrow::Cow;
use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier as _, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::randomness::{NoRandomness, Randomness, draw};

/// The least number of characters of a password.
pub const MIN_PASSWORD_CHARACTERS: usize = 12;
/// The greatest number of bytes of a password. Longer ones are not hashed.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Bounds on the cost of a hash in the file: it is computed for every client that sends a password.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 32;
const MAX_LANES: u32 = 64;

/// The cost of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106, section 4.
    pub(crate) const PASSWORD: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// A token's secret has 256 random bits, so the hash need not make guessing more expensive.
    pub(crate) const TOKEN: Self = Self { memory_kib: 8 * 1024, passes: 1, lanes: 1 };
    /// For tests in which the cost does not matter.
    #[cfg(test)]
    pub(crate) const MINIMUM: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };

    fn argon2(self) -> Option<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(Params::DEFAULT_OUTPUT_LEN)).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// Spends the time of checking a secret when there is no hash to check it against.
    pub(crate) fn spend(self, secret: &str) {
        if let Some(argon2) = self.argon2() {
            let mut out = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
            // Neither the hash nor an error is needed.
            let _ = argon2.hash_password_into(secret.as_bytes(), &[0; argon2::RECOMMENDED_SALT_LEN], &mut *out);
        }
    }
}

/// Why a secret could not be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashFailed {
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("Argon2 refused to hash")]
    Refused,
}

/// The hash of a secret. It allows offline guessing, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretHash(Zeroizing<String>);

impl SecretHash {
    pub(crate) fn make(secret: &str, cost: Cost, randomness: &mut dyn Randomness) -> Result<Self, HashFailed> {
        let salt = draw::<{ argon2::RECOMMENDED_SALT_LEN }>(randomness)?;
        let mut out = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
        let argon2 = cost.argon2().ok_or(HashFailed::Refused)?;
        argon2.hash_password_into(secret.as_bytes(), &*salt, &mut *out).map_err(|_| HashFailed::Refused)?;
        Ok(Self(Zeroizing::new(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            STANDARD_NO_PAD.encode(*salt),
            STANDARD_NO_PAD.encode(*out)
        ))))
    }

    /// Reads a PHC string whose cost is within the bounds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let is_bounded =
            params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_LANES;
        let is_argon2id = hash.algorithm.as_str() == "argon2id" && hash.version == Some(19);
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        (is_argon2id && is_bounded && is_whole).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn matches(&self, secret: &str) -> bool {
        // The comparison of the hashes takes constant time.
        PasswordHash::new(&self.0).is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretHash")
    }
}

/// Normalizes a password (SASLprep, RFC 4013), so that two ways of typing it are equal. One that SASLprep prohibits stays as it
/// is, as in PostgreSQL and its clients.
pub(crate) fn prepared(password: &str) -> Zeroizing<String> {
    let prepared = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
    Zeroizing::new(prepared.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_hash_matches_only_its_secret() {
        let hash = SecretHash::make("correct horse", Cost::MINIMUM, &mut SystemRandomness).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", hash.as_str());
        let read = SecretHash::parse(hash.as_str()).unwrap();
        assert!(read.matches("correct horse"));
        for other in ["", "correct horse ", "Correct horse"] {
            assert!(!read.matches(other), "{other}");
        }
        let again = SecretHash::make("correct horse", Cost::MINIMUM, &mut SystemRandomness).unwrap();
        assert!(again != hash, "each hash has a salt of its own");
        assert_eq!(format!("{hash:?}"), "SecretHash");
    }

    #[test]
    fn a_hash_that_another_program_made_is_read() {
        // `argon2 somesalt -id -t 2 -m 16 -p 1 -l 32` of the reference implementation's test vectors, password "password".
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = SecretHash::parse(text).unwrap();
        assert!(hash.matches("password"));
        assert!(!hash.matches("passwore"));
    }

    #[test]
    fn other_algorithms_and_excessive_costs_are_refused() {
        for text in [
            "",
            "secret",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=1000,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
            "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        ] {
            assert!(SecretHash::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn two_ways_of_typing_a_password_are_equal() {
        assert_eq!(*prepared("cafe\u{301} secret"), *prepared("caf\u{e9} secret"));
        assert_eq!(*prepared("a\u{a0}b"), "a b");
        // What SASLprep prohibits stays as it is.
        assert_eq!(*prepared("bell\u{7}"), "bell\u{7}");
    }

    #[test]
    fn without_randomness_there_is_no_hash() {
        let mut none = |_: &mut [u8]| Err(NoRandomness);
        assert!(matches!(SecretHash::make("x", Cost::MINIMUM, &mut none), Err(HashFailed::NoRandomness(_))));
    }
}
