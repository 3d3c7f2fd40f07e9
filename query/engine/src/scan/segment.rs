//! Reads encrypted data files with the keys of one caller.

use super::fetched::Reserved;
use super::footer::{Footer, FooterCache};
use crate::error::QueryError;
use crate::visibility::Tiers;
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_archive::DataFile;
use holdfast_archive::keys::{KeyMaterial, MasterKeyId, Unlocker};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that are read from a file's end at first. They usually contain the whole footer.
const FOOTER_PREFETCH_BYTES: usize = 64 << 10;
/// A file with fewer rows has one page a column, so its page index cannot prune anything.
const MIN_ROWS_FOR_PAGE_INDEX: u64 = 20_000;

/// A data file and what the caller may read in it. The scan attaches it to the file as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) file: DataFile,
    /// The tiers that the caller may read in the file.
    pub(crate) tiers: Tiers,
}

/// Creates readers for one caller.
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
            return datafusion::common::internal_err!("a file of the archive without its segment");
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
            scanned: None,
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
    /// The metadata of the file, if its rows are scanned.
    scanned: Option<Arc<ParquetMetaData>>,
}

impl SegmentReader {
    async fn footer(&mut self) -> Result<Arc<Footer>> {
        let key = (self.segment.file.path.clone(), self.segment.tiers);
        if let Some(footer) = self.footers.get(&key) {
            return Ok(footer);
        }
        let footer = Arc::new(Footer::new(self.load().await?));
        self.footers.put(key, &footer);
        Ok(footer)
    }

    /// What is scanned counts against the memory of the statement.
    async fn read(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.metrics.bytes_scanned.add(ranges.iter().map(|range| (range.end - range.start) as usize).sum());
        let reserved = self.scanned.as_ref().map(|file| Reserved::new(ranges, file)).transpose()?;
        let path = &self.segment.file.path;
        let bytes = self.store.get_ranges(path, ranges).await.map_err(|error| unavailable(path, error))?;
        Ok(match reserved {
            Some(reserved) => reserved.of(bytes),
            None => bytes,
        })
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
            .with_prefetch_hint(Some(FOOTER_PREFETCH_BYTES));
        reader.try_load(&mut *self, file.size).await.map_err(|error| refused(&file, error))?;
        let mut metadata = reader.finish()?;
        // Every key of the file has been retrieved. The cached metadata must not keep its first reader's keys alive.
        lock(&keys.callers).take();
        if metadata.file_metadata().num_rows() != i64::try_from(file.rows).unwrap_or(i64::MAX) {
            let why = format!("it has {} rows, the log states {}", metadata.file_metadata().num_rows(), file.rows);
            return Err(outside(QueryError::File { file: file.path.to_string(), why }));
        }
        if self.segment.tiers == Tiers::ALL && file.rows > MIN_ROWS_FOR_PAGE_INDEX {
            let mut reader =
                ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(PageIndexPolicy::Optional);
            reader.load_page_index(&mut *self).await.map_err(|error| refused(&file, error))?;
            reader.finish()
        } else {
            // The reader loads the indices of all columns or none, and this caller lacks the keys of some.
            metadata = without_page_index(metadata)?;
            Ok(metadata)
        }
    }
}

/// Removes the offsets of the page index, so that no reader tries to load it.
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
                "its footer cannot be decrypted and read as that of {} ({other}); it was replaced, truncated or damaged",
                file.id
            );
            outside(QueryError::File { file: file.path.to_string(), why })
        }
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let mut bytes = self.read(&[range]).await?;
            let path = &self.segment.file.path;
            bytes.pop().ok_or_else(|| ParquetError::General(format!("no bytes of {path} were read")))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.read(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.footer().await?;
            Ok(Arc::clone(self.scanned.insert(Arc::clone(&footer.metadata))))
        }
        .boxed()
    }
}

fn unavailable(path: &Path, source: object_store::Error) -> ParquetError {
    outside(holdfast_archive::ArchiveError::Store { doing: format!("read {path}"), source }.into())
}

/// The data keys of one file by their key metadata, unwrapped while its footer is read.
struct DataKeys {
    segment: Segment,
    /// Unwraps the data keys. `None` once the footer has been read.
    callers: Mutex<Option<Arc<FileDecryptionProperties>>>,
    known: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl KeyRetriever for DataKeys {
    fn retrieve_key(&self, metadata: &[u8]) -> Result<Vec<u8>> {
        if let Some(key) = lock(&self.known).get(metadata) {
            return Ok(key.clone());
        }
        let Some(callers) = lock(&self.callers).clone() else {
            return Err(ParquetError::General("the caller does not hold the key of this column".to_owned()));
        };
        let refuse = |why: String| Err(ParquetError::General(why));
        let master = match KeyMaterial::parse(metadata) {
            Ok(material) => material.master,
            Err(why) => return refuse(why.to_owned()),
        };
        // The cache relies on this: a footer contains only data keys of the file's own month and of the tiers that it
        // is cached under, whatever the file names and whatever else its first reader may open.
        let Segment { file, tiers } = &self.segment;
        if !tiers.has(master.tier) || master != MasterKeyId::of(master.tier, &file.class, file.date) {
            return refuse(format!("the file must not be read with {master}"));
        }
        let key = callers.footer_key(Some(metadata))?.into_owned();
        lock(&self.known).insert(metadata.to_vec(), key.clone());
        Ok(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
