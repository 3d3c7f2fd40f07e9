//! The salts of event hashes.
//!
//! The hash of a short text can be reversed by guessing: anybody with the hash of "yes" can try "yes". So every record
//! is hashed with its own salt, which is derived from a secret in an encrypted column of the data file. After the file
//! and its keys are destroyed, the hashes that remain in the log reveal nothing. The proof of one event contains only
//! the salt of that event.
//!
//! ```text
//! secret (32 random bytes, one for each class and date of one writer)
//!   └─ stream = SHA-256("holdfast salts 1\n" ‖ secret ‖ u32 partition ‖ topic)      one for each topic and partition
//!        └─ pair = SHA-256(stream ‖ u64 half of the offset, rounded down)
//!             └─ salt = its first 16 bytes for an even offset, its last 16 for an odd one
//! ```
//!
//! Integers are big-endian.

use crate::sha256::{BLOCK, LANES, of_many};
use sha2::{Digest, Sha256};
use tlog_tiles::Hash;

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
    /// The pairs that were derived last. `first` is the half of the first of them.
    pairs: [Hash; LANES],
    count: usize,
    first: i64,
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
        Self { stream: stream.into(), pairs: [Hash([0; 32]); LANES], count: 0, first: 0 }
    }

    /// The salt of the record at `offset`.
    pub fn salt(&mut self, offset: i64) -> [u8; SALT_BYTES] {
        let half = offset >> 1;
        let place = match usize::try_from(half.wrapping_sub(self.first)) {
            Ok(place) if place < self.count => place,
            // Offsets are mostly read in order, so the next ones will be needed.
            Ok(place) if place == self.count => self.derive(half, LANES),
            _ => self.derive(half, 1),
        };
        let pair = &self.pairs[place].0;
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(if offset & 1 == 0 { &pair[..SALT_BYTES] } else { &pair[SALT_BYTES..] });
        salt
    }

    /// Derives `count` pairs from that of `half` on. Returns the index of the pair of `half`.
    fn derive(&mut self, half: i64, count: usize) -> usize {
        // 40 bytes and their padding are one block.
        let mut blocks = [0u8; LANES * BLOCK];
        let blocks = &mut blocks[..count * BLOCK];
        for (further, block) in blocks.chunks_exact_mut(BLOCK).enumerate() {
            block[..32].copy_from_slice(&self.stream);
            block[32..40].copy_from_slice(&half.wrapping_add(further as i64).to_be_bytes());
            block[40] = 0x80;
            block[62..].copy_from_slice(&(40u16 * 8).to_be_bytes());
        }
        of_many(blocks, 1, &mut self.pairs[..count]);
        (self.first, self.count) = (half, count);
        0
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
    fn the_derivation_is_as_specified() {
        let stream = Sha256::digest([b"holdfast salts 1\n".as_slice(), &[7; 32], &[0, 0, 0, 3], b"t"].concat());
        let pair = Sha256::digest([stream.as_slice(), &4u64.to_be_bytes()].concat());
        let mut salts = Salts::new(&Secret([7; 32]), "t", 3);
        assert_eq!((salts.salt(8).as_slice(), salts.salt(9).as_slice()), (&pair[..16], &pair[16..]));
    }

    proptest::proptest! {
        #[test]
        fn a_salt_does_not_depend_on_earlier_ones(steps in proptest::collection::vec(-40i64..40, 1..200), far: i64) {
            let mut salts = Salts::new(&Secret([7; 32]), "t", 3);
            let mut offset = 0i64;
            for step in steps {
                offset = if step == -40 { far } else { offset.wrapping_add(step.max(-8) / 8 + 1) };
                let alone = Salts::new(&Secret([7; 32]), "t", 3).salt(offset);
                proptest::prop_assert_eq!(salts.salt(offset), alone);
            }
        }
    }
}
