//! Reads some columns of a file in the store, without fetching the others.

use crate::error::ArchiveError;
use crate::keys::Unlocker;
use crate::log::DataFile;
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

/// Bytes at the end of a file that are fetched with the first request. They contain the footer of most files.
const FOOTER_BYTES: usize = 64 * 1024;

/// The columns `names` of a file, in the order of the file. A column that the file does not have is left out.
pub(crate) async fn columns(
    store: &Arc<dyn ObjectStore>,
    unlocker: &Unlocker,
    file: &DataFile,
    names: &[&str],
) -> std::result::Result<Vec<RecordBatch>, ArchiveError> {
    let failed =
        |source| ArchiveError::Parquet { doing: format!("read {} of {}", names.join(", "), file.path), source };
    let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id)?);
    let reader = Reader { store: Arc::clone(store), path: file.path.clone() };
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await.map_err(failed)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
    builder.with_projection(mask).build().map_err(failed)?.try_collect().await.map_err(failed)
}

struct Reader {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.store.head(&self.path).await.map_err(external)?.size;
            let decryption = options.and_then(|options| options.file_decryption_properties().cloned());
            let reader = ParquetMetaDataReader::new()
                .with_decryption_properties(decryption)
                .with_prefetch_hint(Some(FOOTER_BYTES));
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
