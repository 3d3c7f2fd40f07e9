//! Merkle trees over leaf hashes in memory (RFC 6962, section 2.1), and the checks of their proofs.
//!
//! ```text
//! leaf hashes ──root──▶ root                     leaf hashes ──subtree_roots──▶ roots ──root_of_subtrees──▶ root
//! leaf hashes, index ──inclusion_path──▶ path    path, size, root, index, leaf hash ──check_inclusion──▶ bool
//! ```
//!
//! A tree of n > 1 leaves is split at the greatest power of two that is less than n. Its full subtrees of one height
//! are therefore the leaves of a tree with the same root, and the roots of the subtrees can be stored in place of the
//! leaves. The tree can be built level by level, many nodes at once, if a last hash without a sibling is promoted
//! unchanged.
//!
//! Invariants:
//! - root(leaves) = root_of_subtrees(subtree_roots(leaves, height)) for every height.
//! - check_inclusion accepts what inclusion_path returns, at its index and at no other.
//! - The checks take untrusted bytes: they return false and never panic.

use crate::sha256::{BLOCK, LANES, of_many};
use tlog_tiles::{EMPTY_HASH, Hash, check_record, check_tree};

/// Hashes of the longest path that a tree of 2^64 leaves could have.
pub const MAX_PATH: usize = 64;

/// Replaces `hashes` with the level above: inner nodes over neighbours, SHA-256 of 0x01, left and right. A last hash
/// without a sibling is promoted unchanged.
fn replace_with_parents(hashes: &mut Vec<Hash>) {
    // 65 bytes and their padding are two blocks (FIPS 180-4, section 5.1.1).
    const NODE: usize = 2 * BLOCK;
    let mut nodes = [0u8; LANES * NODE];
    for node in nodes.chunks_exact_mut(NODE) {
        node[0] = 1;
        node[65] = 0x80;
        node[126..].copy_from_slice(&(65u16 * 8).to_be_bytes());
    }
    let pairs = hashes.len() / 2;
    for first in (0..pairs).step_by(LANES) {
        let last = (first + LANES).min(pairs);
        for (node, children) in nodes.chunks_exact_mut(NODE).zip(hashes[2 * first..2 * last].chunks_exact(2)) {
            node[1..33].copy_from_slice(&children[0].0);
            node[33..65].copy_from_slice(&children[1].0);
        }
        // The parents overwrite children that were read already.
        of_many(&nodes[..(last - first) * NODE], 2, &mut hashes[first..last]);
    }
    if hashes.len() % 2 == 1 {
        hashes[pairs] = hashes[2 * pairs];
    }
    hashes.truncate(hashes.len().div_ceil(2));
}

/// The root of the tree over `leaves`. The root of an empty tree is the hash of the empty string.
pub fn root(leaves: &[Hash]) -> Hash {
    subtree_roots(leaves.to_vec(), usize::BITS).first().copied().unwrap_or(EMPTY_HASH)
}

/// The roots of consecutive groups of 2^`height` leaves; the last group may be smaller.
pub fn subtree_roots(leaves: Vec<Hash>, height: u32) -> Vec<Hash> {
    let mut level = leaves;
    for _ in 0..height {
        if level.len() <= 1 {
            break;
        }
        replace_with_parents(&mut level);
    }
    level
}

/// The root of the whole tree from the roots of its subtrees, which [`subtree_roots`] made.
pub fn root_of_subtrees(roots: &[Hash]) -> Hash {
    root(roots)
}

/// The audit path of leaf `index` (RFC 6962, section 2.1.1), from the leaf's sibling upwards; `None` for a leaf that
/// does not exist.
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
/// requires.
pub fn check_consistency(path: &[Hash], old_size: u64, old_root: Hash, size: u64, root: Hash) -> bool {
    if old_size == 0 {
        return path.is_empty() && old_root == EMPTY_HASH && (size > 0 || root == EMPTY_HASH);
    }
    old_size <= size && path.len() <= MAX_PATH && check_tree(&path.to_vec(), size, root, old_size, old_root).is_ok()
}

#[cfg(test)]
mod tests;
