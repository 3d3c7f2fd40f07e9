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
//!        └─ pair = SHA-256(stream ‖ u64 half of the offset, rounded down)
//!             └─ salt = its first 16 bytes for an even offset, its last 16 for an odd one
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
pub struct Salts {
    stream: [u8; 32],
    /// The pair that was made last: records mostly come in the order of their offsets.
    last: Option<(i64, [u8; 32])>,
}

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
        Self { stream: stream.into(), last: None }
    }

    /// The salt of the record at `offset`.
    pub fn salt(&mut self, offset: i64) -> [u8; SALT_BYTES] {
        let half = offset >> 1;
        let pair = match self.last {
            Some((known, pair)) if known == half => pair,
            _ => {
                // 40 bytes and their padding are one block.
                let mut block = [0u8; 64];
                block[..32].copy_from_slice(&self.stream);
                block[32..40].copy_from_slice(&half.to_be_bytes());
                block[40] = 0x80;
                block[62..].copy_from_slice(&(40u16 * 8).to_be_bytes());
                let pair = crate::sha256::of_blocks(&block);
                self.last = Some((half, pair));
                pair
            }
        };
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(if offset & 1 == 0 { &pair[..SALT_BYTES] } else { &pair[SALT_BYTES..] });
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
        assert_ne!(salt, Salts::new(&secret, "t", 3).salt(8));
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
        let pair = Sha256::digest([stream.as_slice(), &4u64.to_be_bytes()].concat());
        let mut salts = Salts::new(&Secret([7; 32]), "t", 3);
        assert_eq!((salts.salt(8).as_slice(), salts.salt(9).as_slice()), (&pair[..16], &pair[16..]));
    }
}
