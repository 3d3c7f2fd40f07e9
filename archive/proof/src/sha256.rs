//! SHA-256 (FIPS 180-4) of messages that are assembled in place, one by one or many at once. Every archived record is
//! hashed three times: as a record, as its share of the tree, and for its salt.
//!
//! ```text
//! messages with equal block counts ─┬─ 16 lanes, if the processor has AVX-512 ─┬─▶ hashes, in the order of the messages
//!                                   └─ otherwise one after the other ──────────┘
//! ```
//!
//! The rounds of one message depend on each other. Sixteen independent messages can share every instruction, which
//! takes half the time even on processors with instructions for SHA-256.
//!
//! Invariant: both ways compute the same function.

mod lanes;

use lanes::Lanes;
use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use tlog_tiles::Hash;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;
/// Messages that are hashed at the same time.
pub(crate) const LANES: usize = 16;
/// Messages from which on the lanes are faster than one after the other.
const MIN_LANES: usize = 9;
/// Blocks of a message that is hashed together with others. Longer messages are hashed alone, because they are too rare
/// to fill the lanes.
const MAX_BLOCKS: usize = 16;
/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hash of a padded message.
pub(crate) fn of_blocks(blocks: &[u8]) -> [u8; 32] {
    let mut state = INITIAL;
    for block in blocks.chunks_exact(BLOCK) {
        compress256(&mut state, std::slice::from_ref(GenericArray::from_slice(block)));
    }
    let mut digest = [0; 32];
    for (place, word) in digest.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The hashes of the padded messages of `count` blocks each that `blocks` contains one after the other.
pub(crate) fn of_many(blocks: &[u8], count: usize, hashes: &mut [Hash]) {
    debug_assert_eq!(blocks.len(), hashes.len() * count * BLOCK);
    let lanes = Lanes::new();
    for (messages, hashes) in blocks.chunks(LANES * count * BLOCK).zip(hashes.chunks_mut(LANES)) {
        match lanes {
            Some(lanes) if hashes.len() >= MIN_LANES => lanes.hash(messages, count, hashes),
            _ => {
                for (message, hash) in messages.chunks_exact(count * BLOCK).zip(hashes) {
                    hash.0 = of_blocks(message);
                }
            }
        }
    }
}

/// Pads the message in `bytes` from `start` on (FIPS 180-4, section 5.1.1).
fn pad(bytes: &mut Vec<u8>, start: usize) {
    let length = bytes.len() - start;
    bytes.push(0x80);
    let padded = (length + 1 + 8).next_multiple_of(BLOCK);
    bytes.resize(start + padded - 8, 0);
    bytes.extend_from_slice(&(length as u64 * 8).to_be_bytes());
}

/// Hashes records as leaves (RFC 6962, section 2.1), many at once. Keep it between batches, so that its buffers are
/// reused.
#[derive(Debug, Default)]
pub struct RecordHasher {
    /// Messages that wait for others with as many blocks: at index n those of n + 1 blocks.
    waiting: [Waiting; MAX_BLOCKS],
    /// The index of the last message's block count.
    last: usize,
    /// The hash of every record that was added; zeros for those that wait.
    hashes: Vec<Hash>,
    moved: Vec<u8>,
}

#[derive(Debug, Default)]
struct Waiting {
    blocks: Vec<u8>,
    places: Vec<usize>,
}

impl RecordHasher {
    /// Adds the record that `write` appends.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        // Records are similar: this one probably has as many blocks as the last, and can be assembled in place.
        let blocks = &mut self.waiting[self.last].blocks;
        let start = blocks.len();
        blocks.push(0);
        write(blocks);
        pad(blocks, start);
        let count = (blocks.len() - start) / BLOCK;
        if count != self.last + 1 {
            self.moved.clear();
            self.moved.extend_from_slice(&blocks[start..]);
            blocks.truncate(start);
            if count > MAX_BLOCKS {
                self.hashes.push(Hash(of_blocks(&self.moved)));
                return;
            }
            self.last = count - 1;
            self.waiting[self.last].blocks.extend_from_slice(&self.moved);
        }
        let waiting = &mut self.waiting[self.last];
        waiting.places.push(self.hashes.len());
        self.hashes.push(Hash([0; 32]));
        if waiting.places.len() == LANES {
            waiting.hash(count, &mut self.hashes);
        }
    }

    /// The hashes of all records that were added since the last [`RecordHasher::clear`], in the order in which they
    /// were added.
    pub fn hashes(&mut self) -> &[Hash] {
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            waiting.hash(index + 1, &mut self.hashes);
        }
        &self.hashes
    }

    /// Removes all records.
    pub fn clear(&mut self) {
        for waiting in &mut self.waiting {
            waiting.blocks.clear();
            waiting.places.clear();
        }
        self.hashes.clear();
    }
}

impl Waiting {
    fn hash(&mut self, count: usize, hashes: &mut [Hash]) {
        let mut made = [Hash([0; 32]); LANES];
        let made = &mut made[..self.places.len()];
        of_many(&self.blocks, count, made);
        for (place, hash) in self.places.drain(..).zip(made) {
            hashes[place] = *hash;
        }
        self.blocks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use tlog_tiles::record_hash;

    #[test]
    fn every_length_has_the_same_hash_alone_and_among_others() {
        for length in 0..1100 {
            let message: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            let mut padded = message.clone();
            pad(&mut padded, 0);
            let expected: [u8; 32] = Sha256::digest(&message).into();
            assert_eq!(of_blocks(&padded), expected, "{length}");
            for among in [1, MIN_LANES - 1, MIN_LANES, LANES - 1, LANES, LANES + 1, 3 * LANES - 2] {
                let mut hashes = vec![Hash([0; 32]); among];
                // Every lane has another message.
                let messages: Vec<Vec<u8>> =
                    (0..among).map(|n| message.iter().map(|byte| byte.wrapping_add(n as u8)).collect()).collect();
                let blocks = messages.iter().flat_map(|message| {
                    let mut padded = message.clone();
                    pad(&mut padded, 0);
                    padded
                });
                of_many(&blocks.collect::<Vec<u8>>(), padded.len() / BLOCK, &mut hashes);
                let expected: Vec<Hash> = messages.iter().map(|message| Hash(Sha256::digest(message).into())).collect();
                assert_eq!(hashes, expected, "{length} bytes, {among} messages");
            }
        }
    }

    proptest! {
        #[test]
        fn records_are_hashed_in_the_order_in_which_they_are_added(
            lengths in proptest::collection::vec(0usize..1500, 0..200)
        ) {
            let mut hasher = RecordHasher::default();
            for round in 0..2u8 {
                let mut expected = Vec::new();
                for (place, length) in lengths.iter().enumerate() {
                    let record = vec![place as u8 ^ round; *length];
                    hasher.add(|message| message.extend_from_slice(&record));
                    expected.push(record_hash(&record));
                }
                prop_assert_eq!(hasher.hashes(), expected);
                hasher.clear();
            }
        }
    }
}
