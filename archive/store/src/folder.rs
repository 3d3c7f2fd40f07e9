//! A local folder as a store whose puts are durable when they return.
//!
//! Kafka deletes an acknowledged event one day. The event must then be in the archive, also after a power failure. The
//! local file system of object_store writes and renames without syncing. This decorator syncs the file and the folders
//! on its path.
//!
//! Listings are in the order of names, as object stores return them and the Delta log's reader expects them. A listing
//! behind an offset takes a stat only of what it returns ([`list`]).
//!
//! The ranges of one request are read with one open, each as requested. Unlike in a remote store, where each request
//! costs a round trip, the bytes between them are not read.

mod list;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use list::STORE;
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

/// A local folder that syncs.
#[derive(Debug)]
pub(crate) struct DurableFolder {
    inner: LocalFileSystem,
    root: PathBuf,
}

impl DurableFolder {
    /// The store in the folder `root`, which exists.
    pub(crate) fn new(root: PathBuf) -> Result<Self> {
        Ok(Self { inner: LocalFileSystem::new_with_prefix(&root)?, root })
    }

    /// The objects under `prefix`; with an `offset`, those after it.
    fn list_after(&self, prefix: Option<&Path>, offset: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (prefix, offset) = (prefix.cloned().unwrap_or_default(), offset.cloned());
        let mut folder = self.root.clone();
        folder.extend(prefix.parts().map(|part| part.as_ref().to_owned()));
        let listed = async move {
            let objects = tokio::task::spawn_blocking(move || list::list(folder, &prefix, offset.as_ref())).await;
            let objects = objects.map_err(|error| Error::Generic { store: STORE, source: error.into() })??;
            Ok::<_, Error>(futures::stream::iter(objects.into_iter().map(Ok)))
        };
        futures::stream::once(listed).try_flatten().boxed()
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
        self.list_after(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_after(prefix, Some(offset))
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
mod tests;
