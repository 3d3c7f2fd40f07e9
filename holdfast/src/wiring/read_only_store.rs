//! An object store without the right to change anything: what answers queries reads the archive through it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use holdfast_archive::{Archive, Location};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// The same archive, for a part that only reads. Each change is refused.
pub(crate) fn read_only(archive: &Archive) -> Archive {
    let store = ReadOnlyStore(Arc::clone(archive.store()));
    Archive::new(Location { url: archive.url().clone(), store: Arc::new(store) })
}

#[derive(Debug)]
struct ReadOnlyStore(Arc<dyn ObjectStore>);

impl fmt::Display for ReadOnlyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadOnlyStore({})", self.0)
    }
}

fn refused(what: &str, location: &Path) -> Error {
    let source = format!("this part of Holdfast only reads the archive, and was about to {what}").into();
    Error::PermissionDenied { path: location.to_string(), source }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for ReadOnlyStore {
    async fn put_opts(&self, location: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused("put an object", location))
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("put an object in parts", location))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|location| Err(refused("delete an object", &location?))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("copy an object", to))
    }

    async fn rename_opts(&self, from: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        Err(refused("rename an object", from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::TryStreamExt as _;
    use holdfast_archive::{Table, open_store};
    use object_store::ObjectStoreExt as _;

    use super::*;

    fn is_refused<T>(result: Result<T>) -> bool {
        matches!(result, Err(Error::PermissionDenied { .. }))
    }

    #[tokio::test]
    async fn everything_is_read_and_no_change_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let whole = Archive::new(open_store("archive", folder.path(), &BTreeMap::new()).unwrap());
        let (one, other) = (Path::from("a/one"), Path::from("a/other"));
        whole.store().put(&one, "some bytes".into()).await.unwrap();

        let reading = read_only(&whole);
        assert_eq!(reading.url(), whole.url());
        let store = reading.store();
        assert_eq!(store.get(&one).await.unwrap().bytes().await.unwrap(), "some bytes");
        assert_eq!(store.get_ranges(&one, &[0..4, 5..10]).await.unwrap(), ["some", "bytes"]);
        assert_eq!(store.head(&one).await.unwrap().size, 10);
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 1);
        assert!(store.list_with_offset(None, &one).try_collect::<Vec<_>>().await.unwrap().is_empty());
        assert_eq!(store.list_with_delimiter(None).await.unwrap().common_prefixes, [Path::from("a")]);
        assert!(matches!(store.get(&other).await, Err(Error::NotFound { .. })));

        assert!(is_refused(store.put(&other, "x".into()).await));
        assert!(is_refused(store.put(&one, "x".into()).await));
        assert!(is_refused(store.put_multipart(&other).await));
        assert!(is_refused(store.delete(&one).await));
        assert!(is_refused(store.copy(&one, &other).await));
        assert!(is_refused(store.copy_if_not_exists(&one, &other).await));
        assert!(is_refused(store.rename(&one, &other).await));
        assert!(is_refused(store.rename_if_not_exists(&one, &other).await));
        let deleted = store.delete_stream(futures::stream::iter([Ok(one.clone())]).boxed());
        assert!(is_refused(deleted.try_collect::<Vec<_>>().await));
        let stored: Vec<ObjectMeta> = whole.store().list(None).try_collect().await.unwrap();
        assert_eq!(stored.iter().map(|object| &object.location).collect::<Vec<_>>(), [&one]);

        // Opening a log that does not exist creates none.
        assert_eq!(reading.table(Table::Events).version().await.unwrap(), None);
    }
}
