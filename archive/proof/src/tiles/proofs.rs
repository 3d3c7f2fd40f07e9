//! Proofs from tiles.
//!
//! Which tiles suffice: a proof consists of roots of full subtrees, the tree's edge among them. The siblings along the
//! path of a leaf are in the tiles along that path; the edge is in the partial tiles. The consistency proof of an old
//! tree needs the paths of its last leaf and of the leaf after that.
//!
//! Every tile is authenticated before a hash is taken from it: the partial ones together by the tree's root, each full
//! one by its hash in the tile above. `tlog_tiles` has a reader for that, `TileHashReader`, but version 0.2 does not
//! check every full tile (CVE-2026-56865, in the Go code that it is a port of), and it panics on missing tiles. So only
//! the arithmetic of proofs is taken from it.

use super::growth::root_of_partial;
use super::{MAX_TREE_SIZE, TILE_HEIGHT, TILE_WIDTH, TileError, TileSet, edge_tiles, levels, tile_path, tile_within};
use crate::tree;
use std::collections::HashMap;
use tlog_tiles::{Hash, HashReader, Tile, split_stored_hash_index};

/// The tiles that prove leaf `index` of the tree of `size` leaves: at most two a level. Empty for a leaf outside the
/// tree.
pub fn tiles_for_record(size: u64, index: u64) -> Vec<Tile> {
    if index >= size {
        return Vec::new();
    }
    let mut tiles = edge_tiles(size);
    add_path(&mut tiles, size, index);
    tiles
}

/// The tiles that prove that the tree of `old_size` leaves is a prefix of the tree of `size` leaves: at most three a
/// level. Empty if there is nothing to prove, and for an old tree that is larger.
pub fn tiles_for_consistency(old_size: u64, size: u64) -> Vec<Tile> {
    if old_size == 0 || old_size >= size {
        return Vec::new();
    }
    let mut tiles = edge_tiles(size);
    add_path(&mut tiles, size, old_size - 1);
    add_path(&mut tiles, size, old_size);
    tiles
}

/// Adds the tiles from leaf `index` up to the root that are not in `tiles` yet.
fn add_path(tiles: &mut Vec<Tile>, size: u64, index: u64) {
    let mut number = index;
    for (level, hashes) in levels(size) {
        number >>= TILE_HEIGHT;
        if let Some(tile) = tile_within(level, number, hashes).filter(|tile| !tiles.contains(tile)) {
            tiles.push(tile);
        }
    }
}

/// The audit path of leaf `index` in the tree of `size` leaves with the root `root`, from the [`tiles_for_record`].
///
/// # Errors
/// When a tile is missing or does not have its length, when they do not hash to `root`, and when the tree has no such
/// leaf.
pub fn prove_record(tiles: &TileSet, size: u64, root: Hash, index: u64) -> Result<Vec<Hash>, TileError> {
    if index >= size {
        return Err(TileError::Outside { what: format!("leaf {index}"), size });
    }
    let reader = AuthenticatedTiles::check(tiles, size, root, tiles_for_record(size, index))?;
    tlog_tiles::prove_record(size, index, &reader).map_err(|error| other_tree(size, root, error.to_string()))
}

/// The proof that the tree of `old_size` leaves is a prefix of the tree of `size` leaves with the root `root`, from the
/// [`tiles_for_consistency`]. It is empty when the old tree is empty or the same.
///
/// # Errors
/// When a tile is missing or does not have its length, when they do not hash to `root`, and when the old tree is
/// larger.
pub fn prove_consistency(tiles: &TileSet, old_size: u64, size: u64, root: Hash) -> Result<Vec<Hash>, TileError> {
    if old_size > size {
        return Err(TileError::Outside { what: format!("a tree of {old_size} leaves"), size });
    }
    if old_size == 0 || old_size == size {
        return Ok(Vec::new());
    }
    let reader = AuthenticatedTiles::check(tiles, size, root, tiles_for_consistency(old_size, size))?;
    tlog_tiles::prove_tree(size, old_size, &reader).map_err(|error| other_tree(size, root, error.to_string()))
}

fn other_tree(size: u64, root: Hash, what: String) -> TileError {
    TileError::OtherTree { size, root: root.to_string(), what }
}

/// The hashes of authenticated tiles, by level and number.
struct AuthenticatedTiles(HashMap<(u8, u64), Vec<Hash>>);

impl AuthenticatedTiles {
    /// Checks the `needed` tiles and the tree's edge against the tree's root.
    fn check(tiles: &TileSet, size: u64, root: Hash, mut needed: Vec<Tile>) -> Result<Self, TileError> {
        if size > MAX_TREE_SIZE {
            return Err(TileError::TooLarge { size });
        }
        let mut authenticated = HashMap::new();
        let mut partial: [Vec<Hash>; 8] = Default::default();
        for tile in edge_tiles(size) {
            let hashes = tiles.hashes(&tile, size)?;
            partial[usize::from(tile.level())].clone_from(&hashes);
            authenticated.insert((tile.level(), tile.level_index()), hashes);
        }
        let found = root_of_partial(&partial);
        if found != root {
            return Err(other_tree(size, root, format!("the partial tiles at its edge have the root {found}")));
        }
        // From the top down, so that the tile above is authenticated first.
        needed.sort_by_key(|tile| std::cmp::Reverse(tile.level()));
        for tile in needed.iter().filter(|tile| tile.width() == TILE_WIDTH) {
            let hashes = tiles.hashes(tile, size)?;
            let above: Option<&Vec<Hash>> = authenticated.get(&(tile.level() + 1, tile.level_index() >> TILE_HEIGHT));
            let place = (tile.level_index() % u64::from(TILE_WIDTH)) as usize;
            if above.and_then(|above| above.get(place)) != Some(&tree::root(&hashes)) {
                return Err(other_tree(size, root, format!("{} has another root", tile_path(tile))));
            }
            authenticated.insert((tile.level(), tile.level_index()), hashes);
        }
        Ok(Self(authenticated))
    }

    /// The root of full subtree `number` among those of 2^`height` leaves.
    fn subtree(&self, height: u8, number: u64) -> Option<Hash> {
        let (level, within) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
        let first = number.checked_shl(within.into())?;
        let hashes = self.0.get(&(level, first >> TILE_HEIGHT))?;
        let start = (first % u64::from(TILE_WIDTH)) as usize;
        hashes.get(start..start + (1 << within)).map(tree::root)
    }
}

impl HashReader for AuthenticatedTiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let (height, number) = split_stored_hash_index(*index);
            self.subtree(height, number).ok_or(tlog_tiles::Error::IndexesNotInTree)
        };
        indexes.iter().map(read).collect()
    }
}
