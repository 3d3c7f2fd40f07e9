//! A log that grows in steps, read back through its tiles; names and bytes against what Go's tlog makes.

use super::*;
use crate::tree::{self, check_consistency, check_inclusion};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tlog_tiles::{EMPTY_HASH, record_hash};

/// A log whose store is a map.
#[derive(Default)]
struct Log {
    leaves: Vec<Hash>,
    root: Option<Hash>,
    store: HashMap<String, (Tile, Vec<u8>)>,
}

impl Log {
    fn of(count: u64) -> Self {
        let mut log = Self::default();
        log.append(count);
        log
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    fn root(&self) -> Hash {
        self.root.unwrap_or(EMPTY_HASH)
    }

    fn read(&self, tiles: &[Tile]) -> TileSet {
        tiles.iter().map(|tile| self.store[&tile_path(tile)].clone()).collect()
    }

    fn append(&mut self, count: u64) -> Grown {
        let new = leaves(self.size()..self.size() + count);
        let grown = grow(self.size(), self.root(), &self.read(&edge_tiles(self.size())), &new).unwrap();
        for (tile, bytes) in &grown.tiles {
            assert_eq!(bytes.len(), tile.width() as usize * HASH_SIZE);
            let before = self.store.insert(tile_path(tile), (*tile, bytes.clone()));
            assert!(before.is_none(), "{} was there already", tile_path(tile));
        }
        self.leaves.extend(new);
        self.root = Some(grown.root);
        assert_eq!(grown.size, self.size());
        grown
    }

    /// Proves leaf `index` in the current tree from the tiles that [`tiles_for_record`] returns.
    fn prove(&self, index: u64) {
        let tiles = tiles_for_record(self.size(), index);
        assert!(tiles.len() <= 16);
        let path = prove_record(&self.read(&tiles), self.size(), self.root(), index).unwrap();
        assert!(check_inclusion(&path, self.size(), self.root(), index, self.leaves[index as usize]));
    }

    /// Proves that the tree of `old` leaves is a prefix of the current one.
    fn prove_prefix(&self, old: u64) {
        let tiles = tiles_for_consistency(old, self.size());
        assert!(tiles.len() <= 24);
        let path = prove_consistency(&self.read(&tiles), old, self.size(), self.root()).unwrap();
        let old_root = tree::root(&self.leaves[..old as usize]);
        assert!(check_consistency(&path, old, old_root, self.size(), self.root()));
    }
}

fn leaves(numbers: std::ops::Range<u64>) -> Vec<Hash> {
    numbers.map(|n| record_hash(format!("record {n}").as_bytes())).collect()
}

fn sorted(tiles: impl IntoIterator<Item = Tile>) -> Vec<String> {
    let mut paths: Vec<String> = tiles.into_iter().map(|tile| tile_path(&tile)).collect();
    paths.sort();
    paths
}

#[test]
fn tiles_are_named_as_specified() {
    let tile = |level, number, width| tile_path(&Tile::new(TILE_HEIGHT, level, number, width, false));
    assert_eq!(tile(0, 0, 256), "tile/0/000");
    assert_eq!(tile(0, 7, 1), "tile/0/007.p/1");
    assert_eq!(tile(0, 1000, 256), "tile/0/x001/000");
    assert_eq!(tile(1, 1_234_067, 3), "tile/1/x001/x234/067.p/3");
    assert_eq!(entries_path(1_234_067, 256), "tile/entries/x001/x234/067");
    assert_eq!(entries_path(0, 255), "tile/entries/000.p/255");
}

#[test]
fn the_tiles_of_a_log_are_those_that_go_writes() {
    // The example of the specification: 273 full tiles and a partial one, one full and one partial, one partial.
    let log = Log::of(70_000);
    assert_eq!(log.root().to_string(), "25Wlw4AqrnlkUtIrNNU+dJybwG++mtIplU2A2Oqj7hY=");
    let tiles = all_tiles(70_000);
    assert_eq!(tiles.len(), 277);
    let mut digest = Sha256::new();
    for tile in &tiles {
        digest.update(&log.store[&tile_path(tile)].1);
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "7d4e747f742bea057b2cb231377182f95ab99fd329845b574329b3f89edf4674");
    assert_eq!(sorted(edge_tiles(70_000)), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"],);
}

#[test]
fn a_log_grows_across_a_full_tile_of_level_one() {
    let mut log = Log::of(65_500);
    for count in [35, 1, 1, 300] {
        log.append(count);
        assert_eq!(log.root(), tree::root(&log.leaves));
        for index in [0, 255, 256, 65_279, 65_499, log.size() - 1] {
            log.prove(index);
        }
        for old in [1, 255, 256, 65_499, 65_500, log.size() - 1] {
            log.prove_prefix(old);
        }
    }
    assert_eq!(edge_tiles(65_536), [Tile::new(TILE_HEIGHT, 2, 0, 1, false)]);
}

#[test]
fn a_tree_reaches_the_greatest_size_and_not_beyond() {
    // Such a tree cannot be built, but every edge has a root.
    let old_size = MAX_TREE_SIZE - 3;
    let fake = |tile: &Tile| (*tile, vec![tile.level(); tile.width() as usize * HASH_SIZE]);
    let mut tiles: TileSet = edge_tiles(old_size).iter().map(fake).collect();
    let Err(TileError::OtherTree { what, .. }) = grow(old_size, EMPTY_HASH, &tiles, &[]) else { panic!("grown") };
    let old_root = Hash::parse_hash(what.rsplit(' ').next().unwrap()).unwrap();
    let new = leaves(0..4);
    let grown = grow(old_size, old_root, &tiles, &new[..3]).unwrap();
    assert_eq!(sorted(edge_tiles(MAX_TREE_SIZE)), ["tile/7/000.p/1"]);
    assert_eq!(grow(old_size, old_root, &tiles, &new), Err(TileError::TooLarge { size: MAX_TREE_SIZE + 1 }));
    tiles.extend(grown.tiles);
    let path = prove_record(&tiles, MAX_TREE_SIZE, grown.root, MAX_TREE_SIZE - 1).unwrap();
    assert!(check_inclusion(&path, MAX_TREE_SIZE, grown.root, MAX_TREE_SIZE - 1, new[2]));
    let path = prove_consistency(&tiles, old_size, MAX_TREE_SIZE, grown.root).unwrap();
    assert!(check_consistency(&path, old_size, old_root, MAX_TREE_SIZE, grown.root));
    for size in [MAX_TREE_SIZE + 1, u64::MAX] {
        assert!(prove_record(&tiles, size, grown.root, 0).is_err());
        assert!(prove_consistency(&tiles, 1, size, grown.root).is_err());
        assert_eq!(grow(size, grown.root, &tiles, &[]), Err(TileError::TooLarge { size }));
    }
}

#[test]
fn a_tile_that_is_missing_or_of_another_length_is_named() {
    let log = Log::of(300);
    let edge = log.read(&edge_tiles(300));
    assert_eq!(
        grow(300, log.root(), &TileSet::new(), &[]).unwrap_err().to_string(),
        "tile/0/001.p/44 is missing; the tree of 300 leaves needs it"
    );
    let mut short = edge.clone();
    short.insert(edge_tiles(300)[0], vec![0; 44 * 32 - 1]);
    assert_eq!(
        grow(300, log.root(), &short, &[]).unwrap_err().to_string(),
        "tile/0/001.p/44 has 1407 bytes and must have 1408"
    );
    assert!(matches!(prove_record(&edge, 300, log.root(), 0), Err(TileError::Missing { .. })));
    assert!(matches!(prove_record(&short, 300, log.root(), 299), Err(TileError::Length { .. })));
    assert!(matches!(prove_record(&edge, 300, log.root(), 300), Err(TileError::Outside { .. })));
    assert!(matches!(prove_record(&edge, 0, EMPTY_HASH, 0), Err(TileError::Outside { .. })));
    assert!(matches!(prove_consistency(&edge, 301, 300, log.root()), Err(TileError::Outside { .. })));
    assert_eq!(prove_consistency(&TileSet::new(), 0, 300, log.root()), Ok(Vec::new()));
    assert_eq!(prove_consistency(&TileSet::new(), 300, 300, log.root()), Ok(Vec::new()));
}

#[test]
fn a_full_tile_replaces_the_partial_one_that_was_deleted() {
    let mut log = Log::of(300);
    let root = log.root();
    log.append(400);
    log.store.retain(|path, _| !path.starts_with("tile/0/001.p/"));
    let tiles = log.read(&[Tile::new(8, 0, 1, 256, false), Tile::new(8, 1, 0, 1, false)]);
    let path = prove_record(&tiles, 300, root, 299).unwrap();
    assert!(check_inclusion(&path, 300, root, 299, log.leaves[299]));
}

#[test]
fn full_tiles_are_checked_even_where_two_subtrees_of_the_edge_share_a_tile() {
    // 256 + 2 + 1 leaves: three subtrees in two partial tiles.
    let log = Log::of(259);
    let needed = tiles_for_record(259, 0);
    let full = needed.iter().find(|tile| tile.width() == TILE_WIDTH).unwrap();
    let mut tiles = log.read(&needed);
    let mut bytes = tiles.get(full).unwrap().to_vec();
    bytes[5461] ^= 1;
    tiles.insert(*full, bytes);
    let error = prove_record(&tiles, 259, log.root(), 0).unwrap_err();
    assert!(error.to_string().ends_with("tile/0/000 has another root"), "{error}");
}

#[test]
fn bundles_are_read_back_and_bounded() {
    let entries = [b"".to_vec(), b"one".to_vec(), vec![7; MAX_ENTRY_BYTES]];
    let bundle = encode_entries(&entries).unwrap();
    assert_eq!(&bundle[..7], b"\0\0\0\x03one");
    assert_eq!(decode_entries(&bundle).unwrap(), entries);
    assert_eq!(
        encode_entries(&[vec![7; MAX_ENTRY_BYTES + 1]]),
        Err(TileError::LongEntry { bytes: MAX_ENTRY_BYTES + 1 })
    );
    assert!(encode_entries(&vec![b""; 256]).is_ok());
    assert!(encode_entries(&vec![b""; 257]).is_err());
    assert_eq!(decode_entries(&[0; 512]).unwrap().len(), 256);
    assert!(decode_entries(&[0; 514]).is_err());
    for length in [1, 3, 6, bundle.len() - 1] {
        assert!(decode_entries(&bundle[..length]).is_err(), "{length}");
    }
    assert!(decode_entries(&[]).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_log_that_grows_in_steps_proves_every_leaf_and_every_prefix(
        steps in prop::collection::vec(prop_oneof![0u64..4, 200u64..300, 0u64..1500], 1..8),
        leaf in any::<prop::sample::Index>(),
    ) {
        let mut log = Log::default();
        for step in steps {
            let before = log.size();
            let grown = log.append(step);
            prop_assert_eq!(log.root(), tree::root(&log.leaves));
            let written = grown.tiles.iter().map(|(tile, _)| *tile);
            prop_assert_eq!(sorted(written), sorted(Tile::new_tiles(TILE_HEIGHT, before, log.size())));
            prop_assert_eq!(sorted(all_tiles(log.size())), sorted(Tile::new_tiles(TILE_HEIGHT, 0, log.size())));
            prop_assert!(all_tiles(log.size()).iter().all(|tile| log.store.contains_key(&tile_path(tile))));
            log.prove_prefix(before);
            if log.size() > 0 {
                let leaf = leaf.index(log.leaves.len()) as u64;
                log.prove(leaf);
                log.prove(log.size() - 1);
                log.prove_prefix(leaf);
            }
        }
    }

    #[test]
    fn one_wrong_bit_in_a_tile_is_detected(
        size in 2u64..1500,
        leaf in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let log = Log::of(size);
        let leaf = leaf.index(size as usize) as u64;
        for (needed, edge) in [(edge_tiles(size), true), (tiles_for_record(size, leaf), false)] {
            let mut tiles = log.read(&needed);
            let tile = needed[place.index(needed.len())];
            let mut bytes = tiles.get(&tile).unwrap().to_vec();
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            tiles.insert(tile, bytes);
            let refused = if edge {
                grow(size, log.root(), &tiles, &[]).err()
            } else {
                prove_record(&tiles, size, log.root(), leaf).err()
            };
            prop_assert!(matches!(refused, Some(TileError::OtherTree { .. })), "{:?}", refused);
        }
    }

    #[test]
    fn tiles_of_any_content_and_length_do_not_panic(
        size in 0u64..100_000,
        old in 0u64..100_000,
        lengths in prop::collection::vec(prop_oneof![Just(None), (0usize..9000).prop_map(Some), Just(Some(8192))], 8),
    ) {
        let mut tiles = TileSet::new();
        for (tile, length) in tiles_for_record(size, old).into_iter().zip(lengths) {
            if let Some(length) = length {
                tiles.insert(tile, vec![3; length]);
            }
        }
        let root = record_hash(b"");
        prop_assert!(size == 0 || prove_record(&tiles, size, root, old).is_err());
        prop_assert!(prove_consistency(&tiles, old, size, root).is_err() || old == 0 || old == size);
        prop_assert!(grow(size, root, &tiles, &[root]).is_err());
    }

    #[test]
    fn any_bytes_are_a_bundle_or_an_error(bytes in prop::collection::vec(0u8..5, 0..60)) {
        if let Ok(entries) = decode_entries(&bytes) {
            prop_assert_eq!(encode_entries(&entries).unwrap(), bytes);
        }
    }
}
