//! The proof log itself: the checkpoint, the tiles and bundles, and every other checkpoint, which must be of a prefix.

use super::report::{Finding, Kind, Report};
use crate::error::ArchiveError;
use crate::paths;
use crate::proof::entry::get;
use crate::proof::integrate::Mirror;
use crate::proof::sequence::Position;
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_proof::note::{Purpose, SignedTree, TrustedKeys};
use holdfast_proof::{Hash, record_hash, tiles, tree};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::{BTreeMap, HashMap};

/// Objects that are read at the same time.
const CONCURRENT_READS: usize = 8;

/// The leaves of the log.
#[derive(Debug, Default)]
pub(crate) struct LogTree {
    leaves: Vec<Hash>,
    indexes: HashMap<[u8; 32], u64>,
    /// The checkpoint; `None` if there is none that a trusted key signed.
    pub(crate) head: Option<SignedTree>,
    /// The checkpoint's bytes as stored.
    pub(crate) note: String,
    /// The position up to which the Delta logs are integrated.
    pub(crate) position: Position,
}

impl LogTree {
    /// The size of the tree.
    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// A leaf's hash.
    pub(crate) fn leaf(&self, index: u64) -> Option<Hash> {
        self.leaves.get(usize::try_from(index).ok()?).copied()
    }

    /// The index of a leaf with this hash.
    pub(crate) fn find(&self, hash: &Hash) -> Option<u64> {
        self.indexes.get(&hash.0).copied()
    }

    /// Reads and checks the checkpoint and all tiles.
    pub(crate) async fn read(
        store: &dyn ObjectStore,
        keys: &TrustedKeys,
        report: &mut Report,
    ) -> Result<Self, ArchiveError> {
        let mut log = Self::default();
        let path = paths::proof_checkpoint();
        let Some(bytes) = get(store, &path).await? else {
            report.findings.push(Finding::new(Kind::Checkpoint, "there is no checkpoint").file(&path));
            return Ok(log);
        };
        report.checked.checkpoints += 1;
        log.note = String::from_utf8_lossy(&bytes).into_owned();
        let head = match keys.open(&log.note, Purpose::Checkpoint) {
            Ok(opened) => opened.tree,
            Err(error) => {
                report.findings.push(Finding::new(Kind::Checkpoint, format!("the checkpoint: {error}")).file(&path));
                return Ok(log);
            }
        };
        log.position = Position::of_lines(&head.extensions);
        let size = head.size;
        let all = tiles::all_tiles(size);
        let names: Vec<String> = all.iter().map(tiles::tile_path).collect();
        let tiles_read = read_all(store, &names).await?;
        report.checked.tiles += tiles_read.len() as u64;
        // The lowest level contains the hashes of the leaves. All other levels follow from them.
        let mut leaves: Vec<Hash> = Vec::with_capacity(size as usize);
        for (tile, bytes) in all.iter().zip(&tiles_read).filter(|(tile, _)| tile.level() == 0) {
            let wanted = tile.width() as usize;
            let hashes = bytes.as_deref().unwrap_or_default().as_chunks::<32>().0;
            leaves.extend(hashes.iter().take(wanted).map(|hash| Hash(*hash)));
            leaves.resize(leaves.len() + wanted - hashes.len().min(wanted), Hash([0; 32]));
        }
        let root = tree::root(&leaves);
        leaves = check_lowest(store, leaves, root, head.root, report).await?;
        let mut above: Vec<Hash> = leaves.clone();
        let mut level = 0;
        for ((tile, name), bytes) in all.iter().zip(&names).zip(&tiles_read) {
            while level < tile.level() {
                above.truncate(above.len() / 256 * 256);
                above = tree::subtree_roots(above, 8);
                level += 1;
            }
            let start = tile.level_index() as usize * 256;
            let expected: Vec<u8> =
                above[start..start + tile.width() as usize].iter().flat_map(|hash| hash.0).collect();
            let what = match bytes {
                None => "a tile of the proof log is missing",
                Some(bytes) if **bytes != *expected => "a tile of the proof log does not have the expected hashes",
                Some(_) => continue,
            };
            report.findings.push(Finding::new(Kind::Tile, what).file(paths::proof_tile(name)));
        }
        if root != head.root {
            let what = "the tiles of the proof log do not have the root that was signed";
            report.findings.push(Finding::new(Kind::Tile, what).file(&path).expected(head.root, root));
        }
        log.indexes = leaves.iter().enumerate().map(|(index, hash)| (hash.0, index as u64)).collect();
        log.leaves = leaves;
        log.head = Some(head);
        Ok(log)
    }

    /// Compares other checkpoints with the tree: those that are kept in the archive and in its mirrors, and `given`
    /// ones.
    pub(crate) async fn check_others(
        &self,
        store: &dyn ObjectStore,
        mirrors: &[Mirror],
        given: &[(String, String)],
        keys: &TrustedKeys,
        report: &mut Report,
    ) -> Result<(), ArchiveError> {
        let mut others: Vec<(String, String)> = given.to_vec();
        others.extend(kept(store, "kept in the archive").await?);
        for mirror in mirrors {
            match kept(mirror.store.as_ref(), &format!("mirrored in {}", mirror.name)).await {
                Ok(mirrored) => others.extend(mirrored),
                Err(error) => {
                    let what = format!("the mirror {} cannot be read: {error}", mirror.name);
                    report.findings.push(Finding::new(Kind::Checkpoint, what));
                }
            }
        }
        let mut by_size: BTreeMap<u64, Vec<(String, SignedTree)>> = BTreeMap::new();
        for (place, note) in others {
            report.checked.checkpoints += 1;
            match keys.open(&note, Purpose::Checkpoint) {
                Ok(opened) => by_size.entry(opened.tree.size).or_default().push((place, opened.tree)),
                Err(error) => {
                    report.findings.push(Finding::new(Kind::Checkpoint, format!("the checkpoint {place}: {error}")))
                }
            }
        }
        let mut prefixes = PrefixRoots::default();
        for (size, trees) in by_size {
            let root = prefixes.advance(&self.leaves, size);
            for (place, tree) in trees {
                let what = match root {
                    None => format!(
                        "the checkpoint {place} has {size} leaves, and the log has {}: it was cut or rolled back",
                        self.size()
                    ),
                    Some(root) if root != tree.root => {
                        format!(
                            "the checkpoint {place} is not of a prefix of this log: at {size} leaves its root differs"
                        )
                    }
                    Some(_) => continue,
                };
                let found = root.map_or_else(|| format!("{} leaves", self.size()), |root| root.to_string());
                report.findings.push(Finding::new(Kind::Fork, what).expected(tree.root, found));
            }
        }
        Ok(())
    }
}

/// Compares the lowest tiles with the entry bundles, which contain the leaves themselves. Returns the hashes to
/// continue with: those of the bundles if only they have the signed root, otherwise those of the tiles.
async fn check_lowest(
    store: &dyn ObjectStore,
    leaves: Vec<Hash>,
    root: Hash,
    signed: Hash,
    report: &mut Report,
) -> Result<Vec<Hash>, ArchiveError> {
    let bundles = leaves.chunks(256).enumerate();
    let names: Vec<String> =
        bundles.map(|(number, chunk)| tiles::entries_path(number as u64, chunk.len() as u32)).collect();
    let (mut of_bundles, mut wrong) = (Vec::with_capacity(leaves.len()), Vec::new());
    for ((name, chunk), bytes) in names.iter().zip(leaves.chunks(256)).zip(read_all(store, &names).await?) {
        report.checked.tiles += 1;
        let what = match bytes {
            None => "an entry bundle of the proof log is missing",
            Some(bytes) => {
                let entries = tiles::decode_entries(&bytes).unwrap_or_default();
                if entries.len() == chunk.len() {
                    let hashes: Vec<Hash> = entries.iter().map(|entry| record_hash(entry)).collect();
                    let fits = hashes == chunk;
                    of_bundles.extend(hashes);
                    if fits {
                        continue;
                    }
                }
                "an entry bundle of the proof log does not have the leaves of its tile"
            }
        };
        wrong.push(Finding::new(Kind::Tile, what).file(paths::proof_tile(name)));
    }
    if root != signed && of_bundles.len() == leaves.len() && tree::root(&of_bundles) == signed {
        return Ok(of_bundles);
    }
    report.findings.append(&mut wrong);
    Ok(leaves)
}

/// The roots of prefixes of the log, in the order of their sizes: each leaf is hashed once.
#[derive(Default)]
struct PrefixRoots {
    taken: usize,
    /// Roots of complete subtrees from the left, with their sizes.
    edge: Vec<(u64, Hash)>,
}

impl PrefixRoots {
    fn advance(&mut self, leaves: &[Hash], size: u64) -> Option<Hash> {
        let size = usize::try_from(size).ok().filter(|size| *size <= leaves.len())?;
        for leaf in &leaves[self.taken..size] {
            let mut entry = (1, *leaf);
            while let Some((width, left)) = self.edge.pop_if(|(width, _)| *width == entry.0) {
                entry = (width * 2, holdfast_proof::node_hash(left, entry.1));
            }
            self.edge.push(entry);
        }
        self.taken = size;
        let mut from_right = self.edge.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = from_right.next() else { return Some(tree::root(&[])) };
        Some(from_right.fold(last, |right, left| holdfast_proof::node_hash(left, right)))
    }
}

/// The checkpoints that are kept in a store.
async fn kept(store: &dyn ObjectStore, place: &str) -> Result<Vec<(String, String)>, ArchiveError> {
    let folder = paths::proof_checkpoints();
    let failed = |source| ArchiveError::Store { doing: format!("list {folder}"), source };
    let listed: Vec<_> = match store.list(Some(&folder)).try_collect::<Vec<_>>().await {
        Ok(listed) => listed,
        Err(object_store::Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let mut notes = Vec::with_capacity(listed.len());
    for object in listed {
        if let Some(bytes) = get(store, &object.location).await? {
            let name = object.location.filename().unwrap_or_default().trim_start_matches('0').to_owned();
            notes.push((format!("of size {name} {place}"), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(notes)
}

/// Reads objects of the log in order; `None` for missing ones.
async fn read_all(store: &dyn ObjectStore, names: &[String]) -> Result<Vec<Option<bytes::Bytes>>, ArchiveError> {
    let paths: Vec<Path> = names.iter().map(|name| paths::proof_tile(name)).collect();
    stream::iter(paths)
        .map(|path| async move { get(store, &path).await })
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_roots_are_the_roots_of_the_first_leaves() {
        let leaves: Vec<Hash> = (0..600u32).map(|n| record_hash(&n.to_be_bytes())).collect();
        let mut prefixes = PrefixRoots::default();
        for size in [0, 1, 2, 3, 255, 256, 257, 511, 600] {
            assert_eq!(prefixes.advance(&leaves, size), Some(tree::root(&leaves[..size as usize])), "{size}");
        }
        assert_eq!(prefixes.advance(&leaves, 601), None);
    }
}
