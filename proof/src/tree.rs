//! Merkle trees over leaf hashes that are at hand (RFC 6962, section 2.1), and the checks of their proofs.
//!
//! ```text
//! leaf hashes ──root──▶ root                     leaf hashes ──subtree_roots──▶ roots ──root_of_subtrees──▶ root
//! leaf hashes, index ──inclusion_path──▶ path    path, size, root, index, leaf hash ──check_inclusion──▶ bool
//! ```
//!
//! A tree of n > 1 leaves is split at the greatest power of two that is less than n. Its full subtrees of one height
//! are therefore the leaves of a tree with the same root; storage may keep the subtrees' roots in place of the leaves.
//!
//! Invariants:
//! - root(leaves) = root_of_subtrees(subtree_roots(leaves, height)) for every height.
//! - check_inclusion accepts what inclusion_path returns, at its index and at no other.
//! - The checks take bytes from outside: they return false, and never panic.

use tlog_tiles::{EMPTY_HASH, Hash, check_record, check_tree};

/// Hashes of the longest path that a tree of 2^64 leaves could have.
pub const MAX_PATH: usize = 64;

/// The hash of an inner node: SHA-256 of 0x01, left and right.
fn node(left: &Hash, right: &Hash) -> Hash {
    // 65 bytes and their padding are two blocks (FIPS 180-4, section 5.1.1).
    let mut blocks = [0u8; 128];
    blocks[0] = 1;
    blocks[1..33].copy_from_slice(&left.0);
    blocks[33..65].copy_from_slice(&right.0);
    blocks[65] = 0x80;
    blocks[126..].copy_from_slice(&(65u16 * 8).to_be_bytes());
    Hash(crate::sha256::of_blocks(&blocks))
}

/// The root of the tree over `leaves`; that of no leaves is the hash of nothing.
pub fn root(leaves: &[Hash]) -> Hash {
    // The roots of the full subtrees so far, greatest first: one for each bit of the count that is set.
    let mut full: Vec<Hash> = Vec::with_capacity(usize::BITS as usize);
    for (index, leaf) in leaves.iter().enumerate() {
        let mut hash = *leaf;
        // Leaf number `index` completes as many subtrees as the index has ones at its end.
        for _ in 0..index.trailing_ones() {
            let Some(left) = full.pop() else { break };
            hash = node(&left, &hash);
        }
        full.push(hash);
    }
    full.into_iter().rev().reduce(|right, left| node(&left, &right)).unwrap_or(EMPTY_HASH)
}

/// The roots of consecutive groups of 2^`height` leaves; the last group may be smaller.
pub fn subtree_roots(leaves: &[Hash], height: u32) -> Vec<Hash> {
    let group = 1usize.checked_shl(height).unwrap_or(usize::MAX);
    leaves.chunks(group).map(root).collect()
}

/// The root of the whole tree from the roots of its subtrees, which [`subtree_roots`] made.
pub fn root_of_subtrees(roots: &[Hash]) -> Hash {
    root(roots)
}

/// The audit path of leaf `index` (RFC 6962, section 2.1.1), from the leaf's sibling upwards; `None` for a leaf that is
/// not there.
pub fn inclusion_path(leaves: &[Hash], index: u64) -> Option<Vec<Hash>> {
    let mut index = usize::try_from(index).ok().filter(|index| *index < leaves.len())?;
    let mut rest = leaves;
    let mut path = Vec::new();
    while rest.len() > 1 {
        let (left, right) = rest.split_at(1 << (rest.len() - 1).ilog2());
        if index < left.len() {
            path.push(root(right));
            rest = left;
        } else {
            path.push(root(left));
            index -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `path` proves that leaf `index` of the tree of `size` leaves with the root `root` has the hash `leaf_hash`.
pub fn check_inclusion(path: &[Hash], size: u64, root: Hash, index: u64, leaf_hash: Hash) -> bool {
    index < size && path.len() <= MAX_PATH && check_record(&path.to_vec(), size, root, index, leaf_hash).is_ok()
}

/// Whether `path` proves that the tree of `old_size` leaves with the root `old_root` is a prefix of the tree of `size`
/// leaves with the root `root` (RFC 6962, section 2.1.2). The proof for an empty old tree is empty, as tlog-witness
/// wants it.
pub fn check_consistency(path: &[Hash], old_size: u64, old_root: Hash, size: u64, root: Hash) -> bool {
    if old_size == 0 {
        return path.is_empty() && old_root == EMPTY_HASH && (size > 0 || root == EMPTY_HASH);
    }
    old_size <= size && path.len() <= MAX_PATH && check_tree(&path.to_vec(), size, root, old_size, old_root).is_ok()
}

#[cfg(test)]
mod tests;
