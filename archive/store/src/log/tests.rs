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
    assert_eq!(log.snapshot().await.unwrap().files, []);
    log.commit(std::slice::from_ref(&one), &[advance(0, None, 5), advance(1, None, 2)], "c1", NOW).await.unwrap();
    log.commit(&[segment("two")], &[advance(0, Some(5), 9)], "c2", NOW).await.unwrap();
    // A new reader reads the same as the writer.
    for log in [&log, &archive.table(Table::Events)] {
        let snapshot = log.snapshot().await.unwrap();
        let mut files = snapshot.files.clone();
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
