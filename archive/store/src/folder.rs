//! A local folder as a store whose puts are durable when they return.
//!
//! Kafka deletes an acknowledged event one day. The event must then be in the archive, also after a power failure. The
//! local file system of object_store writes and renames without syncing. Here a file is synced before it has its name,
//! and the folders on its path after it, for a put and for an upload in parts ([`staged`]).
//!
//! Listings are in the order of names, as object stores return them and the Delta log's reader expects them. A listing
//! behind an offset takes a stat only of what it returns ([`list`]).
//!
//! The ranges of one request are read with one open, each as requested. Unlike in a remote store, where each request
//! costs a round trip, the bytes between them are not read.

mod blocking;
mod list;
mod staged;

use async_trait::async_trait;
use blocking::{STORE, blocking};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use staged::{Disk, Existing, LocalDisk, Place, Staged, Upload};
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A local folder that syncs.
#[derive(Debug)]
pub(crate) struct DurableFolder {
    inner: LocalFileSystem,
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl DurableFolder {
    /// The store in the folder `root`, which exists.
    pub(crate) fn new(root: PathBuf) -> Result<Self> {
        Self::on(root, Arc::new(LocalDisk))
    }

    fn on(root: PathBuf, disk: Arc<dyn Disk>) -> Result<Self> {
        Ok(Self { inner: LocalFileSystem::new_with_prefix(&root)?, root, disk })
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

    /// Where the file of an object is.
    fn place(&self, location: &Path) -> Result<Place> {
        let file = self.inner.path_to_filesystem(location)?;
        let folders = file.ancestors().skip(1).take(location.parts().count()).map(PathBuf::from).collect();
        Ok(Place { file, folders, disk: Arc::clone(&self.disk) })
    }
}

fn read(file: &mut File, range: Range<u64>) -> std::io::Result<Bytes> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let existing = match options.mode {
            PutMode::Overwrite if options.attributes.is_empty() => Existing::Replaced,
            PutMode::Create if options.attributes.is_empty() => Existing::Kept,
            // A file has neither. object_store's own file system refuses it.
            _ => return self.inner.put_opts(location, payload, options).await,
        };
        let place = self.place(location)?;
        blocking(location, move || {
            let staged = Staged::create(place)?;
            staged.write(0, &payload)?;
            staged.publish(existing)
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return self.inner.put_multipart_opts(location, options).await;
        }
        let place = self.place(location)?;
        let staged = blocking(location, move || Staged::create(place)).await?;
        Ok(Box::new(Upload::new(location.clone(), staged)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.inner.path_to_filesystem(location)?;
        let ranges = ranges.to_vec();
        blocking(location, move || {
            let mut file = File::open(&path)?;
            ranges.into_iter().map(|range| read(&mut file, range)).collect()
        })
        .await
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
        let place = self.place(to)?;
        blocking(to, move || {
            place.disk.sync(&place.file)?;
            place.sync_folders()
        })
        .await
    }
}

#[cfg(test)]
mod tests;
