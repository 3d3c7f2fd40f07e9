//! Footers, decrypted once.
//!
//! ```text
//! scan ─▶ SegmentReaders ─▶ SegmentReader ─▶ FooterCache ── hit ──▶ metadata with the data keys inside
//!                                              └─ miss ─▶ store ─▶ decrypt with the caller's keys ─▶ keep
//! ```
//!
//! The engine never caches the footer of an encrypted file, and reading one means a request to the store and an age
//! decryption for each data key. Decrypted metadata carries the data keys that it was read with, so a footer is kept
//! under the file's path *and the tiers that its reader's keys open in that file*: whoever gets it could have read it
//! with their own keys.
//!
//! A column whose key is missing keeps its metadata encrypted. Nothing reads it: [`crate::table`] puts NULL in its place.
//!
//! A footer also says which subjects its file may have rows of, which is kept beside the metadata and asked before files are
//! opened.

use crate::error::QueryError;
use crate::tier_access::Tiers;
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_archive::keys::{KeyMaterial, MasterKeyId, Unlocker};
use holdfast_archive::{DataFile, Subjects};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are read from a file's end in the hope that they hold the whole footer.
const FOOTER_GUESS: usize = 64 << 10;
/// Below this many rows a file has one page a column, and its page index would tell nothing.
const ROWS_WORTH_A_PAGE_INDEX: u64 = 20_000;
/// What the bookkeeping of one entry takes, at a guess.
const ENTRY_OVERHEAD: usize = 512;

type Key = (Path, Tiers);

/// Decrypted footers of one archive, for all of its readers. Bounded in bytes; what was used longest ago goes first.
pub struct FooterCache {
    capacity: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    /// When each was last used, on the cache's own clock of look-ups.
    by_use: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
    loads: u64,
}

/// What is known of a file.
pub(crate) struct Footer {
    metadata: Arc<ParquetMetaData>,
    /// `None` in a file that does not say it, as those before this was written down.
    subjects: Option<Subjects>,
}

impl Footer {
    fn new(metadata: ParquetMetaData) -> Self {
        let subjects = Subjects::in_footer(metadata.file_metadata());
        Self { metadata: Arc::new(metadata), subjects }
    }

    /// Whether there may be rows of one of `subjects`.
    pub(crate) fn may_have(&self, subjects: &HashSet<String>) -> bool {
        let known = self.subjects.as_ref();
        known.is_none_or(|known| subjects.iter().any(|subject| known.may_have(subject)))
    }

    fn memory_size(&self) -> usize {
        self.metadata.memory_size() + self.subjects.as_ref().map_or(0, Subjects::memory_size) + ENTRY_OVERHEAD
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

    /// How many footers it holds, and the bytes they take.
    pub fn usage(&self) -> (usize, usize) {
        let entries = self.lock();
        (entries.by_key.len(), entries.bytes)
    }

    /// How often a footer was fetched and its keys were unwrapped.
    pub fn loads(&self) -> u64 {
        self.lock().loads
    }

    fn get(&self, key: &Key) -> Option<Arc<Footer>> {
        let mut entries = self.lock();
        let Entries { by_key, by_use, clock, .. } = &mut *entries;
        let entry = by_key.get_mut(key)?;
        *clock += 1;
        by_use.remove(&entry.used);
        by_use.insert(*clock, key.clone());
        entry.used = *clock;
        Some(Arc::clone(&entry.footer))
    }

    fn put(&self, key: Key, footer: &Arc<Footer>) {
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
        // At worst an entry is counted without being there, which costs room and no truth.
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

/// What the scan tells the reader about a file, as an extension of the engine's description of it.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) file: DataFile,
    /// What the caller's keys open in it.
    pub(crate) rights: Tiers,
}

/// Makes readers for one caller.
pub(crate) struct SegmentReaders {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) unlocker: Arc<Unlocker>,
    pub(crate) footers: Arc<FooterCache>,
}

impl fmt::Debug for SegmentReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SegmentReaders")
    }
}

impl ParquetFileReaderFactory for SegmentReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::common::Result<Box<dyn AsyncFileReader + Send>> {
        let Some(segment) = file.extension::<Segment>().cloned() else {
            return datafusion::common::internal_err!("a file of the archive without its description");
        };
        Ok(Box::new(self.reader(partition_index, segment, metrics)))
    }
}

impl SegmentReaders {
    fn reader(&self, partition: usize, segment: Segment, metrics: &ExecutionPlanMetricsSet) -> SegmentReader {
        SegmentReader {
            metrics: ParquetFileMetrics::new(partition, segment.file.path.as_ref(), metrics),
            store: Arc::clone(&self.store),
            unlocker: Arc::clone(&self.unlocker),
            footers: Arc::clone(&self.footers),
            segment,
        }
    }

    /// The footer of a file.
    pub(crate) async fn footer(&self, segment: Segment) -> Result<Arc<Footer>> {
        self.reader(0, segment, &ExecutionPlanMetricsSet::new()).footer().await
    }
}

struct SegmentReader {
    metrics: ParquetFileMetrics,
    store: Arc<dyn ObjectStore>,
    unlocker: Arc<Unlocker>,
    footers: Arc<FooterCache>,
    segment: Segment,
}

impl SegmentReader {
    async fn footer(&mut self) -> Result<Arc<Footer>> {
        let key = (self.segment.file.path.clone(), self.segment.rights);
        if let Some(footer) = self.footers.get(&key) {
            return Ok(footer);
        }
        let footer = Arc::new(Footer::new(self.load().await?));
        self.footers.put(key, &footer);
        Ok(footer)
    }

    async fn load(&mut self) -> Result<ParquetMetaData> {
        let file = self.segment.file.clone();
        let callers = self.unlocker.decryption(&file.id).map_err(|error| outside(error.into()))?;
        let prefix = callers.aad_prefix().cloned().unwrap_or_default();
        let keys = Arc::new(DataKeys {
            segment: self.segment.clone(),
            callers: Mutex::new(Some(callers)),
            known: Mutex::default(),
        });
        let decryption = FileDecryptionProperties::with_key_retriever(Arc::clone(&keys) as Arc<dyn KeyRetriever>)
            .with_aad_prefix(prefix)
            .build()?;
        let mut reader = ParquetMetaDataReader::new()
            .with_decryption_properties(Some(decryption))
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_prefetch_hint(Some(FOOTER_GUESS));
        reader.try_load(&mut *self, file.size).await.map_err(|error| refused(&file, error))?;
        let mut metadata = reader.finish()?;
        // Every key of the file has been asked for now. What is kept must not lead back to its first reader.
        lock(&keys.callers).take();
        if metadata.file_metadata().num_rows() != i64::try_from(file.rows).unwrap_or(i64::MAX) {
            let why = format!("it has {} rows and the log says {}", metadata.file_metadata().num_rows(), file.rows);
            return Err(outside(QueryError::File { file: file.path.to_string(), why }));
        }
        if self.segment.rights == Tiers::ALL && file.rows > ROWS_WORTH_A_PAGE_INDEX {
            let mut reader =
                ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(PageIndexPolicy::Optional);
            reader.load_page_index(&mut *self).await.map_err(|error| refused(&file, error))?;
            reader.finish()
        } else {
            // The index of one column cannot be read without the indices of all, and some are not for this caller.
            metadata = without_page_index(metadata)?;
            Ok(metadata)
        }
    }
}

/// Forgets where the page index is, so that nobody goes and looks for it.
fn without_page_index(metadata: ParquetMetaData) -> Result<ParquetMetaData> {
    let mut builder = metadata.into_builder();
    let mut groups = Vec::new();
    for group in builder.take_row_groups() {
        let mut group = group.into_builder();
        let mut columns = Vec::new();
        for column in group.take_columns() {
            let column = column.into_builder();
            let column = column.set_column_index_offset(None).set_column_index_length(None);
            columns.push(column.set_offset_index_offset(None).set_offset_index_length(None).build()?);
        }
        groups.push(group.set_column_metadata(columns).build()?);
    }
    Ok(builder.set_row_groups(groups).build())
}

fn outside(error: QueryError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

fn refused(file: &DataFile, error: ParquetError) -> ParquetError {
    match error {
        ParquetError::External(_) => error,
        other => {
            let why = format!(
                "its footer cannot be decrypted and read as that of {} ({other}); it was exchanged, cut off or damaged",
                file.id
            );
            outside(QueryError::File { file: file.path.to_string(), why })
        }
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.metrics.bytes_scanned.add((range.end - range.start) as usize);
        async move {
            let path = &self.segment.file.path;
            let ranges = self.store.get_ranges(path, std::slice::from_ref(&range)).await;
            let mut ranges = ranges.map_err(|error| unavailable(path, error))?;
            ranges.pop().ok_or_else(|| ParquetError::General(format!("nothing was read of {path}")))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.metrics.bytes_scanned.add(ranges.iter().map(|range| (range.end - range.start) as usize).sum());
        async move {
            let path = &self.segment.file.path;
            self.store.get_ranges(path, &ranges).await.map_err(|error| unavailable(path, error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move { Ok(Arc::clone(&self.footer().await?.metadata)) }.boxed()
    }
}

fn unavailable(path: &Path, source: object_store::Error) -> ParquetError {
    outside(holdfast_archive::ArchiveError::Store { doing: format!("read {path}"), source }.into())
}

/// The data keys of one file by their key metadata, unwrapped while its footer is read.
struct DataKeys {
    segment: Segment,
    /// What unwraps them; taken away when the footer has been read.
    callers: Mutex<Option<Arc<FileDecryptionProperties>>>,
    known: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl KeyRetriever for DataKeys {
    fn retrieve_key(&self, metadata: &[u8]) -> Result<Vec<u8>> {
        if let Some(key) = lock(&self.known).get(metadata) {
            return Ok(key.clone());
        }
        let Some(callers) = lock(&self.callers).clone() else {
            return Err(ParquetError::General("the key of this column is not held by the caller".to_owned()));
        };
        let refuse = |why: String| Err(ParquetError::General(why));
        let master = match KeyMaterial::parse(metadata) {
            Ok(material) => material.master,
            Err(why) => return refuse(why.to_owned()),
        };
        // The cache trusts that a footer holds the keys of the file's own month and of the tiers it is kept under, and
        // no others, whatever the file says and whatever else its first reader may open.
        let Segment { file, rights } = &self.segment;
        if !rights.has(master.tier) || master != MasterKeyId::of(master.tier, &file.class, file.date) {
            return refuse(format!("the file is not to be read with {master}"));
        }
        let key = callers.footer_key(Some(metadata))?.into_owned();
        lock(&self.known).insert(metadata.to_vec(), key.clone());
        Ok(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
