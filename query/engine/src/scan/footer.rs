//! Decrypted footers, cached.
//!
//! ```text
//! scan ─▶ SegmentReaders ─▶ SegmentReader ─▶ FooterCache ── hit ──▶ metadata with the data keys inside
//!                                              └─ miss ─▶ store ─▶ decrypt with the caller's keys ─▶ insert
//! ```
//!
//! DataFusion never caches the footer of an encrypted file, and reading one takes a request to the store and an age
//! decryption for each data key. Decrypted metadata contains the data keys that it was read with, so a footer is cached
//! under the file's path *and the tiers that its reader's keys open in that file*: a caller who gets it could have read
//! it with their own keys.
//!
//! The metadata of a column whose key is missing stays encrypted. Nothing reads it: [`super::table`] returns NULL for
//! the column.
//!
//! A footer also lists the subjects that its file may have rows of. The list is cached beside the metadata, and scans
//! test it before they open files.

use crate::visibility::Tiers;
use holdfast_archive::Subjects;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An estimate of the memory that the bookkeeping of one entry takes.
const ENTRY_OVERHEAD_BYTES: usize = 512;

pub(super) type Key = (Path, Tiers);

/// Decrypted footers of one archive, for all of its readers. Bounded in bytes; evicts the least recently used entry.
pub struct FooterCache {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// When each entry was last used, on the cache's own clock, which counts lookups.
    by_use: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
    loads: u64,
}

/// The footer of a file.
pub(super) struct Footer {
    pub(super) metadata: Arc<ParquetMetaData>,
    /// `None` if the footer has no list, as in files from before the list was introduced.
    subjects: Option<Subjects>,
}

impl Footer {
    pub(super) fn new(metadata: ParquetMetaData) -> Self {
        let subjects = Subjects::in_footer(metadata.file_metadata());
        Self { metadata: Arc::new(metadata), subjects }
    }

    /// Whether the file may have rows of one of `subjects`, and of one of `types` if they are known.
    pub(super) fn may_have(&self, subjects: &HashSet<String>, types: Option<&HashSet<String>>) -> bool {
        let Some(known) = &self.subjects else { return true };
        subjects.iter().any(|subject| match types {
            Some(types) => types.iter().any(|event_type| known.may_have_type(subject, event_type)),
            None => known.may_have(subject),
        })
    }

    fn memory_size(&self) -> usize {
        self.metadata.memory_size() + self.subjects.as_ref().map_or(0, Subjects::memory_size) + ENTRY_OVERHEAD_BYTES
    }
}

struct Entry {
    footer: Arc<Footer>,
    bytes: usize,
    used: u64,
}

impl FooterCache {
    /// A cache of at most `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default() }
    }

    /// The number of cached footers, and the bytes that they take.
    pub fn usage(&self) -> (usize, usize) {
        let entries = self.lock();
        (entries.by_key.len(), entries.bytes)
    }

    /// How often a footer was read from the store and its keys were unwrapped.
    pub fn loads(&self) -> u64 {
        self.lock().loads
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Footer>> {
        let mut entries = self.lock();
        let Entries { by_key, by_use, clock, .. } = &mut *entries;
        let entry = by_key.get_mut(key)?;
        *clock += 1;
        by_use.remove(&entry.used);
        by_use.insert(*clock, key.clone());
        entry.used = *clock;
        Some(Arc::clone(&entry.footer))
    }

    pub(super) fn put(&self, key: Key, footer: &Arc<Footer>) {
        let bytes = footer.memory_size();
        let mut entries = self.lock();
        entries.loads += 1;
        if bytes > self.capacity {
            return;
        }
        entries.remove(&key);
        while entries.bytes + bytes > self.capacity {
            let Some((_, oldest)) = entries.by_use.pop_first() else { break };
            entries.remove(&oldest);
        }
        entries.clock += 1;
        let used = entries.clock;
        entries.bytes += bytes;
        entries.by_use.insert(used, key.clone());
        entries.by_key.insert(key, Entry { footer: Arc::clone(footer), bytes, used });
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // At worst the bytes of a missing entry are counted, which wastes capacity but returns nothing wrong.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.bytes;
            self.by_use.remove(&entry.used);
        }
    }
}

impl fmt::Debug for FooterCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FooterCache").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
