//! Appends to a tree of which only the edge was read.
//!
//! ```text
//! level 1   partial tile ++ roots of the tiles that level 0 filled ──▶ full tiles, new partial tile
//! level 0   partial tile ++ new leaves                             ──▶ full tiles, new partial tile
//! ```
//!
//! Each level is a list that grows at its end. The root of each full tile is appended to the level above; the rest is
//! the new partial tile. The root of the tree is computed from the partial tiles, from the highest level to the lowest.

use super::{MAX_TREE_SIZE, TILE_WIDTH, TileError, TileSet, edge_tiles, tile_within};
use crate::tree;
use tlog_tiles::{EMPTY_HASH, HASH_SIZE, Hash, Tile};

/// A tree that has grown.
#[derive(Debug, Clone, PartialEq)]
pub struct Grown {
    /// Its leaves.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The tiles that the tree before did not have, with their bytes. They must be in the store before a checkpoint
    /// with the new size.
    pub tiles: Vec<(Tile, Vec<u8>)>,
}

/// Appends `new_leaves` to the tree of `old_size` leaves with the root `old_root`, whose [`edge_tiles`] are in `edge`.
///
/// # Errors
/// When an edge tile is missing or does not have its length, when they do not hash to `old_root`, and when the tree
/// would be too large.
pub fn grow(old_size: u64, old_root: Hash, edge: &TileSet, new_leaves: &[Hash]) -> Result<Grown, TileError> {
    let size = old_size.saturating_add(new_leaves.len() as u64);
    if size > MAX_TREE_SIZE {
        return Err(TileError::TooLarge { size });
    }
    let mut partial: Vec<Vec<Hash>> = vec![Vec::new(); 8];
    for tile in edge_tiles(old_size) {
        partial[usize::from(tile.level())] = edge.hashes(&tile, old_size)?;
    }
    let found = root_of_partial(&partial);
    if found != old_root {
        return Err(TileError::OtherTree {
            size: old_size,
            root: old_root.to_string(),
            what: format!("the partial tiles at its edge have the root {found}"),
        });
    }

    let mut tiles = Vec::new();
    let mut added = new_leaves.to_vec();
    for (level, hashes) in (0u8..).zip(&mut partial) {
        if added.is_empty() {
            break;
        }
        let in_level = size >> (8 * level);
        let first = (old_size >> (8 * level)) / u64::from(TILE_WIDTH);
        hashes.append(&mut added);
        let groups = hashes.chunks(TILE_WIDTH as usize);
        tiles.extend(
            (first..)
                .zip(groups.clone())
                .filter_map(|(number, group)| Some((tile_within(level, number, in_level)?, bytes_of(group)))),
        );
        added = groups.filter(|group| group.len() == TILE_WIDTH as usize).map(tree::root).collect();
        hashes.drain(..added.len() * TILE_WIDTH as usize);
    }
    Ok(Grown { size, root: root_of_partial(&partial), tiles })
}

/// The root of the tree whose partial tiles, lowest level first, have these hashes. The levels below a level's
/// hashes are one more subtree at that level's end.
pub(super) fn root_of_partial(partial: &[Vec<Hash>]) -> Hash {
    let mut below = None;
    for hashes in partial {
        let mut hashes = hashes.clone();
        hashes.extend(below);
        below = (!hashes.is_empty()).then(|| tree::root_of_subtrees(&hashes));
    }
    below.unwrap_or(EMPTY_HASH)
}

fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_SIZE);
    for hash in hashes {
        bytes.extend_from_slice(&hash.0);
    }
    bytes
}
