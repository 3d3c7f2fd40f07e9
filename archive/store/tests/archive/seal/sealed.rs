//! Sealing without interference: what it merges, and what it does not.

use super::fixture::*;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::seal::{SealSettings, SkipReason, Sweeper, name_dead_letters};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Table};
use holdfast_events::{EventBatchBuilder, Position, decode_structured};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn rows_and_proof_are_the_same_before_during_and_after_sealing() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    Fixture::is_intact(&fixture.verify().await);
    let events = fixture.rows(Table::Events).await;
    let letters = fixture.rows(Table::DeadLetters).await;
    let old = fixture.archive.table(Table::Events).snapshot().await.unwrap();
    assert_eq!((events.len(), letters.len(), old.files.len()), (138, 8, 8));

    let sealed = fixture.seal().await;
    assert_eq!(sealed.skipped, []);
    assert_eq!((sealed.groups, sealed.files_before, sealed.files_after, sealed.rows), (4, 16, 4, 146));
    // Four objects of one recording became one, and the recording in one object was not touched.
    assert_eq!((sealed.objects_before, sealed.objects_after), (5, 2));
    for table in [Table::Events, Table::DeadLetters] {
        let files = fixture.files(table).await;
        assert_eq!(files.len(), 2);
        assert!(files.iter().all(|file| file.id.starts_with("sealed-")));
    }
    assert_eq!(fixture.rows(Table::Events).await, events);
    assert_eq!(fixture.rows(Table::DeadLetters).await, letters);
    Fixture::is_intact(&fixture.verify().await);
    // Readers of the version before can still read.
    assert_eq!(fixture.rows_of(Table::Events, &old.files).await, events);

    let mut sweeper = Sweeper::new(fixture.archive.clone(), fixture.unlocker(), Duration::from_secs(60));
    let early = sweeper.sweep(later(59)).await.unwrap();
    assert_eq!((early.files, early.objects, early.waiting), (0, 0, 16));
    let swept = sweeper.sweep(later(120)).await.unwrap();
    assert_eq!((swept.files, swept.objects, swept.waiting), (16, 4, 0));
    assert_eq!(swept.bytes, sealed.bytes_before);
    fixture.has_no_waste().await;
    assert_eq!(fixture.rows(Table::Events).await, events);
    assert_eq!(fixture.rows(Table::DeadLetters).await, letters);
    Fixture::is_intact(&fixture.verify().await);

    // There is nothing left to do.
    let before = fingerprint(&fixture).await;
    let again = fixture.seal().await;
    assert_eq!((again.groups, again.files_before, again.rows), (0, 0, 0));
    assert_eq!(fixture.sweep_later().await.files, 0);
    assert_eq!(fingerprint(&fixture).await, before);
}

#[tokio::test]
async fn rows_of_a_sealed_file_are_in_the_order_of_session_and_time() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMicrosecondType;
    let fixture = Fixture::new();
    filled(&fixture).await;
    fixture.seal().await;
    for file in fixture.files(Table::Events).await {
        let mut keys = Vec::new();
        for batch in fixture.batches(&file).await {
            let subjects = batch.column_by_name("subject").unwrap().as_string::<i32>();
            let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampMicrosecondType>();
            keys.extend((0..batch.num_rows()).map(|row| (subjects.value(row).to_owned(), times.value(row))));
        }
        assert!(keys.is_sorted());
        assert_eq!(keys.len() as u64, file.rows);
        let times: BTreeSet<i64> = keys.iter().map(|(_, time)| *time).collect();
        assert_eq!(file.time, times.first().copied().zip(times.last().copied()));
    }
}

#[tokio::test]
async fn late_events_of_a_sealed_date_get_a_sealed_file_of_their_own() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    // Its first sweep finds nothing, and it keeps the version up to which it has read.
    let mut sweeper = Sweeper::new(fixture.archive.clone(), fixture.unlocker(), Duration::from_secs(60));
    assert_eq!(sweeper.sweep(later(120)).await.unwrap(), Default::default());
    fixture.seal().await;
    assert_eq!(sweeper.sweep(later(30)).await.unwrap().waiting, 16);
    let chunks = vec![(DATE, "s-a", "r-1", 12, vec![media(90, 500)]), (DATE, "s-a", "r-1", 13, vec![media(91, 500)])];
    let events = vec![(0, DATE, line("late", 1, DATE, "late"))];
    fixture.append(Unit { events, chunks, ..Unit::default() }).await;
    let before = fixture.rows(Table::Events).await;
    let sealed = fixture.seal().await;
    assert_eq!((sealed.groups, sealed.files_before, sealed.rows, sealed.objects_after), (1, 1, 3, 1));
    assert_eq!(fixture.files(Table::Events).await.len(), 3);
    let swept = sweeper.sweep(later(120)).await.unwrap();
    assert_eq!((swept.files, swept.objects, swept.waiting), (17, 6, 0));
    fixture.has_no_waste().await;
    assert_eq!(fixture.rows(Table::Events).await, before);
    Fixture::is_intact(&fixture.verify().await);
}

/// One late event and one late chunk after the other, each in a run of its own.
#[tokio::test]
async fn many_small_sealed_files_of_a_date_are_merged_again() {
    let fixture = Fixture::new();
    for number in 0..8i64 {
        let events = vec![(0, DATE, line("late", number, DATE, "late"))];
        let chunks = vec![(DATE, "s-a", "r-1", number, vec![media(number as u8, 500)])];
        fixture.append(Unit { events, chunks, ..Unit::default() }).await;
        let sealed = fixture.seal().await;
        assert_eq!((sealed.groups, sealed.files_before, sealed.rows), (1, 1, 2));
    }
    let (rows, old) = (fixture.rows(Table::Events).await, fixture.files(Table::Events).await);
    assert_eq!(old.len(), 8);
    let sealed = fixture.seal().await;
    assert_eq!(sealed.skipped, []);
    assert_eq!((sealed.groups, sealed.files_before, sealed.files_after, sealed.rows), (1, 8, 1, 16));
    assert_eq!((sealed.objects_before, sealed.objects_after), (8, 1));
    assert_eq!(fixture.rows(Table::Events).await, rows);
    Fixture::is_intact(&fixture.verify().await);
    // Who reads the version before has the time of grace.
    assert_eq!(fixture.rows_of(Table::Events, &old).await, rows);
    assert_eq!(fixture.sweep_later().await.files, 16);
    fixture.has_no_waste().await;
    assert_eq!(fixture.rows(Table::Events).await, rows);
    Fixture::is_intact(&fixture.verify().await);
    // Also who has no key finds that what is gone was given up.
    let report = fixture.verify_with(Arc::new(Unlocker::new(fixture.archive.clone(), Vec::new()))).await;
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!(fixture.seal().await.groups, 0);
}

/// Little memory for rows that are large and compress well.
#[tokio::test]
async fn sealed_files_of_which_few_fill_the_memory_stay_as_they_are() {
    let fixture = Fixture::new();
    let large = "x".repeat(900_000);
    for number in 0..8i64 {
        let events = vec![(0, DATE, line("late", number, DATE, &large))];
        fixture.append(Unit { events, ..Unit::default() }).await;
        assert_eq!(fixture.seal().await.groups, 1);
    }
    let (before, files) = (fingerprint(&fixture).await, fixture.files(Table::Events).await);
    let mut sealer = fixture.sealer();
    // As much as the plan wants for files of this size.
    let largest = files.iter().map(|file| file.size).max().unwrap();
    assert!(largest * 128 < 8 * 900_000, "{largest}");
    sealer.settings.max_memory = largest as usize * 128;
    let sealed = seal(&sealer).await.unwrap();
    assert_eq!((sealed.groups, sealed.skipped), (0, Vec::new()));
    assert_eq!(fingerprint(&fixture).await, before);
    // With more memory they are merged.
    assert_eq!(fixture.seal().await.files_before, 8);
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn dead_letters_that_no_entry_names_are_named_on_demand() {
    let fixture = Fixture::new();
    fixture.append(Unit { events: vec![(0, DATE, line("s", 1, DATE, "x"))], ..Unit::default() }).await;
    // An archiver that died between its two commits.
    let advance = Advance { topic: "dead".to_owned(), partition: 0, expected: None, next: 1 };
    fixture.commit(Table::DeadLetters, Vec::new(), Vec::new(), &[advance]).await;
    assert_ne!(fixture.verify().await.notices, [""; 0], "they wait");
    for _ in 0..2 {
        name_dead_letters(&fixture.archive, &fixture.key, NOW).await.unwrap();
        assert_eq!(fixture.archive.table(Table::Events).version().await.unwrap(), Some(2), "once");
        let report = fixture.verify().await;
        Fixture::is_intact(&report);
        assert_eq!(report.notices, [""; 0]);
    }
}

#[tokio::test]
async fn dates_that_are_not_closed_are_sealed_only_on_demand() {
    let fixture = Fixture::new();
    fixture.append(Unit { events: vec![(0, DATE, line("s", 1, DATE, "today"))], ..Unit::default() }).await;
    let sealer = fixture.sealer();
    let evening = holdfast_events::Timestamp(0).plus_days(i64::from(DATE) + 1);
    assert_eq!(sealer.seal(evening, false, |_| ()).await.unwrap().groups, 0);
    assert_eq!(sealer.seal(evening, true, |_| ()).await.unwrap().groups, 1);
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn sealed_dead_letters_enter_the_proof_log_without_an_event() {
    let fixture = Fixture::new();
    fixture.append(Unit { dead_letters: vec![(DATE, b"x")], ..Unit::default() }).await;
    let version = async || fixture.archive.table(Table::Events).version().await.unwrap();
    let before = version().await;
    assert_eq!((fixture.seal().await.rows, version().await), (1, before.map(|version| version + 1)));
    let report = fixture.verify().await;
    Fixture::is_intact(&report);
    assert_eq!(report.notices, [""; 0], "nothing waits");
    // One entry is enough, also when an archiver that has not read the sealed entries names fewer in the newest entry.
    assert_eq!((fixture.seal().await.rows, version().await), (0, before.map(|version| version + 1)));
    fixture.commit_naming(Some(0), Table::Events, Vec::new(), Vec::new(), &[]).await;
    assert_eq!((fixture.seal().await.rows, version().await), (0, before.map(|version| version + 2)));
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn rows_that_need_too_much_memory_become_several_files() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let before = fixture.rows(Table::Events).await;
    let mut sealer = fixture.sealer();
    sealer.settings = SealSettings { max_memory: 1, ..SealSettings::default() };
    let sealed = seal(&sealer).await.unwrap();
    assert_eq!((sealed.groups, sealed.files_before, sealed.rows), (16, 16, 146));
    assert_eq!(fixture.rows(Table::Events).await, before);
    // Chunks of the recording in different files are not joined.
    assert_eq!((sealed.objects_before, sealed.objects_after), (5, 5));
    fixture.sweep_later().await;
    fixture.has_no_waste().await;
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn a_date_without_available_keys_is_skipped_and_named() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let mut sealer = fixture.sealer();
    sealer.unlocker = Arc::new(Unlocker::new(fixture.archive.clone(), vec![fixture.manager.clone()]));
    let sealed = seal(&sealer).await.unwrap();
    assert_eq!(sealed.groups, 0);
    assert_eq!(sealed.skipped.len(), 4);
    assert!(sealed.skipped.iter().all(|skipped| skipped.reason == SkipReason::NoKey));
    assert!(sealed.skipped[0].why.contains("personal/general/2026-05"), "{}", sealed.skipped[0].why);
    assert!(sealed.skipped[0].why.contains("content/general/2026-05"), "{}", sealed.skipped[0].why);
}

#[tokio::test]
async fn unattested_files_are_skipped_and_named() {
    let fixture = Fixture::new();
    let partition = Partition { class: CLASS.to_owned(), date: DATE };
    let log = fixture.archive.table(Table::Events);
    let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, "old".to_owned()).await.unwrap();
    let mut builder = EventBatchBuilder::new();
    let event = line("s", 1, DATE, "old");
    let position = Position { topic: "t", partition: 0, offset: 0 };
    builder.append(&decode_structured(event.as_bytes()).unwrap(), position, NOW, false, None);
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    writer.write(&builder.finish()).unwrap();
    let segment = writer.finish().unwrap();
    log.put(&segment).await.unwrap();
    let advance = Advance { topic: "t".to_owned(), partition: 0, expected: None, next: 1 };
    log.commit(&[segment], &[advance], "old", NOW).await.unwrap();
    fixture.append(Unit { events: vec![(0, DATE, line("s", 2, DATE, "new"))], ..Unit::default() }).await;

    let sealed = fixture.seal().await;
    assert_eq!((sealed.groups, sealed.rows), (1, 1));
    assert_eq!(sealed.skipped.len(), 1);
    assert_eq!(sealed.skipped[0].reason, SkipReason::Unattested);
    assert!(sealed.skipped[0].why.contains("old"), "{}", sealed.skipped[0].why);
    assert_eq!(fixture.rows(Table::Events).await.len(), 2);
}

#[tokio::test]
async fn the_cluster_is_kept_when_a_checkpoint_is_made_at_a_sealed_file() {
    let fixture = Fixture::new();
    let log = fixture.archive.table(Table::Events);
    log.set_cluster("one").await;
    let mut expected = None;
    // The table's first entry has version 0, and the hundredth version makes a checkpoint.
    for next in 1..98i64 {
        let advance = Advance { topic: "t".to_owned(), partition: 0, expected, next };
        log.commit(&[], &[advance], &format!("c{next}"), NOW).await.unwrap();
        expected = Some(next);
    }
    fixture.append(Unit { events: vec![(0, DATE, line("s", 1, DATE, "x"))], ..Unit::default() }).await;
    assert_eq!(fixture.seal().await.groups, 1);
    assert_eq!(log.version().await.unwrap(), Some(99));
    let other = fixture.archive.table(Table::Events);
    assert_eq!(other.cluster().await.unwrap().as_deref(), Some("one"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever the rows are and however they are spread over commits, dates and partitions.
    #[test]
    fn any_rows_are_unchanged_after_sealing(
        units in prop::collection::vec(
            prop::collection::vec((0i32..2, 0i32..2, "[a-c]", 0i64..5, "\\PC{0,20}", prop::option::of("\\PC{1,5}")), 1..8), 1..5),
        max_rows in 1u64..12,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            for unit in units {
                let events = unit.into_iter().map(|(partition, date, session, seq, text, ticket)| {
                    let mut event: serde_json::Value =
                        serde_json::from_str(&line(&session, seq, DATE + date, &text)).unwrap();
                    if let Some(ticket) = ticket {
                        event["ticket"] = ticket.into();
                    }
                    (partition, DATE + date, event.to_string())
                });
                fixture.append(Unit { events: events.collect(), ..Unit::default() }).await;
            }
            let before = fixture.rows(Table::Events).await;
            let mut sealer = fixture.sealer();
            sealer.settings.max_rows = max_rows;
            let sealed = seal(&sealer).await.unwrap();
            assert_eq!(sealed.rows, before.len() as u64);
            fixture.sweep_later().await;
            fixture.has_no_waste().await;
            assert_eq!(fixture.rows(Table::Events).await, before);
            Fixture::is_intact(&fixture.verify().await);
        });
    }
}
