//! The salts of event hashes.
//!
//! A hash of a short text can be guessed back: whoever has the hash of "yes" can try "yes". So every record is hashed with
//! a salt of its own, which is derived from a secret that stands in an encrypted column of the data file. When the file
//! and its keys are destroyed, what remains in the log tells nothing; and a proof of one event shows the salt of that
//! event alone.
//!
//! ```text
//! secret (32 random bytes, one for each class and date of one writer)
//!   └─ stream = SHA-256("holdfast salts 1\n" ‖ secret ‖ u32 partition ‖ topic)      one for each topic and partition
//!        └─ salt = the first 16 bytes of SHA-256(stream ‖ u64 offset)
//! ```
//!
//! Integers are big-endian.

use sha2::{Digest, Sha256};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

/// The secret that the salts of a class and date are derived from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The salts of one topic and partition.
#[derive(Clone)]
pub struct Salts(Sha256);

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salts")
    }
}

impl Salts {
    /// The salts of `topic` and `partition` under `secret`.
    pub fn new(secret: &Secret, topic: &str, partition: i32) -> Self {
        let stream = Sha256::new()
            .chain_update(b"holdfast salts 1\n")
            .chain_update(secret.0)
            .chain_update(partition.to_be_bytes())
            .chain_update(topic.as_bytes())
            .finalize();
        Self(Sha256::new().chain_update(stream))
    }

    /// The salt of the record at `offset`.
    pub fn salt(&self, offset: i64) -> [u8; SALT_BYTES] {
        let digest: [u8; 32] = self.0.clone().chain_update(offset.to_be_bytes()).finalize().into();
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&digest[..SALT_BYTES]);
        salt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_differ_by_secret_topic_partition_and_offset_and_stay_the_same() {
        let secret = Secret([7; 32]);
        let salt = Salts::new(&secret, "t", 3).salt(9);
        assert_eq!(salt, Salts::new(&secret, "t", 3).salt(9));
        for other in [
            Salts::new(&Secret([8; 32]), "t", 3).salt(9),
            Salts::new(&secret, "u", 3).salt(9),
            Salts::new(&secret, "t", 4).salt(9),
            Salts::new(&secret, "t", 3).salt(10),
        ] {
            assert_ne!(salt, other);
        }
    }

    #[test]
    fn the_derivation_is_what_the_format_says() {
        let stream = Sha256::digest([b"holdfast salts 1\n".as_slice(), &[7; 32], &[0, 0, 0, 3], b"t"].concat());
        let digest = Sha256::digest([stream.as_slice(), &9u64.to_be_bytes()].concat());
        assert_eq!(Salts::new(&Secret([7; 32]), "t", 3).salt(9), digest[..16]);
    }
}
