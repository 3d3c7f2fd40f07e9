//! The archive's location: a folder, or a prefix in S3, GCS or Azure.

use crate::ArchiveError;
use crate::folder::DurableFolder;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// The archive's root as an object store.
#[derive(Debug, Clone)]
pub struct Location {
    /// Its URL, for messages.
    pub url: Url,
    /// The store, whose root is the archive's root.
    pub store: Arc<dyn ObjectStore>,
}

/// Opens the store at `url`: a folder's path (relative to `base`; created if missing), or `s3://bucket/prefix`,
/// `gs://...`, `az://...` with `options` as the crate object_store names them (`aws_region`, `aws_endpoint`, ...).
pub fn open_store(url: &str, base: &Path, options: &BTreeMap<String, String>) -> Result<Location, ArchiveError> {
    let refuse = |why: String| ArchiveError::Location { url: url.to_owned(), why };
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() != "file" => {
            let (store, prefix) =
                object_store::parse_url_opts(&parsed, options).map_err(|error| refuse(error.to_string()))?;
            Ok(Location { url: parsed, store: Arc::new(PrefixStore::new(store, prefix)) })
        }
        parsed => {
            let folder = match parsed {
                Ok(file) => {
                    file.to_file_path().map_err(|()| refuse("it is not a folder on this machine".to_owned()))?
                }
                Err(_) => base.join(url),
            };
            std::fs::create_dir_all(&folder).map_err(|error| refuse(error.to_string()))?;
            let folder = folder.canonicalize().map_err(|error| refuse(error.to_string()))?;
            let store = DurableFolder::new(folder.clone()).map_err(|error| refuse(error.to_string()))?;
            let url = Url::from_directory_path(&folder).map_err(|()| refuse("its path is not absolute".to_owned()))?;
            Ok(Location { url, store: Arc::new(store) })
        }
    }
}
