//! The integrator: adds the leaves of new commits to the tiles, and signs a checkpoint.
//!
//! ```text
//! lease ─▶ checkpoint: position ─▶ sequence: new leaves ─▶ tiles, entry bundles ─▶ sign ─▶ witnesses ─▶ checkpoint
//!                                                                                               └─▶ kept, mirrored
//! ```
//!
//! Tiles are written before the checkpoint, so that every tile of a published checkpoint exists. After a crash in
//! between, the next round repeats the work: the same leaves in the same order give the same tiles.
//!
//! The log grows without a witness that does not respond and without a mirror that cannot be written. Both are
//! reported.

use super::entry::get;
use super::lease::Lease;
use super::sequence::{Position, RETIRED, Sequence};
use crate::error::ArchiveError;
use crate::{Archive, paths};
use async_trait::async_trait;
use bytes::Bytes;
use holdfast_events::Timestamp;
use holdfast_proof::Tile;
use holdfast_proof::note::{NoteError, Purpose, SignedTree, SigningKey, TrustedKeys};
use holdfast_proof::tiles::{self, TileSet};
use holdfast_proof::witness::{self, WitnessKey};
use holdfast_proof::{Hash, record_hash, tree};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Leaves that one round integrates. The next round integrates the rest.
const MAX_LEAVES: usize = 20_000;
/// Leaves in an entry bundle.
const BUNDLE_WIDTH: u64 = 256;

/// How the log is integrated.
#[derive(Debug, Clone)]
pub struct IntegrateSettings {
    /// Unique to the process.
    pub holder: String,
    /// How long the lease lasts. Then another process takes over from one that has ended.
    pub lease: Duration,
    /// A checkpoint is kept when the one before is older than this. 0 keeps each.
    pub keep_every: Duration,
}

/// A second store of checkpoints, which the operator of the archive cannot rewrite.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// Its name in messages.
    pub name: String,
    /// Its store.
    pub store: Arc<dyn ObjectStore>,
}

/// The response of a witness to `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessResponse {
    /// Its signature lines (status 200).
    Cosigned(String),
    /// It last cosigned a tree of this size, which is not the size in the request (status 409).
    Conflict(u64),
}

/// A witness by the C2SP protocol tlog-witness: it cosigns a checkpoint when that is consistent with the one before.
#[async_trait]
pub trait Witness: fmt::Debug + Send + Sync {
    /// Its name, and the key that it signs with.
    fn key(&self) -> &WitnessKey;
    /// Sends the body of `add-checkpoint`. The error describes why there was no response.
    async fn add_checkpoint(&self, body: String) -> Result<WitnessResponse, String>;
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Integrated {
    /// Whether this process has the lease.
    pub has_lease: bool,
    /// Leaves that were integrated.
    pub leaves: u64,
    /// The tree's size afterwards.
    pub size: u64,
    /// Whether there are more leaves to integrate.
    pub more: bool,
    /// Entries of a Delta log whose leaves were not integrated because no valid attestation covers them, with the
    /// reason.
    pub unattested: Vec<String>,
    /// Witnesses and mirrors that failed, and why.
    pub failed: Vec<String>,
}

/// Integrates the log of one archive.
#[derive(Debug)]
pub struct Integrator {
    archive: Archive,
    settings: IntegrateSettings,
    key: Arc<SigningKey>,
    trusted: TrustedKeys,
    witnesses: Vec<Arc<dyn Witness>>,
    mirrors: Vec<Mirror>,
    lease: Lease,
    /// The size that each witness last cosigned, as far as this process knows.
    witnessed: BTreeMap<String, u64>,
    /// When a checkpoint was last kept, and the checkpoints that are still to be put into each mirror.
    kept_at: Option<Timestamp>,
    to_mirror: Vec<(usize, Path, Bytes)>,
    /// The size before the last round. Its partial tiles are obsolete when the next checkpoint is published.
    before: Option<u64>,
}

/// A tree to be published in place of the one with `old_size` leaves.
struct NewTree {
    old_size: u64,
    size: u64,
    root: Hash,
    position: Position,
}

/// The newest checkpoint.
pub(crate) struct Head {
    pub(crate) tree: SignedTree,
    pub(crate) note: String,
}

impl Integrator {
    /// An integrator that signs with `key`, one of `trusted`.
    pub fn new(
        archive: Archive,
        settings: IntegrateSettings,
        key: Arc<SigningKey>,
        trusted: TrustedKeys,
        witnesses: Vec<Arc<dyn Witness>>,
        mirrors: Vec<Mirror>,
    ) -> Self {
        let lease = Lease::new(Arc::clone(archive.store()), settings.holder.clone(), settings.lease);
        Self {
            archive,
            settings,
            key,
            trusted,
            witnesses,
            mirrors,
            lease,
            witnessed: BTreeMap::new(),
            kept_at: None,
            to_mirror: Vec::new(),
            before: None,
        }
    }

    /// Integrates what was committed since the last round, if this process has the lease.
    pub async fn round(&mut self, now: Timestamp) -> Result<Integrated, ArchiveError> {
        if !self.lease.keep(now).await? {
            return Ok(Integrated::default());
        }
        let mut done = Integrated { has_lease: true, ..Integrated::default() };
        let store = Arc::clone(self.archive.store());
        let head = head(store.as_ref(), &self.trusted).await?;
        let position = head.as_ref().map_or_else(Position::default, |head| Position::of_lines(&head.tree.extensions));
        let (size, root) = head.as_ref().map_or((0, tree::root(&[])), |head| (head.tree.size, head.tree.root));
        done.size = size;

        let mut sequence = Sequence::new(store.as_ref(), &self.trusted, position);
        let mut leaves: Vec<String> = Vec::new();
        while leaves.len() < MAX_LEAVES || !sequence.is_between_commits() {
            let Some(next) = sequence.next().await? else { break };
            let at = size + leaves.len() as u64;
            match next.leaves {
                Ok(attested) if !attested.is_timely(&self.trusted, at) => {
                    done.unattested.push(format!("entry {} of {}: {RETIRED}", next.entry.version, next.table.name()));
                }
                Ok(_) => leaves.extend(next.entry.attestation.into_iter().flat_map(|attestation| attestation.leaves)),
                // An entry that cannot be read now may be readable later, and must not be left out.
                Err(why) if next.entry.is_unreadable => {
                    return Err(ArchiveError::Damaged {
                        what: format!("entry {} of the Delta log of {}", next.entry.version, next.table.name()),
                        why,
                    });
                }
                // From before the archive had a proof log.
                Err(_) if at == 0 && next.entry.attestation.is_none() => {}
                Err(why) => {
                    done.unattested.push(format!("entry {} of {}: {why}", next.entry.version, next.table.name()));
                }
            }
        }
        let reached = sequence.position();
        done.more = leaves.len() >= MAX_LEAVES;
        if !leaves.is_empty() {
            let hashes: Vec<Hash> = leaves.iter().map(|leaf| record_hash(leaf.as_bytes())).collect();
            let edge = read_tiles(store.as_ref(), &tiles::edge_tiles(size)).await?;
            let grown = tiles::grow(size, root, &edge, &hashes).map_err(|error| ArchiveError::Damaged {
                what: format!("the tiles of the proof log at size {size}"),
                why: error.to_string(),
            })?;
            self.write_bundles(size, &leaves).await?;
            for (tile, bytes) in &grown.tiles {
                put(store.as_ref(), &paths::proof_tile(&tiles::tile_path(tile)), bytes.clone().into()).await?;
            }
            done.leaves = hashes.len() as u64;
            done.size = grown.size;
            let tree = NewTree { old_size: size, size: grown.size, root: grown.root, position: reached };
            self.publish(tree, now, &mut done).await?;
            self.drop_partial_tiles(size).await;
        } else if reached != position && size > 0 {
            // The new position skips entries without leaves, so that the next round does not read them again.
            let tree = NewTree { old_size: size, size, root, position: reached };
            self.publish(tree, now, &mut done).await?;
        }
        self.mirror(&mut done).await;
        Ok(done)
    }

    /// Integrates all that is left, keeps and mirrors the newest checkpoint whatever the interval, and releases the
    /// lease.
    pub async fn finish(&mut self, now: Timestamp) -> Result<Integrated, ArchiveError> {
        let mut done = self.round(now).await?;
        while done.has_lease && done.more {
            done = self.round(now).await?;
        }
        if done.has_lease {
            let store = Arc::clone(self.archive.store());
            if let Some(head) = head(store.as_ref(), &self.trusted).await? {
                self.keep(head.tree.size, head.note.into(), now).await?;
                self.mirror(&mut done).await;
            }
            self.lease.release().await?;
        }
        Ok(done)
    }

    /// Signs the tree, has the witnesses cosign it, and makes it the log's checkpoint.
    async fn publish(&mut self, new: NewTree, now: Timestamp, done: &mut Integrated) -> Result<(), ArchiveError> {
        let NewTree { old_size, size, root, position } = new;
        let tree = SignedTree {
            extensions: position.to_lines(),
            ..SignedTree::new(&self.key, Purpose::Checkpoint, size, root)
        };
        let sign = |error: NoteError| ArchiveError::Sign { what: "a checkpoint", why: error.to_string() };
        let mut note = tree.sign(&self.key).map_err(sign)?;
        for witness in self.witnesses.clone() {
            match self.cosigned(witness.as_ref(), old_size, &tree, &note).await {
                Ok(line) => note.push_str(&line),
                Err(why) => done.failed.push(format!("witness {}: {why}", witness.key().name())),
            }
        }
        if !self.lease.is_held().await? {
            // Another process took over while this one was suspended, and may have published a larger tree.
            done.has_lease = false;
            return Ok(());
        }
        put(self.archive.store().as_ref(), &paths::proof_checkpoint(), note.clone().into()).await?;
        let is_due = match self.kept_at {
            None => true,
            Some(at) => now.0.saturating_sub(at.0) >= self.settings.keep_every.as_micros() as i64,
        };
        if is_due {
            self.keep(size, note.into(), now).await?;
        }
        Ok(())
    }

    /// The lines of a witness for `note`, checked.
    async fn cosigned(
        &mut self,
        witness: &dyn Witness,
        old_size: u64,
        tree: &SignedTree,
        note: &str,
    ) -> Result<String, String> {
        let name = witness.key().name().to_owned();
        let mut from = self.witnessed.get(&name).copied().unwrap_or(old_size);
        for _ in 0..2 {
            let proof = if from == 0 || from == tree.size {
                Vec::new()
            } else {
                let needed = tiles::tiles_for_consistency(from, tree.size);
                let set =
                    read_tiles(self.archive.store().as_ref(), &needed).await.map_err(|error| error.to_string())?;
                tiles::prove_consistency(&set, from, tree.size, tree.root).map_err(|error| error.to_string())?
            };
            match witness.add_checkpoint(witness::add_checkpoint_body(from, &proof, note)).await? {
                WitnessResponse::Conflict(size) if size <= tree.size => from = size,
                WitnessResponse::Conflict(size) => {
                    return Err(format!("it has cosigned a tree of {size} leaves, and this log has {}", tree.size));
                }
                WitnessResponse::Cosigned(lines) => {
                    let cosigned = format!("{note}{lines}");
                    let checked = witness::check_cosignatures(&cosigned, std::slice::from_ref(witness.key()));
                    let checked = checked.map_err(|error| error.to_string())?;
                    if checked.valid.is_empty() {
                        return Err("its signature is not valid".to_owned());
                    }
                    self.witnessed.insert(name, tree.size);
                    return Ok(lines);
                }
            }
        }
        Err("it reports a conflict twice".to_owned())
    }

    /// Keeps a checkpoint, here and in every mirror.
    async fn keep(&mut self, size: u64, note: Bytes, now: Timestamp) -> Result<(), ArchiveError> {
        let path = paths::proof_kept_checkpoint(size);
        create(self.archive.store().as_ref(), &path, note.clone()).await?;
        self.kept_at = Some(now);
        self.to_mirror.extend((0..self.mirrors.len()).map(|mirror| (mirror, path.clone(), note.clone())));
        Ok(())
    }

    /// Puts outstanding checkpoints into the mirrors. The next round tries again what fails.
    async fn mirror(&mut self, done: &mut Integrated) {
        let mut left = Vec::new();
        for (index, path, note) in std::mem::take(&mut self.to_mirror) {
            let mirror = &self.mirrors[index];
            if let Err(error) = create(mirror.store.as_ref(), &path, note.clone()).await {
                done.failed.push(format!("mirror {}: {error}", mirror.name));
                left.push((index, path, note));
            }
        }
        self.to_mirror = left;
    }

    /// Writes the entry bundles of `leaves`, which follow the first `size` leaves.
    async fn write_bundles(&self, size: u64, leaves: &[String]) -> Result<(), ArchiveError> {
        let store = self.archive.store().as_ref();
        let damaged = |what: String, why: String| ArchiveError::Damaged { what, why };
        let (mut bundle, within) = (size / BUNDLE_WIDTH, size % BUNDLE_WIDTH);
        let mut entries: Vec<Vec<u8>> = Vec::new();
        if within > 0 {
            let path = paths::proof_tile(&tiles::entries_path(bundle, within as u32));
            let bytes = get(store, &path).await?.unwrap_or_default();
            let read = tiles::decode_entries(&bytes).map_err(|error| damaged(path.to_string(), error.to_string()))?;
            entries = read.into_iter().map(<[u8]>::to_vec).collect();
            if entries.len() as u64 != within {
                return Err(damaged(path.to_string(), format!("it has {} entries, expected {within}", entries.len())));
            }
        }
        let mut leaves = leaves.iter();
        loop {
            entries.extend(
                leaves.by_ref().take(BUNDLE_WIDTH as usize - entries.len()).map(|leaf| leaf.as_bytes().to_vec()),
            );
            if entries.is_empty() {
                return Ok(());
            }
            let path = paths::proof_tile(&tiles::entries_path(bundle, entries.len() as u32));
            let bytes =
                tiles::encode_entries(&entries).map_err(|error| damaged(path.to_string(), error.to_string()))?;
            put(store, &path, bytes.into()).await?;
            if (entries.len() as u64) < BUNDLE_WIDTH {
                return Ok(());
            }
            entries.clear();
            bundle += 1;
        }
    }

    /// Deletes the partial tiles and bundles of the tree before the one that was just replaced. Readers of that tree
    /// have finished. What remains when a deletion fails is only waste.
    async fn drop_partial_tiles(&mut self, replaced: u64) {
        if let Some(size) = self.before.replace(replaced).filter(|size| *size > 0 && *size != replaced) {
            let needed: Vec<String> = partial_names(replaced);
            for name in partial_names(size).into_iter().filter(|name| !needed.contains(name)) {
                let _ = self.archive.store().delete(&paths::proof_tile(&name)).await;
            }
        }
    }
}

/// The names of the partial tiles and the partial bundle of a tree.
fn partial_names(size: u64) -> Vec<String> {
    let mut names: Vec<String> = tiles::edge_tiles(size)
        .iter()
        .filter(|tile| tile.width() < BUNDLE_WIDTH as u32)
        .map(tiles::tile_path)
        .collect();
    if !size.is_multiple_of(BUNDLE_WIDTH) {
        names.push(tiles::entries_path(size / BUNDLE_WIDTH, (size % BUNDLE_WIDTH) as u32));
    }
    names
}

/// The newest checkpoint, if there is one. It must be signed by a trusted key.
pub(crate) async fn head(store: &dyn ObjectStore, keys: &TrustedKeys) -> Result<Option<Head>, ArchiveError> {
    let path = paths::proof_checkpoint();
    let Some(bytes) = get(store, &path).await? else { return Ok(None) };
    let damaged = |why: String| ArchiveError::Damaged { what: path.to_string(), why };
    let note = String::from_utf8(bytes.to_vec()).map_err(|_| damaged("it is not UTF-8".to_owned()))?;
    let tree = keys.open(&note, Purpose::Checkpoint).map_err(|error| damaged(error.to_string()))?.tree;
    Ok(Some(Head { tree, note }))
}

/// Reads tiles. Missing tiles are left out.
pub(crate) async fn read_tiles(store: &dyn ObjectStore, wanted: &[Tile]) -> Result<TileSet, ArchiveError> {
    let mut set = TileSet::default();
    for tile in wanted {
        if let Some(bytes) = get(store, &paths::proof_tile(&tiles::tile_path(tile))).await? {
            set.insert(*tile, bytes.to_vec());
        }
    }
    Ok(set)
}

async fn put(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> Result<(), ArchiveError> {
    store
        .put(path, bytes.into())
        .await
        .map_err(|source| ArchiveError::Store { doing: format!("put {path}"), source })?;
    Ok(())
}

/// Puts an object that may exist already.
async fn create(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> Result<(), ArchiveError> {
    match store.put_opts(path, bytes.into(), PutOptions::from(PutMode::Create)).await {
        Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
        Err(source) => Err(ArchiveError::Store { doing: format!("put {path}"), source }),
    }
}
