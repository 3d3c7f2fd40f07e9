//! Where the Delta log of one table is, and the requests for single objects of it.

use super::listing::hinted_version;
use crate::error::ArchiveError;
use crate::paths;
use crate::table::Table;
use bytes::Bytes;
use deltalake_core::DeltaTableError;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
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

    /// The bytes of an entry; `None` if there is no entry of this version.
    pub(super) async fn entry(&self, version: u64) -> Result<Option<Bytes>, ArchiveError> {
        self.get(&paths::delta_log_entry(self.table, version)).await
    }

    /// Writes an entry. `false` if there is one of this version.
    pub(super) async fn create_entry(&self, version: u64, entry: Bytes) -> Result<bool, ArchiveError> {
        let path = paths::delta_log_entry(self.table, version);
        match self.store.put_opts(&path, entry.into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("commit {path}"), source }),
        }
    }

    /// Whether there is an entry of this version.
    pub(super) async fn has_entry(&self, version: u64) -> Result<bool, ArchiveError> {
        let path = paths::delta_log_entry(self.table, version);
        match self.store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(ArchiveError::Store { doing: format!("check for {path}"), source }),
        }
    }

    /// Deletes an entry.
    pub(super) async fn delete_entry(&self, version: u64) -> Result<(), ArchiveError> {
        self.delete(&paths::delta_log_entry(self.table, version)).await
    }

    /// Deletes a checkpoint, and the hint if it names that one.
    pub(super) async fn delete_checkpoint(&self, version: u64) -> Result<(), ArchiveError> {
        if self.hint().await? == Some(version) {
            self.delete(&paths::delta_log_hint(self.table)).await?;
        }
        self.delete(&paths::delta_log_checkpoint(self.table, version)).await
    }

    /// The bytes of a checkpoint; `None` if it does not exist.
    pub(super) async fn checkpoint(&self, version: u64) -> Result<Option<Bytes>, ArchiveError> {
        self.get(&paths::delta_log_checkpoint(self.table, version)).await
    }

    /// The version of the newest checkpoint. `None` if no object says so: it is a hint, and one that is missing or
    /// unreadable costs a listing and no more.
    pub(super) async fn hint(&self) -> Result<Option<u64>, ArchiveError> {
        let hint = self.get(&paths::delta_log_hint(self.table)).await?;
        Ok(hint.as_deref().and_then(hinted_version))
    }

    /// The names of the objects of the log; with a version, only those of that version and of later ones.
    pub(super) async fn names(&self, from: Option<u64>) -> Result<Vec<String>, ArchiveError> {
        let directory = paths::delta_log(self.table);
        let listed = match from {
            // The name of an entry or a checkpoint begins with its version and goes on.
            Some(version) => {
                self.store.list_with_offset(Some(&directory), &directory.clone().join(format!("{version:020}")))
            }
            None => self.store.list(Some(&directory)),
        };
        let names = listed.map_ok(|object| object.location.filename().unwrap_or_default().to_owned());
        match names.try_collect().await {
            Ok(names) => Ok(names),
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(source) => Err(ArchiveError::Store { doing: format!("list {directory}"), source }),
        }
    }

    async fn delete(&self, path: &Path) -> Result<(), ArchiveError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(ArchiveError::Store { doing: format!("delete {path}"), source }),
        }
    }

    async fn get(&self, path: &Path) -> Result<Option<Bytes>, ArchiveError> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(ArchiveError::Store { doing: format!("read {path}"), source }),
        }
    }
}

/// The error of the Delta library as one of the archive.
pub(super) fn log_error(doing: &'static str) -> impl FnOnce(DeltaTableError) -> ArchiveError {
    move |source| ArchiveError::Log { doing, source: Box::new(source) }
}
