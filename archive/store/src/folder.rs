//! A local folder as a store whose puts are durable when they return.
//!
//! Kafka deletes an acknowledged event one day. The event must then be in the archive, also after a power failure. The
//! local file system of object_store writes and renames without syncing. This decorator syncs the file and the folders
//! on its path.
//!
//! Listings are in the order of names, as object stores return them and the Delta log's reader expects them.
//!
//! The ranges of one request are read with one open, each as requested. Unlike in a remote store, where each request
//! costs a round trip, the bytes between them are not read.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

/// The store's name in errors.
const STORE: &str = "folder";

/// A local folder that syncs.
#[derive(Debug)]
pub(crate) struct DurableFolder {
    inner: LocalFileSystem,
}

impl DurableFolder {
    pub(crate) fn new(inner: LocalFileSystem) -> Self {
        Self { inner }
    }

    /// Syncs a file and the folders from the root to it, which a put may have created.
    async fn sync(&self, location: &Path) -> Result<()> {
        let mut paths: Vec<PathBuf> = vec![self.inner.path_to_filesystem(location)?];
        for _ in location.parts() {
            let parent = paths.last().and_then(|path| path.parent()).map(PathBuf::from);
            paths.extend(parent);
        }
        tokio::task::spawn_blocking(move || paths.iter().try_for_each(|path| File::open(path)?.sync_all()))
            .await
            .map_err(|error| Error::Generic { store: STORE, source: error.into() })?
            .map_err(|error| Error::Generic { store: STORE, source: error.into() })
    }
}

fn read(file: &mut File, range: Range<u64>) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

fn failed(location: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound { path: location.to_string(), source: error.into() },
        _ => Error::Generic { store: STORE, source: format!("{location}: {error}").into() },
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let result = self.inner.put_opts(location, payload, options).await?;
        self.sync(location).await?;
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.inner.path_to_filesystem(location)?;
        let (location, ranges) = (location.clone(), ranges.to_vec());
        tokio::task::spawn_blocking(move || {
            let mut file = File::open(&path).map_err(|error| failed(&location, error))?;
            ranges.into_iter().map(|range| read(&mut file, range).map_err(|error| failed(&location, error))).collect()
        })
        .await
        .map_err(|error| Error::Generic { store: STORE, source: error.into() })?
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        let sorted = async move {
            let mut objects: Vec<_> = listed.try_collect().await?;
            objects.sort_unstable_by(|one: &ObjectMeta, other| one.location.cmp(&other.location));
            Ok::<_, Error>(futures::stream::iter(objects.into_iter().map(Ok)))
        };
        futures::stream::once(sorted).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.sync(to).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    #[tokio::test]
    async fn ranges_are_read_as_requested() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableFolder::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let path = Path::from("a/b");
        store.put(&path, "0123456789".into()).await.unwrap();
        let read = store.get_ranges(&path, &[7..10, 0..2, 4..4, 1..3]).await.unwrap();
        assert_eq!(read, [&b"789"[..], b"01", b"", b"12"]);
        assert!(store.get_ranges(&path, &[]).await.unwrap().is_empty());
        let beyond = store.get_ranges(&path, std::slice::from_ref(&(8..11))).await.unwrap_err();
        assert!(beyond.to_string().contains("a/b"), "{beyond}");
        let missing = store.get_ranges(&Path::from("a/c"), std::slice::from_ref(&(0..1))).await.unwrap_err();
        assert!(matches!(&missing, Error::NotFound { path, .. } if path == "a/c"), "{missing}");
    }
}
