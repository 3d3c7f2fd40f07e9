//! SHA-256 over messages that are put together in place: the same function as anywhere else, without the bookkeeping of one that
//! is fed in pieces. Every archived record goes through it twice or more.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

const BLOCK: usize = 64;
/// FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hash of a message that is padded already.
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

/// The hash of the message in `message`, which is padded in place: it is of no use to the caller afterwards.
pub fn sha256_in_place(message: &mut Vec<u8>) -> [u8; 32] {
    let bits = (message.len() as u64) * 8;
    message.push(0x80);
    let padded = (message.len() + 8).next_multiple_of(BLOCK);
    message.resize(padded - 8, 0);
    message.extend_from_slice(&bits.to_be_bytes());
    of_blocks(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn it_is_the_same_function_for_every_length() {
        for length in 0..300 {
            let message: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            let expected: [u8; 32] = Sha256::digest(&message).into();
            assert_eq!(sha256_in_place(&mut message.clone()), expected, "{length}");
        }
    }
}
