//! The log's tree as files (C2SP tlog-tiles): names, entry bundles, growth and proofs. The callers read and write the
//! files.
//!
//! ```text
//! size ──edge_tiles──▶ tiles to read ──TileSet──┬─ grow(new leaves) ──▶ tiles to write, root ─▶ checkpoint
//! size, index ──tiles_for_record──▶   "         ├─ prove_record ──────▶ path
//! old size, size ──tiles_for_consistency──▶ "   └─ prove_consistency ─▶ path
//! ```
//!
//! A tile of level L has up to 256 hashes, each the root of 256^L leaves. Full tiles never change. The last tile of
//! each level may be partial, and its width is part of its name, so no file is overwritten with other bytes.
//!
//! Invariants:
//! - Tiles are untrusted. Growth and proofs use tiles only after their hashes match the root that the caller trusts.
//! - grow returns exactly the tiles that the new tree has and the old one does not have.
//! - A tree has at most [`MAX_TREE_SIZE`] leaves.

mod growth;
mod proofs;

pub use growth::{Grown, grow};
pub use proofs::{prove_consistency, prove_record, tiles_for_consistency, tiles_for_record};

use std::collections::HashMap;
use tlog_tiles::{HASH_SIZE, Hash, Tile};

/// The height of every tile.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u32 = 1 << TILE_HEIGHT;
/// Maximum of bytes of one entry: its length is written in 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;
/// Maximum of leaves of a tree. The root of more leaves would need a tile of a level that cannot be computed.
pub const MAX_TREE_SIZE: u64 = 1 << 56;

/// Why tiles or bundles cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tile that is needed was not read.
    #[error("{path} is missing; the tree of {size} leaves needs it")]
    Missing {
        /// Its path, relative to the log.
        path: String,
        /// The tree's size.
        size: u64,
    },
    /// A tile does not have the length that its name requires.
    #[error("{path} has {found} bytes and must have {expected}")]
    Length {
        /// Its path, relative to the log.
        path: String,
        /// The bytes that it must have.
        expected: usize,
        /// The bytes that it has.
        found: usize,
    },
    /// The tiles are not those of the tree.
    #[error("the tiles are not those of the tree of {size} leaves with the root {root}: {what}")]
    OtherTree {
        /// The tree's size.
        size: u64,
        /// Its root, in base64.
        root: String,
        /// What differs.
        what: String,
    },
    /// The requested leaf or tree does not exist.
    #[error("{what} is outside the tree of {size} leaves")]
    Outside {
        /// The requested leaf or tree.
        what: String,
        /// The tree's size.
        size: u64,
    },
    /// The tree would be too large.
    #[error("a tree has at most {MAX_TREE_SIZE} leaves, not {size}")]
    TooLarge {
        /// The requested size.
        size: u64,
    },
    /// An entry is too long for a bundle.
    #[error("an entry of the log has at most {MAX_ENTRY_BYTES} bytes, not {bytes}")]
    LongEntry {
        /// Bytes that it has.
        bytes: usize,
    },
    /// An entry bundle cannot be decoded or encoded.
    #[error("an entry bundle is damaged: {what}")]
    Bundle {
        /// What is wrong.
        what: String,
    },
}

/// The path of a tile, relative to the log's prefix: `tile/<L>/<N>`, followed by `.p/<W>` if it is partial.
pub fn tile_path(tile: &Tile) -> String {
    format!("tile/{}/{}", tile.level(), numbered(tile.level_index(), tile.width()))
}

/// The path of the bundle of the entries of level-0 tile `n`, relative to the log's prefix. It has `width` entries, and
/// is partial if these are fewer than 256.
pub fn entries_path(n: u64, width: u32) -> String {
    format!("tile/entries/{}", numbered(n, width))
}

/// `<N>[.p/<W>]`: three digits a part, an `x` before all but the last.
fn numbered(n: u64, width: u32) -> String {
    let mut text = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        text.insert_str(0, &format!("x{:03}/", rest % 1000));
        rest /= 1000;
    }
    if width < TILE_WIDTH {
        text.push_str(&format!(".p/{width}"));
    }
    text
}

/// The bytes of a bundle of `entries`: each is its length in two bytes, big-endian, and its bytes.
///
/// # Errors
/// When one of them has more than [`MAX_ENTRY_BYTES`], or there are more than fit into one bundle.
pub fn encode_entries<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    if entries.len() > TILE_WIDTH as usize {
        return Err(TileError::Bundle { what: format!("{} entries; one bundle has at most 256", entries.len()) });
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| entry.as_ref().len() + 2).sum());
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| TileError::LongEntry { bytes: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle. The caller checks their hashes against the log, and their number against the bundle's name.
///
/// # Errors
/// When it ends within an entry or has more than 256.
pub fn decode_entries(bundle: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let entry = rest.split_first_chunk::<2>().and_then(|(length, behind)| {
            let length = usize::from(u16::from_be_bytes(*length));
            behind.split_at_checked(length)
        });
        let Some((entry, behind)) = entry else {
            return Err(TileError::Bundle { what: format!("it ends within entry {}", entries.len()) });
        };
        if entries.len() == TILE_WIDTH as usize {
            return Err(TileError::Bundle { what: "it has more than 256 entries".to_owned() });
        }
        entries.push(entry);
        rest = behind;
    }
    Ok(entries)
}

/// The levels of the tree of `size` leaves, each with its count of hashes: the roots of full groups of 256^level
/// leaves.
fn levels(size: u64) -> impl Iterator<Item = (u8, u64)> {
    (0..8u8).map(move |level| (level, size >> (level * TILE_HEIGHT))).take_while(|(_, hashes)| *hashes > 0)
}

/// The partial tile of each level of the tree of `size` leaves. They have the roots from which the tree's root is
/// computed, and all that [`grow`] needs.
pub fn edge_tiles(size: u64) -> Vec<Tile> {
    levels(size).filter_map(|(level, hashes)| tile_within(level, hashes >> TILE_HEIGHT, hashes)).collect()
}

/// Every tile that the tree of `size` leaves has: the full ones and the partial ones, level by level.
pub fn all_tiles(size: u64) -> Vec<Tile> {
    levels(size)
        .flat_map(|(level, hashes)| {
            (0..=hashes >> TILE_HEIGHT).filter_map(move |number| tile_within(level, number, hashes))
        })
        .collect()
}

/// Tile `number` of a level that has `hashes` hashes; `None` when it would be empty.
fn tile_within(level: u8, number: u64, hashes: u64) -> Option<Tile> {
    let width = hashes.checked_sub(number.checked_mul(TILE_WIDTH.into())?)?.min(TILE_WIDTH.into()) as u32;
    (width > 0).then(|| Tile::new(TILE_HEIGHT, level, number, width, false))
}

/// Tiles that were read.
#[derive(Debug, Clone, Default)]
pub struct TileSet(HashMap<Tile, Vec<u8>>);

impl TileSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tile with its bytes. They are checked when they are used.
    pub fn insert(&mut self, tile: Tile, bytes: Vec<u8>) {
        self.0.insert(tile, bytes);
    }

    /// A tile's bytes. For a partial tile these may be the first bytes of the full one, because a log may delete a
    /// partial tile once the full one exists.
    pub fn get(&self, tile: &Tile) -> Option<&[u8]> {
        if let Some(bytes) = self.0.get(tile) {
            return Some(bytes);
        }
        let full = Tile::new(tile.height(), tile.level(), tile.level_index(), 1 << tile.height(), tile.is_data());
        self.0.get(&full)?.get(..tile.width() as usize * HASH_SIZE)
    }

    /// A tile's bytes, if it is in the set and has its length.
    fn checked(&self, tile: &Tile, size: u64) -> Result<&[u8], TileError> {
        let bytes = self.get(tile).ok_or_else(|| TileError::Missing { path: tile_path(tile), size })?;
        let expected = tile.width() as usize * HASH_SIZE;
        if bytes.len() == expected {
            Ok(bytes)
        } else {
            Err(TileError::Length { path: tile_path(tile), expected, found: bytes.len() })
        }
    }

    /// A tile's hashes.
    fn hashes(&self, tile: &Tile, size: u64) -> Result<Vec<Hash>, TileError> {
        let (hashes, _) = self.checked(tile, size)?.as_chunks::<HASH_SIZE>();
        Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
    }
}

impl Extend<(Tile, Vec<u8>)> for TileSet {
    fn extend<T: IntoIterator<Item = (Tile, Vec<u8>)>>(&mut self, tiles: T) {
        self.0.extend(tiles);
    }
}

impl FromIterator<(Tile, Vec<u8>)> for TileSet {
    fn from_iter<T: IntoIterator<Item = (Tile, Vec<u8>)>>(tiles: T) -> Self {
        Self(tiles.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
