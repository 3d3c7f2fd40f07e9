//! Sealing under interference: other writers, a failing store, a crash at any point, damage.

use super::fixture::*;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::seal::{SkipReason, Sweeper};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{ArchiveError, Table};
use holdfast_testkit::faults::{Failure, Fault, FaultyStore, Gate, Operation, Rule, When};
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;
use std::time::Duration;

fn faulty(fixture: &Fixture) -> (Arc<FaultyStore>, Arc<dyn ObjectStore>) {
    let store = Arc::new(FaultyStore::new(Arc::clone(fixture.archive.store())));
    (Arc::clone(&store), store)
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error_of_verification_and_no_finding() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    for failure in [Failure::Transient, Failure::PermissionDenied] {
        let (store, handle) = faulty(&fixture);
        let rule = Rule::new(Fault::FailBefore(failure)).on(&[Operation::Get]).path_contains("events/_delta_log/");
        let rule = store.faults().inject(rule.when(When::First(1)));
        let archive = fixture.through(handle);
        let failed = fixture.verify_through(&archive, fixture.unlocker()).await;
        assert!(matches!(failed, Err(ArchiveError::Store { .. })), "{failed:?}");
        assert_eq!(store.faults().fired(rule), 1);
        Fixture::is_intact(&fixture.verify_through(&archive, fixture.unlocker()).await.unwrap());
    }
}

#[tokio::test]
async fn archivers_commit_while_a_date_is_sealed() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let (store, handle) = faulty(&fixture);
    let gate = Gate::new();
    store.faults().inject(
        Rule::new(Fault::Hold(gate.clone()))
            .on(&[Operation::Put])
            .path_contains("events/_delta_log/")
            .when(When::Nth(1)),
    );
    let sealer = fixture.sealer_of(fixture.through(handle));
    let meanwhile = async {
        gate.arrived(1).await;
        for number in 0..3 {
            let events = vec![(0, DATE, line("meanwhile", number, DATE, "x"))];
            fixture.append(Unit { events, dead_letters: vec![(DATE, b"x")], ..Unit::default() }).await;
        }
        gate.open();
    };
    let (sealed, ()) = tokio::join!(seal(&sealer), meanwhile);
    let sealed = sealed.unwrap();
    assert_eq!((sealed.groups, sealed.rows, sealed.skipped.len()), (4, 146, 0));
    assert_eq!(fixture.rows(Table::Events).await.len(), 141);
    Fixture::is_intact(&fixture.verify().await);
    // The next run seals them.
    assert_eq!(fixture.seal().await.rows, 6);
    fixture.sweep_later().await;
    fixture.has_no_waste().await;
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn of_two_sealers_one_seals_and_the_other_skips() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let before = fixture.rows(Table::Events).await;
    let (store, handle) = faulty(&fixture);
    let gate = Gate::new();
    store.faults().inject(
        Rule::new(Fault::Hold(gate.clone())).on(&[Operation::Put]).path_contains("_delta_log/").when(When::Nth(1)),
    );
    let slow = fixture.sealer_of(fixture.through(handle));
    let fast = async {
        gate.arrived(1).await;
        let sealed = fixture.seal().await;
        gate.open();
        sealed
    };
    let (slow, fast) = tokio::join!(seal(&slow), fast);
    let slow = slow.unwrap();
    assert_eq!((fast.groups, fast.rows), (4, 146));
    assert_eq!(slow.groups, 0);
    // The slow one had planned only the dead letters of both dates; it read the events afterwards.
    assert!(!slow.skipped.is_empty());
    assert!(slow.skipped.iter().all(|skipped| skipped.reason == SkipReason::Conflict), "{:?}", slow.skipped);
    assert_eq!(fixture.rows(Table::Events).await, before);
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn a_commit_with_a_lost_response_is_recognised() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let (store, handle) = faulty(&fixture);
    store
        .faults()
        .inject(Rule::new(Fault::FailAfter(Failure::Transient)).on(&[Operation::Put]).path_contains("_delta_log/"));
    let sealed = seal(&fixture.sealer_of(fixture.through(handle))).await.unwrap();
    assert_eq!((sealed.groups, sealed.rows, sealed.skipped.len()), (4, 146, 0));
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn a_crash_after_any_effect_of_sealing_leaves_a_whole_archive() {
    let mut crashes = 0;
    for effect in 1.. {
        let fixture = Fixture::new();
        filled(&fixture).await;
        let before = (fixture.rows(Table::Events).await, fixture.rows(Table::DeadLetters).await);
        let (store, handle) = faulty(&fixture);
        let rule = store.faults().inject(Rule::new(Fault::CrashAfter).on(Operation::EFFECTS).when(When::Nth(effect)));
        let crashed = seal(&fixture.sealer_of(fixture.through(handle))).await;
        if store.faults().fired(rule) == 0 {
            crashed.unwrap();
            break;
        }
        crashes += 1;
        Fixture::is_intact(&fixture.verify().await);
        assert_eq!((fixture.rows(Table::Events).await, fixture.rows(Table::DeadLetters).await), before);
        // The next run does the rest.
        fixture.seal().await;
        fixture.sweep_later().await;
        assert!(fixture.files(Table::Events).await.iter().all(|file| file.id.starts_with("sealed-")));
        assert_eq!((fixture.rows(Table::Events).await, fixture.rows(Table::DeadLetters).await), before);
        Fixture::is_intact(&fixture.verify().await);
    }
    // Four files, four entries, one joined recording.
    assert!(crashes >= 9, "{crashes}");
}

#[tokio::test]
async fn after_a_crash_at_any_deletion_the_next_sweep_completes_it() {
    let mut crashes = 0;
    for effect in 1.. {
        let fixture = Fixture::new();
        filled(&fixture).await;
        fixture.seal().await;
        let before = fixture.rows(Table::Events).await;
        let (store, handle) = faulty(&fixture);
        let rule = store.faults().inject(Rule::new(Fault::CrashAfter).on(Operation::EFFECTS).when(When::Nth(effect)));
        let mut sweeper = Sweeper::new(fixture.through(handle), fixture.unlocker(), Duration::from_secs(60));
        let crashed = sweeper.sweep(later(120)).await;
        if store.faults().fired(rule) == 0 {
            crashed.unwrap();
            break;
        }
        crashes += 1;
        assert!(crashed.is_err());
        assert_eq!(fixture.rows(Table::Events).await, before);
        Fixture::is_intact(&fixture.verify().await);
        fixture.sweep_later().await;
        fixture.has_no_waste().await;
        assert_eq!(fixture.rows(Table::Events).await, before);
    }
    assert_eq!(crashes, 20);
}

#[tokio::test]
async fn files_that_the_store_refuses_to_delete_are_reported() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    fixture.seal().await;
    let (store, handle) = faulty(&fixture);
    store.faults().inject(Rule::new(Fault::FailBefore(Failure::PermissionDenied)).on(&[Operation::Delete]));
    let mut sweeper = Sweeper::new(fixture.through(handle), fixture.unlocker(), Duration::from_secs(60));
    let swept = sweeper.sweep(later(120)).await.unwrap();
    // A file is not deleted while its objects exist.
    assert_eq!((swept.files, swept.objects, swept.refused.len()), (0, 0, 16));
    store.faults().clear();
    let swept = sweeper.sweep(later(120)).await.unwrap();
    assert_eq!((swept.files, swept.objects, swept.refused.len()), (16, 4, 0));
    fixture.has_no_waste().await;
}

#[tokio::test]
async fn without_the_operational_key_removed_files_stay_and_are_named() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    fixture.seal().await;
    let stranger = age::x25519::Identity::generate();
    let unlocker = Arc::new(Unlocker::new(fixture.archive.clone(), vec![stranger]));
    let mut sweeper = Sweeper::new(fixture.archive.clone(), unlocker, Duration::ZERO);
    let swept = sweeper.sweep(later(120)).await.unwrap();
    // Dead letters have no objects.
    assert_eq!((swept.files, swept.no_key.len()), (8, 8));
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn an_altered_chunk_is_not_sealed() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let altered = fixture.names("recordings/s-a").await.into_iter().nth(1).unwrap();
    let mut bytes = [media(3, 100_000), media(4, 100_001), media(5, 100_002)].concat();
    bytes[100_500] ^= 1;
    exchange_object(&fixture, &altered, DATE, &bytes).await;
    let files = fixture.files(Table::Events).await;
    let sealed = fixture.seal().await;
    // The other date, and the dead letters of both.
    assert_eq!(sealed.groups, 3);
    assert!(sealed.found_damage());
    let why = &sealed.skipped[0].why;
    assert!(why.contains("the chunk at holdfast.recordings partition 0 offset 6") && why.contains("SHA-256"), "{why}");
    assert!(why.contains(&altered), "{why}");
    let left = fixture.files(Table::Events).await;
    assert!(files.iter().filter(|file| file.date == DATE).all(|file| left.contains(file)));
    // The evidence of the damage still exists.
    fixture.sweep_later().await;
    let report = fixture.verify().await;
    assert_eq!(report.findings.len(), 2, "{:#?}", report.findings);
}

#[tokio::test]
async fn an_exchanged_file_is_not_sealed_although_it_decrypts() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let file = fixture.files(Table::Events).await.into_iter().find(|file| file.date == DATE).unwrap();
    // Public keys are enough to write a file with the same rows under the same name.
    let partition = Partition { class: CLASS.to_owned(), date: DATE };
    let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, file.id.clone()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    for batch in fixture.batches(&file).await {
        writer
            .write(&arrow_array::RecordBatch::try_new(Table::Events.schema(), batch.columns().to_vec()).unwrap())
            .unwrap();
    }
    let segment = writer.finish().unwrap();
    fixture.archive.store().put(&file.path, segment.bytes.clone().into()).await.unwrap();
    let sealed = fixture.seal().await;
    assert_eq!(sealed.groups, 3);
    assert!(sealed.skipped[0].why.contains("it is not the file that was written"), "{}", sealed.skipped[0].why);
}

#[tokio::test]
async fn a_missing_or_truncated_file_is_not_sealed() {
    for tear in [false, true] {
        let fixture = Fixture::new();
        filled(&fixture).await;
        let file = fixture.files(Table::Events).await.into_iter().find(|file| file.date == DATE).unwrap();
        if tear {
            let bytes = fixture.archive.store().get(&file.path).await.unwrap().bytes().await.unwrap();
            fixture.archive.store().put(&file.path, bytes.slice(..bytes.len() / 2).into()).await.unwrap();
        } else {
            fixture.archive.store().delete(&file.path).await.unwrap();
        }
        let sealed = fixture.seal().await;
        assert_eq!((sealed.groups, sealed.skipped.len()), (3, 1));
        assert_eq!(sealed.skipped[0].reason, SkipReason::Damaged);
        assert!(sealed.skipped[0].why.contains(&file.id), "{}", sealed.skipped[0].why);
    }
}

#[tokio::test]
async fn a_failing_store_is_an_error_and_not_a_skip_reason() {
    let fixture = Fixture::new();
    filled(&fixture).await;
    let (store, handle) = faulty(&fixture);
    store.faults().inject(Rule::new(Fault::FailBefore(Failure::Transient)).on(&[Operation::Put]));
    let failed = seal(&fixture.sealer_of(fixture.through(handle))).await;
    assert!(matches!(failed, Err(ArchiveError::Store { .. })), "{failed:?}");
    Fixture::is_intact(&fixture.verify().await);
}
