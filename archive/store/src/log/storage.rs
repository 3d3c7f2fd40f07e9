//! Where the Delta log of one table is, and the reads of single objects of it.

use crate::error::ArchiveError;
use crate::paths;
use crate::table::Table;
use bytes::Bytes;
use deltalake_core::DeltaTableError;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::StreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;
use url::Url;

/// The store and the table of one Delta log.
#[derive(Debug, Clone)]
pub(super) struct LogStorage {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) table: Table,
}

impl LogStorage {
    /// The Delta library's view of the log.
    pub(super) fn log_store(&self) -> Result<LogStoreRef, ArchiveError> {
        let directory = paths::table(self.table);
        // The Delta reader addresses its files by URL and finds them in the root store by the URL's path; the scheme
        // has no meaning here.
        let url = Url::parse(&format!("memory:///{directory}/"))
            .map_err(|error| ArchiveError::Location { url: directory.to_string(), why: error.to_string() })?;
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&self.store), directory));
        Ok(default_logstore(prefixed, Arc::clone(&self.store), &url, &StorageConfig::default()))
    }

    /// Whether the log has any entry.
    pub(super) async fn exists(&self) -> Result<bool, ArchiveError> {
        let directory = paths::delta_log(self.table);
        let first = self.store.list(Some(&directory)).next().await;
        match first.transpose() {
            Ok(found) => Ok(found.is_some()),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("list {directory}"), source }),
        }
    }

    /// Whether the log has the entry of this version.
    pub(super) async fn has_entry(&self, version: u64) -> Result<bool, ArchiveError> {
        let entry = paths::delta_log_entry(self.table, version);
        match self.store.head(&entry).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("check for {entry}"), source }),
        }
    }

    /// The bytes of an object.
    pub(super) async fn get(&self, path: &Path) -> Result<Bytes, ArchiveError> {
        let read = async { self.store.get(path).await?.bytes().await };
        read.await.map_err(|source| ArchiveError::Store { doing: format!("read {path}"), source })
    }
}

/// The error of the Delta library as one of the archive.
pub(super) fn log_error(doing: &'static str) -> impl FnOnce(DeltaTableError) -> ArchiveError {
    move |source| ArchiveError::Log { doing, source: Box::new(source) }
}
