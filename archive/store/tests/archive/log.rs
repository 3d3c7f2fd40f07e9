//! What a Delta log costs when it has many entries, and what becomes of it.

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use holdfast_archive::keys::Unlocker;
use holdfast_archive::seal::{Sweeper, Swept};
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, ArchiveError, Change, CommitError, Location, Snapshot, Table, open_store};
use holdfast_events::Timestamp;
use holdfast_testkit::faults::{Failure, Fault, FaultyStore, Gate, Operation, Rule, When};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

fn archive_in(store: Arc<dyn ObjectStore>) -> Archive {
    Archive::new(Location { url: Url::parse("memory:///").unwrap(), store })
}

/// A file that is only named.
fn segment(table: Table, id: &str) -> Segment {
    let partition = Partition { class: "general".to_owned(), date: 20_780 };
    let keys = SegmentKeys::unencrypted_for_measurement(id.to_owned());
    SegmentWriter::new(table, partition, keys).unwrap().finish().unwrap()
}

/// An archive in memory with this many entries after the first, each with a file and an offset.
async fn filled(table: Table, entries: i64) -> Archive {
    let archive = archive_in(Arc::new(InMemory::new()));
    let log = archive.table(table);
    let first = segment(table, "x");
    for n in 0..entries {
        let segment = Segment { id: format!("f-{n}"), ..first.clone() };
        log.commit(&[segment], &[advance(0, n)], &format!("c-{n}"), NOW).await.unwrap();
    }
    archive
}

/// From `n` to the next offset, of a partition that begins at 0.
fn advance(partition: i32, n: i64) -> Advance {
    Advance { topic: "t".to_owned(), partition, expected: (n > 0).then_some(n), next: n + 1 }
}

/// Copies an archive into a folder, and opens it there behind a store that records the calls.
async fn in_folder(archive: &Archive, folder: &std::path::Path) -> (Arc<FaultyStore>, Archive) {
    let objects: Vec<ObjectMeta> = archive.store().list(None).try_collect().await.unwrap();
    for object in objects {
        let path = folder.join(object.location.as_ref());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, archive.store().get(&object.location).await.unwrap().bytes().await.unwrap()).unwrap();
    }
    let store = open_store(folder.to_str().unwrap(), folder, &BTreeMap::new()).unwrap().store;
    let store = Arc::new(FaultyStore::new(store));
    (Arc::clone(&store), archive_in(store))
}

/// The calls of a commit, of a refresh that finds nothing, and of a refresh that finds that commit, in an archive with
/// this many entries.
async fn calls(table: Table, entries: i64) -> [Vec<Operation>; 3] {
    let folder = tempfile::tempdir().unwrap();
    let (store, archive) = in_folder(&filled(table, entries).await, folder.path()).await;
    let (writer, reader) = (archive.table(table), archive.table(table));
    assert_eq!(writer.version().await.unwrap(), Some(entries as u64));
    assert_eq!(reader.snapshot().await.unwrap().files.len() as i64, entries);
    let calls = || {
        let mut calls: Vec<Operation> = store.faults().calls().into_iter().map(|call| call.operation).collect();
        calls.sort_unstable();
        store.faults().forget();
        calls
    };
    calls();
    let segment = Segment { id: "new".to_owned(), ..segment(table, "x") };
    writer.commit(&[segment], &[advance(0, entries)], "new", NOW).await.unwrap();
    let commit = calls();
    writer.snapshot().await.unwrap();
    let nothing = calls();
    let snapshot = reader.snapshot().await.unwrap();
    assert_eq!((snapshot.version, snapshot.files.len() as i64), (Some(entries as u64 + 1), entries + 1));
    [commit, nothing, calls()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_and_a_refresh_make_as_many_calls_after_two_thousand_entries_as_after_ten() {
    for table in [Table::Events, Table::Sessions] {
        let (few, many) = (calls(table, 10).await, calls(table, 2_000).await);
        assert_eq!(few, many);
        assert!(!many.iter().flatten().any(|operation| *operation == Operation::List), "{many:?}");
        let [commit, nothing, found] = many;
        // The newest checkpoint is asked for as well where entries may be deleted, and the entry before a new one.
        let hint = usize::from(!table.is_evidence());
        assert_eq!((commit.len(), nothing.len(), found.len()), (2 + 2 * hint, 1 + hint, 3 + hint));
    }
}

#[tokio::test]
async fn a_commit_that_another_process_overtakes_becomes_the_next_or_is_fenced() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let store = Arc::new(FaultyStore::new(Arc::clone(&inner)));
    let (slow, fast) = (archive_in(store.clone()).table(Table::Events), archive_in(inner).table(Table::Events));
    slow.commit(&[segment(Table::Events, "a")], &[advance(0, 0)], "a", NOW).await.unwrap();
    let mut expected = 1;
    // The other process commits another partition, and then the same one.
    for (n, partition) in [(1, 1), (2, 0)] {
        let gate = Gate::new();
        let held = Rule::new(Fault::Hold(gate.clone())).on(&[Operation::Put]).path_contains("_delta_log/");
        let held = store.faults().inject(held.when(When::First(1)));
        let meanwhile = async {
            gate.arrived(1).await;
            let (id, next) = (format!("other-{n}"), if partition == 0 { 2 } else { 0 });
            let committed =
                fast.commit(&[segment(Table::Events, &id)], &[advance(partition, next)], &id, NOW).await.unwrap();
            gate.open();
            committed
        };
        let id = format!("slow-{n}");
        let segments = [segment(Table::Events, &id)];
        let advances = [advance(0, n)];
        let (slow_result, other) = tokio::join!(slow.commit(&segments, &advances, &id, NOW), meanwhile);
        store.faults().remove(held);
        assert_eq!(other, expected + 1);
        if partition == 1 {
            assert_eq!(slow_result.unwrap(), expected + 2);
            expected += 2;
        } else {
            assert!(matches!(slow_result, Err(CommitError::Fenced { found: Some(3), .. })), "{slow_result:?}");
            expected += 1;
        }
        for log in [&slow, &fast] {
            assert_eq!(log.version().await.unwrap(), Some(expected));
        }
    }
}

/// A store whose first listing lacks an object, as a folder's may that is written to meanwhile.
#[derive(Debug)]
struct Torn {
    inner: InMemory,
    hides: Path,
    listed: AtomicBool,
}

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Torn")
    }
}

#[async_trait]
impl ObjectStore for Torn {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
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

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let hides = (!self.listed.swap(true, Ordering::SeqCst)).then(|| self.hides.clone());
        let listed = self.inner.list(prefix);
        listed.try_filter(move |object| std::future::ready(hides.as_ref() != Some(&object.location))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_torn_listing_is_repeated() {
    let filled = filled(Table::Events, 5).await;
    let inner = InMemory::new();
    let objects: Vec<ObjectMeta> = filled.store().list(None).try_collect().await.unwrap();
    for object in objects {
        let bytes = filled.store().get(&object.location).await.unwrap().bytes().await.unwrap();
        inner.put(&object.location, bytes.into()).await.unwrap();
    }
    let hides = Path::from("tables/events/_delta_log/00000000000000000003.json");
    let store = Arc::new(Torn { inner, hides, listed: AtomicBool::new(false) });
    let snapshot = archive_in(store.clone()).table(Table::Events).snapshot().await.unwrap();
    assert_eq!((snapshot.version, snapshot.files.len()), (Some(5), 5));
    assert!(store.listed.load(Ordering::SeqCst));
}

/// Counts the warnings of the archive.
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("holdfast_archive")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if self.enabled(event.metadata()) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_is_a_warning_and_the_commit_is_made() {
    let warnings = Arc::new(AtomicUsize::new(0));
    let _guard = tracing::subscriber::set_default(Warnings(Arc::clone(&warnings)));
    let filled = filled(Table::Events, 98).await;
    let store = Arc::new(FaultyStore::new(Arc::clone(filled.store())));
    let log = archive_in(store.clone()).table(Table::Events);
    let rule = Rule::new(Fault::FailBefore(Failure::Transient)).on(Operation::WRITES);
    let rule = store.faults().inject(rule.path_contains(".checkpoint.parquet"));
    assert_eq!(warnings.load(Ordering::SeqCst), 0);
    assert_eq!(log.commit(&[], &[advance(0, 98)], "c", NOW).await.unwrap(), 99);
    assert!(store.faults().fired(rule) > 0);
    assert_eq!(warnings.load(Ordering::SeqCst), 1);
    store.faults().clear();
    // The next one is written.
    for n in 99..199 {
        log.commit(&[], &[advance(0, n)], &format!("d-{n}"), NOW).await.unwrap();
    }
    assert_eq!(warnings.load(Ordering::SeqCst), 1);
    assert_eq!(checkpoints(&filled, Table::Events).await, [199]);
}

async fn versions(archive: &Archive, table: Table, ending: &str) -> Vec<u64> {
    let directory = Path::from(format!("tables/{}/_delta_log", table.name()));
    let listed: Vec<ObjectMeta> = archive.store().list(Some(&directory)).try_collect().await.unwrap();
    let names = listed.iter().filter_map(|object| object.location.filename()?.strip_suffix(ending));
    let mut versions: Vec<u64> = names.filter_map(|name| name.parse().ok()).collect();
    versions.sort_unstable();
    versions
}

async fn checkpoints(archive: &Archive, table: Table) -> Vec<u64> {
    versions(archive, table, ".checkpoint.parquet").await
}

/// Some minutes from now, by the clock of the store.
fn in_minutes(minutes: u64) -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp((since + Duration::from_secs(minutes * 60)).as_micros() as i64)
}

async fn sweep(archive: &Archive, minutes: u64) -> Swept {
    let unlocker = Arc::new(Unlocker::new(archive.clone(), Vec::new()));
    Sweeper::new(archive.clone(), unlocker, Duration::ZERO).sweep(in_minutes(minutes)).await.unwrap()
}

fn ids(snapshot: &Snapshot) -> Vec<String> {
    let mut ids: Vec<String> = snapshot.files.iter().map(|file| file.id.clone()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn superseded_checkpoints_are_deleted_and_entries_that_are_evidence_are_not() {
    let archive = filled(Table::Events, 450).await;
    let log = archive.table(Table::Events);
    let before = log.snapshot().await.unwrap();
    assert_eq!(checkpoints(&archive, Table::Events).await, [99, 199, 299, 399]);
    // Somebody may have begun to read one of them.
    assert_eq!(sweep(&archive, 50).await.checkpoints, 0);
    let swept = sweep(&archive, 70).await;
    assert_eq!((swept.checkpoints, swept.entries), (2, 0));
    assert_eq!(checkpoints(&archive, Table::Events).await, [299, 399]);
    assert_eq!(versions(&archive, Table::Events, ".json").await, (0..=450).collect::<Vec<u64>>());
    assert_eq!(sweep(&archive, 70).await.checkpoints, 0);
    assert_eq!(ids(&archive.table(Table::Events).snapshot().await.unwrap()), ids(&before));
}

#[tokio::test]
async fn the_log_of_sessions_is_trimmed_and_every_reader_goes_on() {
    let archive = filled(Table::Sessions, 60).await;
    // One that has read a part of what will be deleted.
    let late = archive.table(Table::Sessions);
    assert_eq!(late.version().await.unwrap(), Some(60));
    let writer = archive.table(Table::Sessions);
    for n in 60..450 {
        let segment = segment(Table::Sessions, &format!("f-{n}"));
        writer.commit(&[segment], &[advance(0, n)], &format!("c-{n}"), NOW).await.unwrap();
    }
    // A file that an entry removes which will be deleted.
    let snapshot = writer.snapshot().await.unwrap();
    let removed = vec![snapshot.files.iter().find(|file| file.id == "f-7").unwrap().clone()];
    archive.store().put(&removed[0].path, "x".into()).await.unwrap();
    let change = Change { segments: &[], removed: &removed, advances: &[], commit_id: "r", attestation: None };
    writer.change(&change, in_minutes(0)).await.unwrap();
    for n in 450..700 {
        let segment = segment(Table::Sessions, &format!("f-{n}"));
        writer.commit(&[segment], &[advance(0, n)], &format!("c-{n}"), NOW).await.unwrap();
    }
    let before = writer.snapshot().await.unwrap();
    assert_eq!(before.files.len(), 699);

    let swept = sweep(&archive, 50).await;
    assert_eq!((swept.files, swept.checkpoints, swept.entries), (1, 0, 0));
    let swept = sweep(&archive, 70).await;
    assert_eq!((swept.files, swept.checkpoints, swept.entries), (0, 5, 599));
    assert_eq!(checkpoints(&archive, Table::Sessions).await, [599, 699]);
    assert_eq!(versions(&archive, Table::Sessions, ".json").await, (599..=701).collect::<Vec<u64>>());
    assert_eq!(sweep(&archive, 70).await, Swept::default());

    for log in [&late, &writer, &archive.table(Table::Sessions)] {
        let snapshot = log.snapshot().await.unwrap();
        assert_eq!((snapshot.version, ids(&snapshot)), (Some(701), ids(&before)));
        assert_eq!(snapshot.offsets, before.offsets);
    }
    // And the late one writes what comes next, not what is gone.
    let segment = segment(Table::Sessions, "f-700");
    assert_eq!(late.commit(&[segment], &[advance(0, 700)], "late", NOW).await.unwrap(), 702);
}

/// A process that was suspended for hours between reading the log and writing its entry. The entries meanwhile are
/// made, and deleted again.
#[tokio::test]
async fn an_entry_is_not_written_where_others_were_deleted() {
    for (partition, is_fenced) in [(1, false), (0, true)] {
        let archive = filled(Table::Sessions, 60).await;
        let store = Arc::new(FaultyStore::new(Arc::clone(archive.store())));
        let slow = archive_in(store.clone()).table(Table::Sessions);
        assert_eq!(slow.version().await.unwrap(), Some(60));
        let gate = Gate::new();
        let held = Rule::new(Fault::Hold(gate.clone())).on(&[Operation::Put]).path_contains("_delta_log/");
        store.faults().inject(held.when(When::First(1)));
        let meanwhile = async {
            gate.arrived(1).await;
            let fast = archive.table(Table::Sessions);
            for n in 60..450 {
                fast.commit(&[], &[advance(0, n)], &format!("c-{n}"), NOW).await.unwrap();
            }
            assert_eq!(sweep(&archive, 70).await.entries, 299);
            gate.open();
        };
        let segments = [segment(Table::Sessions, "slow")];
        let advances = [if partition == 0 { advance(0, 60) } else { advance(1, 0) }];
        let (committed, ()) = tokio::join!(slow.commit(&segments, &advances, "slow", NOW), meanwhile);
        let snapshot = archive.table(Table::Sessions).snapshot().await.unwrap();
        let is_there = snapshot.files.iter().any(|file| file.id == "slow");
        if is_fenced {
            assert!(matches!(committed, Err(CommitError::Fenced { found: Some(450), .. })), "{committed:?}");
            assert!(!is_there);
        } else {
            assert_eq!((committed.unwrap(), is_there), (451, true));
        }
        // Nothing is left where it was tried first.
        assert_eq!(versions(&archive, Table::Sessions, ".json").await.first(), Some(&299));
    }
}

/// Cuts a checkpoint in half, as a power cut may.
async fn tear(archive: &Archive, table: Table, version: u64) {
    let path = Path::from(format!("tables/{}/_delta_log/{version:020}.checkpoint.parquet", table.name()));
    let bytes = archive.store().get(&path).await.unwrap().bytes().await.unwrap();
    archive.store().put(&path, bytes.slice(..bytes.len() / 2).into()).await.unwrap();
}

#[tokio::test]
async fn a_torn_checkpoint_is_replaced_by_an_older_one_or_by_the_entries_with_one_warning() {
    let archive = filled(Table::Events, 250).await;
    let expected = archive.table(Table::Events).snapshot().await.unwrap();
    let warnings = Arc::new(AtomicUsize::new(0));
    let _guard = tracing::subscriber::set_default(Warnings(Arc::clone(&warnings)));
    for (version, warned) in [(199, 1), (99, 2)] {
        tear(&archive, Table::Events, version).await;
        let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
        assert_eq!((snapshot.version, ids(&snapshot)), (Some(250), ids(&expected)));
        assert_eq!(snapshot.offsets, expected.offsets);
        assert_eq!(warnings.load(Ordering::SeqCst), warned);
    }
    // The next one is written all the same, and those that cannot be read are gone.
    let log = archive.table(Table::Events);
    for n in 250..300 {
        log.commit(&[], &[advance(0, n)], &format!("d-{n}"), NOW).await.unwrap();
    }
    assert_eq!(checkpoints(&archive, Table::Events).await, [299]);
    let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
    assert_eq!((ids(&snapshot), &snapshot.damaged_checkpoint), (ids(&expected), &None));
    assert_eq!(warnings.load(Ordering::SeqCst), 3, "the log was opened once more before that");
}

#[tokio::test]
async fn a_checkpoint_that_the_store_does_not_return_is_no_damage() {
    let filled = filled(Table::Events, 120).await;
    let warnings = Arc::new(AtomicUsize::new(0));
    let _guard = tracing::subscriber::set_default(Warnings(Arc::clone(&warnings)));
    for failure in [Failure::Transient, Failure::PermissionDenied] {
        let store = Arc::new(FaultyStore::new(Arc::clone(filled.store())));
        let rule = Rule::new(Fault::FailBefore(failure)).on(&[Operation::Get]).path_contains(".checkpoint.parquet");
        let rule = store.faults().inject(rule.when(When::First(1)));
        let log = archive_in(store.clone()).table(Table::Events);
        let failed = log.snapshot().await;
        assert!(matches!(failed, Err(ArchiveError::Store { .. })), "{failed:?}");
        assert_eq!(store.faults().fired(rule), 1);
        let snapshot = log.snapshot().await.unwrap();
        assert_eq!((snapshot.version, snapshot.files.len()), (Some(120), 120));
        assert_eq!(snapshot.damaged_checkpoint, None);
    }
    assert_eq!(warnings.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn torn_checkpoints_stay_if_the_log_cannot_be_read_without_them() {
    let archive = filled(Table::Sessions, 450).await;
    assert_eq!(sweep(&archive, 70).await.entries, 299);
    let log = archive.table(Table::Sessions);
    assert_eq!(log.version().await.unwrap(), Some(450));
    for version in [299, 399] {
        tear(&archive, Table::Sessions, version).await;
    }
    for n in 450..500 {
        log.commit(&[], &[advance(0, n)], &format!("d-{n}"), NOW).await.unwrap();
    }
    assert_eq!(checkpoints(&archive, Table::Sessions).await, [299, 399]);
}

#[tokio::test]
async fn a_torn_checkpoint_that_nothing_replaces_is_named() {
    let archive = filled(Table::Sessions, 450).await;
    let expected = archive.table(Table::Sessions).snapshot().await.unwrap();
    assert_eq!(sweep(&archive, 70).await.entries, 299);
    tear(&archive, Table::Sessions, 399).await;
    let snapshot = archive.table(Table::Sessions).snapshot().await.unwrap();
    assert_eq!((snapshot.version, ids(&snapshot)), (Some(450), ids(&expected)));
    tear(&archive, Table::Sessions, 299).await;
    let error = archive.table(Table::Sessions).snapshot().await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000399.checkpoint.parquet is damaged"), "{error}");
}
