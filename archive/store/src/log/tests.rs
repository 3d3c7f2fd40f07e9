//! Commits: atomic, idempotent, and only from the offsets of the log.

use super::*;
use crate::segment::{Partition, SegmentKeys, SegmentWriter};
use crate::{Archive, Location};
use object_store::memory::InMemory;
use url::Url;

fn archive() -> Archive {
    let url = Url::parse("memory:///").unwrap();
    Archive::new(Location { url, store: Arc::new(InMemory::new()) })
}

fn segment(id: &str) -> Segment {
    let partition = Partition { class: "general".to_owned(), date: 20_780 };
    let keys = SegmentKeys::unencrypted_for_measurement(id.to_owned());
    let mut segment = SegmentWriter::new(Table::Events, partition, keys).unwrap().finish().unwrap();
    segment.rows = 3;
    segment.time = Some((1_000_001, 2_000_000));
    segment
}

fn advance(partition: i32, expected: Option<i64>, next: i64) -> Advance {
    Advance { topic: "holdfast:events".to_owned(), partition, expected, next }
}

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

#[tokio::test]
async fn a_missing_table_is_empty() {
    let log = archive().table(Table::Events);
    let snapshot = log.snapshot().await.unwrap();
    assert_eq!((snapshot.version, snapshot.files.len(), snapshot.offsets.len()), (None, 0, 0));
}

#[tokio::test]
async fn files_and_offsets_become_visible_together() {
    let archive = archive();
    let log = archive.table(Table::Events);
    let one = segment("one");
    log.put(&one).await.unwrap();
    assert!(log.snapshot().await.unwrap().files.is_empty());
    log.commit(std::slice::from_ref(&one), &[advance(0, None, 5), advance(1, None, 2)], "c1", NOW).await.unwrap();
    log.commit(&[segment("two")], &[advance(0, Some(5), 9)], "c2", NOW).await.unwrap();
    // A new reader reads the same as the writer.
    for log in [&log, &archive.table(Table::Events)] {
        let snapshot = log.snapshot().await.unwrap();
        let mut files = snapshot.files.to_vec();
        files.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(files.len(), 2);
        assert_eq!(
            files[0],
            DataFile {
                path: "tables/events/class=general/date=2026-11-23/one.parquet".into(),
                id: "one".to_owned(),
                class: "general".to_owned(),
                date: 20_780,
                rows: 3,
                size: one.bytes.len() as u64,
                time: Some((1_000_001, 2_000_000)),
            }
        );
        let offset = |partition| snapshot.offsets.get(&("holdfast:events".to_owned(), partition)).copied();
        assert_eq!((offset(0), offset(1), offset(2)), (Some(9), Some(2), None));
    }
}

#[tokio::test]
async fn a_commit_that_starts_from_other_offsets_is_fenced() {
    let archive = archive();
    let (log, other) = (archive.table(Table::Events), archive.table(Table::Events));
    log.commit(&[segment("one")], &[advance(0, None, 5)], "c1", NOW).await.unwrap();
    for expected in [None, Some(4), Some(6)] {
        let fenced = other.commit(&[segment("two")], &[advance(0, expected, 9)], "c2", NOW).await;
        assert!(matches!(fenced, Err(CommitError::Fenced { found: Some(5), .. })), "{fenced:?}");
    }
    assert_eq!(log.snapshot().await.unwrap().files.len(), 1);
    // A writer of another partition can commit, although its version is taken.
    other.commit(&[segment("three")], &[advance(1, None, 1)], "c3", NOW).await.unwrap();
    log.commit(&[segment("four")], &[advance(0, Some(5), 6)], "c4", NOW).await.unwrap();
    assert_eq!(other.snapshot().await.unwrap().files.len(), 3);
}

#[tokio::test]
async fn the_same_commit_is_made_once() {
    let log = archive().table(Table::Events);
    let first = log.commit(&[segment("one")], &[advance(0, None, 5)], "c1", NOW).await.unwrap();
    let again = log.commit(&[segment("one")], &[advance(0, None, 5)], "c1", NOW).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(log.snapshot().await.unwrap().files.len(), 1);
}

#[tokio::test]
async fn offsets_survive_checkpoints() {
    let archive = archive();
    let log = archive.table(Table::Events);
    log.commit(&[], &[advance(7, None, 70)], "seven", NOW).await.unwrap();
    let mut expected = None;
    for n in 0..120i64 {
        log.commit(&[segment(&format!("f{n}"))], &[advance(0, expected, n + 1)], &format!("c{n}"), NOW).await.unwrap();
        expected = Some(n + 1);
    }
    let entries = archive.store().list_with_delimiter(Some(&"tables/events/_delta_log".into())).await.unwrap();
    assert!(entries.objects.iter().any(|object| object.location.as_ref().ends_with("checkpoint.parquet")));
    let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
    assert_eq!(snapshot.files.len(), 120);
    assert_eq!(snapshot.offsets.values().copied().collect::<Vec<_>>(), [120, 70]);
}

#[tokio::test]
async fn a_snapshot_does_not_change_when_the_log_does() {
    let archive = archive();
    let log = archive.table(Table::Events);
    log.commit(&[segment("one"), segment("two")], &[], "c1", NOW).await.unwrap();
    let before = log.snapshot().await.unwrap();
    let removed = before.files[..1].to_vec();
    let change = Change { removed: &removed, ..appended(&[], "c2") };
    log.change(&change, NOW).await.unwrap();
    assert_eq!((before.version, before.files.len()), (Some(1), 2));
    let after = log.snapshot().await.unwrap();
    assert_eq!((after.version, after.files.len()), (Some(2), 1));
    assert_eq!(ids(&after), ["two"]);
    // What is removed cannot be removed again.
    let again = log.change(&Change { commit_id: "c3", ..change }, NOW).await;
    assert!(matches!(again, Err(CommitError::ConcurrentRemove { .. })), "{again:?}");
}

fn appended<'c>(segments: &'c [Segment], commit_id: &'c str) -> Change<'c> {
    Change { segments, removed: &[], advances: &[], commit_id, attestation: None }
}

fn ids(snapshot: &Snapshot) -> Vec<&str> {
    let mut ids: Vec<&str> = snapshot.files.iter().map(|file| file.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn every_reader_has_the_same_files_whenever_it_began() {
    let archive = archive();
    let log = archive.table(Table::Events);
    let early = archive.table(Table::Events);
    let mut expected = std::collections::BTreeSet::new();
    let mut gone = Vec::new();
    for n in 0..230 {
        let name = format!("f{n:03}");
        let snapshot = log.snapshot().await.unwrap();
        // Every third commit removes some files, in another order than they were added.
        let removed: Vec<DataFile> =
            snapshot.files.iter().filter(|_| n % 3 == 2).skip(n % 5).step_by(2).take(4).cloned().collect();
        let segments = [segment(&name)];
        let commit_id = format!("c{n}");
        log.change(&Change { removed: &removed, ..appended(&segments, &commit_id) }, NOW).await.unwrap();
        for file in removed {
            expected.remove(&file.id);
            gone.push(file.path);
        }
        expected.insert(name);
        if n == 40 {
            early.snapshot().await.unwrap();
        }
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for log in [&log, &early, &archive.table(Table::Events)] {
        let snapshot = log.snapshot().await.unwrap();
        assert_eq!((snapshot.version, ids(&snapshot)), (Some(230), expected.clone()));
        // The index of the files is that of the files.
        let state = log.state.lock().await;
        assert!(snapshot.files.iter().all(|file| state.has_file(&file.path)));
        assert!(gone.len() > 100 && !gone.iter().any(|path| state.has_file(path)));
    }
}

#[tokio::test]
async fn a_reader_needs_no_hint() {
    let archive = archive();
    let log = archive.table(Table::Events);
    for n in 0..120 {
        log.commit(&[segment(&format!("f{n}"))], &[], &format!("c{n}"), NOW).await.unwrap();
    }
    let hint = crate::paths::delta_log_hint(Table::Events);
    for content in
        [Some(""), Some("{}"), Some("\u{0}\u{0}"), Some(r#"{"version":100000}"#), Some(r#"{"version":50}"#), None]
    {
        match content {
            Some(content) => _ = archive.store().put(&hint, content.into()).await.unwrap(),
            None => archive.store().delete(&hint).await.unwrap(),
        }
        let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
        assert_eq!((snapshot.version, snapshot.files.len()), (Some(120), 120), "{content:?}");
    }
}

#[tokio::test]
async fn a_path_in_the_log_is_the_url_encoded_name_of_the_object() {
    let archive = archive();
    let log = archive.table(Table::Events);
    let classes = ["general", "a b", "50%", "a%20b", "a%2fb", "\u{e4}/\u{f6}", "..", "#?[x]*", "a+b", "~"];
    let segments: Vec<Segment> = classes
        .iter()
        .enumerate()
        .map(|(n, class)| Segment {
            partition: Partition { class: (*class).to_owned(), date: 20_780 },
            ..segment(&format!("f{n}"))
        })
        .collect();
    for segment in &segments {
        log.put(segment).await.unwrap();
        assert!(archive.store().head(&log.path_of(segment)).await.is_ok());
    }
    log.commit(&segments, &[], "c", NOW).await.unwrap();
    let mut expected: Vec<DataFile> = segments.iter().map(|segment| log.file_of(segment)).collect();
    expected.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(expected[1].path.as_ref(), "tables/events/class=a b/date=2026-11-23/f1.parquet");
    assert_eq!(expected[2].path.as_ref(), "tables/events/class=50%25/date=2026-11-23/f2.parquet");
    // As another reader of Delta tables finds them.
    let entry = archive.store().get(&crate::paths::delta_log_entry(Table::Events, 1)).await.unwrap();
    let entry = String::from_utf8(entry.bytes().await.unwrap().to_vec()).unwrap();
    let adds = entry.lines().filter_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        action["add"]["path"].as_str().map(|path| Path::from_url_path(format!("tables/events/{path}")).unwrap())
    });
    assert_eq!(adds.collect::<Vec<_>>(), expected.iter().map(|file| file.path.clone()).collect::<Vec<_>>());
    let files = async || {
        let mut files = archive.table(Table::Events).snapshot().await.unwrap().files.to_vec();
        files.sort_by(|one, other| one.id.cmp(&other.id));
        files
    };
    assert_eq!(files().await, expected);
    for n in 2..100 {
        log.commit(&[], &[advance(0, (n > 2).then_some(n), n + 1)], &format!("c{n}"), NOW).await.unwrap();
    }
    let checkpoint = crate::paths::delta_log_checkpoint(Table::Events, 99);
    assert!(archive.store().head(&checkpoint).await.is_ok());
    assert_eq!(files().await, expected, "from a checkpoint");
    let change = Change { removed: &expected, ..appended(&[], "removed") };
    log.change(&change, NOW).await.unwrap();
    assert_eq!(files().await, []);
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_table_is_damage() {
    for path in ["../../keys/x.parquet", "class=a/%2E%2E/x.parquet", "class=a//x.parquet", "%FF.parquet"] {
        let archive = archive();
        let log = archive.table(Table::Events);
        log.commit(&[], &[advance(0, None, 1)], "c", NOW).await.unwrap();
        let line = serde_json::json!({ "remove": { "path": path } }).to_string();
        archive.store().put(&crate::paths::delta_log_entry(Table::Events, 2), line.into()).await.unwrap();
        let damaged = archive.table(Table::Events).snapshot().await;
        assert!(matches!(damaged, Err(ArchiveError::Damaged { .. })), "{path}: {damaged:?}");
    }
}

#[tokio::test]
async fn a_gap_is_damage_and_an_entry_without_a_line_is_none() {
    let archive = archive();
    let log = archive.table(Table::Events);
    for n in 0..5 {
        log.commit(&[segment(&format!("f{n}"))], &[], &format!("c{n}"), NOW).await.unwrap();
    }
    // A power cut may leave the name of an entry without its bytes.
    let entry = crate::paths::delta_log_entry(Table::Events, 3);
    archive.store().put(&entry, "".into()).await.unwrap();
    let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
    assert_eq!((snapshot.version, snapshot.files.len()), (Some(5), 4));
    archive.store().put(&entry, "{\"add\":{}}".into()).await.unwrap();
    let damaged = archive.table(Table::Events).snapshot().await;
    assert!(matches!(damaged, Err(ArchiveError::Damaged { .. })), "{damaged:?}");
    archive.store().delete(&entry).await.unwrap();
    let damaged = archive.table(Table::Events).snapshot().await.unwrap_err().to_string();
    assert!(damaged.contains("00000000000000000003.json is missing"), "{damaged}");
    // Whoever read the entry before goes on.
    log.commit(&[segment("f5")], &[], "c5", NOW).await.unwrap();
    assert_eq!(log.snapshot().await.unwrap().files.len(), 6);
}

#[tokio::test]
async fn times_beyond_the_years_of_four_digits_are_read_back() {
    let archive = archive();
    let log = archive.table(Table::Events);
    let bounds = [
        (-62_135_596_800_000_000, 253_402_300_800_000_001),
        (-62_167_222_800_000_000, 253_402_318_799_999_999),
        (i64::MIN, i64::MAX),
    ];
    for (n, time) in bounds.into_iter().enumerate() {
        let segment = Segment { time: Some(time), ..segment(&format!("f{n}")) };
        log.commit(&[segment], &[], &format!("c{n}"), NOW).await.unwrap();
    }
    // From the entries, from a checkpoint, and as evidence.
    for last in [3, 99] {
        for n in log.version().await.unwrap().unwrap()..last {
            log.commit(&[], &[advance(0, (n > 3).then_some(n as i64), n as i64 + 1)], &format!("e{n}"), NOW)
                .await
                .unwrap();
        }
        let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
        let mut times: Vec<_> = snapshot.files.iter().map(|file| (file.id.as_str(), file.time)).collect();
        times.sort_unstable();
        let expected: Vec<_> = ["f0", "f1", "f2"].into_iter().zip(bounds.map(Some)).collect();
        assert_eq!(times, expected);
    }
    for (n, time) in bounds.into_iter().enumerate() {
        let path = crate::paths::delta_log_entry(Table::Events, n as u64 + 1);
        let bytes = archive.store().get(&path).await.unwrap().bytes().await.unwrap();
        let entry = crate::proof::entry::Entry::parse(n as u64 + 1, &bytes).unwrap();
        assert_eq!(entry.adds[0].time, Some(time));
    }
}

#[tokio::test]
async fn checkpoints_forget_removals() {
    let archive = archive();
    let log = archive.table(Table::Events);
    log.commit(&[segment("one")], &[], "c0", NOW).await.unwrap();
    let removed = log.snapshot().await.unwrap().files.to_vec();
    // By the clock of the Delta library, which forgets them after a week unless it is told otherwise.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let two_hours_ago = Timestamp(since.as_micros() as i64 - 2 * 3_600_000_000);
    log.change(&Change { removed: &removed, ..appended(&[], "c1") }, two_hours_ago).await.unwrap();
    for n in 2..99 {
        log.commit(&[], &[advance(0, (n > 2).then_some(n), n + 1)], &format!("c{n}"), NOW).await.unwrap();
    }
    let path = crate::paths::delta_log_checkpoint(Table::Events, 99);
    let bytes = archive.store().get(&path).await.unwrap().bytes().await.unwrap();
    let forgotten = removed[0].path.filename().unwrap();
    let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    for batch in rows {
        let text = format!("{:?}", batch.unwrap());
        assert!(!text.contains(forgotten), "{text}");
    }
    let metadata = archive.store().get(&crate::paths::delta_log_entry(Table::Events, 0)).await.unwrap();
    let metadata = String::from_utf8(metadata.bytes().await.unwrap().to_vec()).unwrap();
    assert!(metadata.contains(r#""delta.deletedFileRetentionDuration":"interval 1 hours""#), "{metadata}");
}

#[tokio::test]
async fn the_cluster_is_kept_across_checkpoints() {
    let archive = archive();
    let log = archive.table(Table::Events);
    assert_eq!(log.cluster().await.unwrap(), None);
    log.set_cluster("one").await;
    let mut expected = None;
    // The hundredth version makes a checkpoint.
    for n in 0..99i64 {
        log.commit(&[], &[advance(0, expected, n + 1)], &format!("c{n}"), NOW).await.unwrap();
        expected = Some(n + 1);
    }
    assert_eq!(archive.table(Table::Events).cluster().await.unwrap().as_deref(), Some("one"));
}

#[tokio::test]
async fn writers_of_different_partitions_commit_side_by_side() {
    let archive = archive();
    let tasks: Vec<_> = (0..4)
        .map(|partition| {
            let log = archive.table(Table::Events);
            tokio::spawn(async move {
                let mut expected = None;
                for n in 1..=10 {
                    let name = format!("p{partition}n{n}");
                    log.commit(&[segment(&name)], &[advance(partition, expected, n)], &name, NOW).await.unwrap();
                    expected = Some(n);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let snapshot = archive.table(Table::Events).snapshot().await.unwrap();
    assert_eq!(snapshot.files.len(), 40);
    assert!(snapshot.offsets.values().all(|next| *next == 10));
}
