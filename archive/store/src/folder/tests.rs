//! Reads and listings of a folder.

use super::*;
use object_store::ObjectStoreExt;
use proptest::prelude::*;
use std::sync::Mutex;

fn store() -> (tempfile::TempDir, DurableFolder) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    (folder, DurableFolder::new(root).unwrap())
}

async fn paths(listed: BoxStream<'static, Result<ObjectMeta>>) -> Vec<String> {
    listed.map_ok(|object| object.location.to_string()).try_collect().await.unwrap()
}

#[tokio::test]
async fn ranges_are_read_as_requested() {
    let (_folder, store) = store();
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

#[tokio::test]
async fn a_listing_has_whole_paths_sizes_and_no_unfinished_puts() {
    let (folder, store) = store();
    for (path, text) in [("t/_log/2.json", "22"), ("t/_log/10.json", "1"), ("t/class=a%2Fb/x", "333"), ("u", "")] {
        store.put(&Path::parse(path).unwrap(), text.into()).await.unwrap();
    }
    for name in ["t/_log/3.json#1", "t/_log/3.json#x"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    std::fs::create_dir(folder.path().join("t/empty")).unwrap();
    let listed: Vec<ObjectMeta> = store.list(Some(&"t".into())).try_collect().await.unwrap();
    let found: Vec<(&str, u64)> = listed.iter().map(|object| (object.location.as_ref(), object.size)).collect();
    assert_eq!(found, [("t/_log/10.json", 1), ("t/_log/2.json", 2), ("t/_log/3.json#x", 1), ("t/class=a%2Fb/x", 3)]);
    for object in &listed {
        assert_eq!(store.head(&object.location).await.unwrap().last_modified, object.last_modified);
    }
    assert_eq!(paths(store.list(None)).await.len(), 5);
    assert!(paths(store.list(Some(&"nothing".into()))).await.is_empty());
    // A prefix is a folder, not the beginning of a name.
    assert!(paths(store.list(Some(&"t/_lo".into()))).await.is_empty());
    assert!(paths(store.list(Some(&"u".into()))).await.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_followed() {
    let (folder, store) = store();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("file"), "x").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("folder")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("file"), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("nothing"), folder.path().join("broken")).unwrap();
    assert_eq!(paths(store.list(None)).await, ["folder/file", "link"]);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_before_the_offset_is_not_looked_at() {
    let (folder, store) = store();
    std::fs::create_dir(folder.path().join("0")).unwrap();
    for name in ["1", "2", "3"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    // A link to itself: a stat of it fails, and a listing that takes one fails with it.
    for name in ["00", "0/circle"] {
        std::os::unix::fs::symlink(folder.path().join(name), folder.path().join(name)).unwrap();
    }
    let all: Result<Vec<ObjectMeta>> = store.list(None).try_collect().await;
    assert!(all.is_err());
    assert_eq!(paths(store.list_with_offset(None, &"1".into())).await, ["2", "3"]);
}

/// Records the calls with paths relative to `root`, and lets one of them fail.
#[derive(Debug)]
struct RecordingDisk {
    root: PathBuf,
    calls: Mutex<Vec<String>>,
    fails: Option<&'static str>,
}

impl RecordingDisk {
    fn record(&self, call: &str, paths: &[&std::path::Path]) -> std::io::Result<()> {
        let names = paths.iter().map(|path| path.strip_prefix(&self.root).unwrap().to_str().unwrap());
        let call = [call].into_iter().chain(names).collect::<Vec<_>>().join(" ");
        let fails = self.fails == Some(call.as_str());
        self.calls.lock().unwrap().push(call);
        if fails { Err(std::io::Error::other("injected")) } else { Ok(()) }
    }
}

impl Disk for RecordingDisk {
    fn sync(&self, path: &std::path::Path) -> std::io::Result<()> {
        self.record("sync", &[path])?;
        LocalDisk.sync(path)
    }

    fn rename(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
        self.record("rename", &[from, to])?;
        LocalDisk.rename(from, to)
    }

    fn link(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
        self.record("link", &[from, to])?;
        LocalDisk.link(from, to)
    }
}

fn recording(fails: Option<&'static str>) -> (tempfile::TempDir, DurableFolder, Arc<RecordingDisk>) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let disk = Arc::new(RecordingDisk { root: root.clone(), calls: Mutex::default(), fails });
    let store = DurableFolder::on(root, Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    (folder, store, disk)
}

/// Each way in which an object gets its bytes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Overwrite,
    Create,
    Parts,
}

async fn write(store: &DurableFolder, path: &Path, way: Way) -> Result<()> {
    match way {
        Way::Overwrite => store.put(path, "0123".into()).await.map(drop),
        Way::Create => store.put_opts(path, "0123".into(), PutMode::Create.into()).await.map(drop),
        Way::Parts => {
            let mut upload = store.put_multipart(path).await?;
            let parts = [upload.put_part("01".into()), upload.put_part("23".into())];
            // In the other order: each has its place.
            for part in parts.into_iter().rev() {
                part.await?;
            }
            upload.complete().await.map(drop)
        }
    }
}

const WAYS: [(Way, &str); 3] =
    [(Way::Overwrite, "rename a/b#1 a/b"), (Way::Create, "link a/b#1 a/b"), (Way::Parts, "rename a/b#1 a/b")];

#[tokio::test]
async fn an_objects_bytes_are_on_the_disk_before_its_name_and_its_name_before_the_answer() {
    let path = Path::from("a/b");
    for (way, named) in WAYS {
        let (_folder, store, disk) = recording(None);
        write(&store, &path, way).await.unwrap();
        assert_eq!(*disk.calls.lock().unwrap(), ["sync a/b#1", named, "sync a", "sync "], "{way:?}");
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "0123");
        assert!(!store.root.join("a/b#1").exists(), "{way:?}");
    }
}

#[tokio::test]
async fn an_object_whose_bytes_cannot_be_synced_has_no_name() {
    let path = Path::from("a/b");
    for (way, named) in WAYS {
        for fails in ["sync a/b#1", named] {
            let (_folder, store, _) = recording(Some(fails));
            let error = write(&store, &path, way).await.unwrap_err();
            assert!(error.to_string().contains("injected"), "{error}");
            assert_eq!(std::fs::read_dir(store.root.join("a")).unwrap().count(), 0, "{way:?} {fails}");
        }
        // The name is there, and nobody knows for how long.
        let (_folder, store, _) = recording(Some("sync a"));
        assert!(write(&store, &path, way).await.is_err(), "{way:?}");
    }
}

#[tokio::test]
async fn an_upload_replaces_and_a_creation_does_not() {
    let (_folder, store) = store();
    let path = Path::from("a/b");
    store.put(&path, "old".into()).await.unwrap();
    let exists = write(&store, &path, Way::Create).await.unwrap_err();
    assert!(matches!(exists, Error::AlreadyExists { .. }), "{exists}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "old");
    // An upload that is given up, or forgotten, leaves nothing.
    let mut aborted = store.put_multipart(&path).await.unwrap();
    aborted.put_part("x".into()).await.unwrap();
    aborted.abort().await.unwrap();
    assert!(aborted.put_part("x".into()).await.is_err());
    assert!(aborted.complete().await.is_err());
    drop(store.put_multipart(&path).await.unwrap());
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "old");
    write(&store, &path, Way::Parts).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "0123");
    assert_eq!(std::fs::read_dir(store.root.join("a")).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_listing_behind_an_offset_is_the_end_of_the_listing(
        // Names around the slash in the order of bytes, so that folders and files mix.
        names in prop::collection::btree_set("[ab!0](/[ab!0]){0,2}", 0..12),
        prefix in prop::option::of("[ab!0](/[ab!0])?"),
        offset in "[ab!0](/[ab!0]){0,2}",
    ) {
        let (folder, store) = store();
        for name in &names {
            let path = folder.path().join(name);
            // A name that is a folder of others is no file.
            let _ = std::fs::create_dir_all(path.parent().unwrap());
            let _ = std::fs::write(&path, "x");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (prefix, offset) = (prefix.map(Path::from), Path::from(offset));
            let all: Vec<ObjectMeta> = store.list(prefix.as_ref()).try_collect().await.unwrap();
            let after: Vec<ObjectMeta> =
                store.list_with_offset(prefix.as_ref(), &offset).try_collect().await.unwrap();
            let expected: Vec<ObjectMeta> = all.into_iter().filter(|object| object.location > offset).collect();
            assert!(expected.is_sorted_by(|one, other| one.location < other.location));
            assert_eq!(after, expected);
            // And as the local file system of object_store lists, which fails below a file, where there is nothing.
            let others: Result<Vec<ObjectMeta>> = store.inner.list(prefix.as_ref()).try_collect().await;
            let Ok(mut others) = others else {
                assert_eq!(after, []);
                return;
            };
            others.retain(|object| object.location > offset);
            others.sort_unstable_by(|one, other| one.location.cmp(&other.location));
            let short = |object: &ObjectMeta| (object.location.clone(), object.size, object.last_modified);
            assert_eq!(after.iter().map(short).collect::<Vec<_>>(), others.iter().map(short).collect::<Vec<_>>());
        });
    }
}
