//! The process that maintains the table of sessions stands still, and what it was about to read is gone when it goes on.

use crate::fixture::{Fixture, MAY, rows};
use crate::sessions::{FROM_EVENTS, MAINTAINED, numbered, settings};
use holdfast_archive::keys::Unlocker;
use holdfast_archive::{Archive, Location, Table, paths};
use holdfast_events::Timestamp;
use holdfast_sessions::{Maintainer, MaintainerSettings};
use holdfast_testkit::faults::{Fault, FaultyStore, Gate, Operation, Rule, When};
use object_store::ObjectStoreExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

/// A maintainer, its store, and its clock.
struct Paused {
    store: Arc<FaultyStore>,
    clock: Arc<AtomicI64>,
    maintainer: Maintainer,
}

impl Paused {
    fn new(fixture: &Fixture, settings: MaintainerSettings) -> Self {
        let store = Arc::new(FaultyStore::new(Arc::clone(fixture.archive.store())));
        let url = url::Url::parse("memory:///").unwrap();
        let archive = Archive::new(Location { url, store: Arc::<FaultyStore>::clone(&store) });
        let unlocker = Arc::new(Unlocker::new(archive.clone(), vec![fixture.officer.clone()]));
        let clock = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&clock);
        let maintainer = Maintainer::new(archive, unlocker, Arc::new(fixture.ring(MAY)), settings)
            .with_clock(Arc::new(move || Timestamp(now.load(Ordering::SeqCst))));
        Self { store, clock, maintainer }
    }

    /// The next call of this kind waits at the gate.
    fn hold(&self, operation: Operation, path: &str) -> Gate {
        let gate = Gate::new();
        let rule = Rule::new(Fault::Hold(gate.clone())).on(&[operation]).path_contains(path);
        self.store.faults().inject(rule.when(When::First(1)));
        gate
    }
}

async fn filled() -> Fixture {
    let mut fixture = Fixture::empty();
    for number in 0..20 {
        fixture.write_to(1, MAY, &[numbered(number)]).await;
    }
    fixture
}

/// Merges the files of events, and deletes what was merged, as a sealer does after the time of grace.
async fn seal_and_sweep(fixture: &Fixture) {
    let before = fixture.archive.table(Table::Events).snapshot().await.unwrap();
    fixture.seal(MAY).await;
    for file in before.files.iter() {
        fixture.archive.store().delete(&file.path).await.unwrap();
    }
}

#[tokio::test]
async fn a_round_and_a_rebuild_begin_again_after_a_standstill() {
    for (is_rebuild, stands_still) in [(false, true), (true, true), (false, false), (true, false)] {
        let fixture = filled().await;
        let mut paused = Paused::new(&fixture, settings());
        let gate = paused.hold(Operation::Get, "tables/events/class=");
        let clock = Arc::clone(&paused.clock);
        let meanwhile = async {
            gate.arrived(1).await;
            seal_and_sweep(&fixture).await;
            clock.store(if stands_still { 2 * HOUR } else { SECOND }, Ordering::SeqCst);
            gate.open();
        };
        let work = async {
            match is_rebuild {
                false => paused.maintainer.round(Timestamp(0)).await.map(drop),
                true => paused.maintainer.rebuild(Timestamp(0), |_| {}).await.map(drop),
            }
        };
        let (done, ()) = tokio::join!(work, meanwhile);
        // An error that nothing explains is the caller's to report; the next round goes on.
        assert_eq!(done.is_ok(), stands_still, "{is_rebuild}: {done:?}");
        if !stands_still {
            paused.maintainer.round(Timestamp(SECOND)).await.unwrap();
        }
        let officer = fixture.as_officer();
        assert_eq!(rows(&officer, MAINTAINED).await, rows(&officer, FROM_EVENTS).await);
    }
}

#[tokio::test]
async fn the_time_of_grace_begins_with_the_commit_and_not_with_the_round() {
    let fixture = filled().await;
    let settings = MaintainerSettings { grace: Duration::from_secs(600), ..settings() };
    let mut paused = Paused::new(&fixture, settings);
    paused.maintainer.rebuild(Timestamp(0), |_| {}).await.unwrap();
    let log = fixture.archive.table(Table::Sessions);
    let old = log.snapshot().await.unwrap();
    let gate = paused.hold(Operation::Put, "tables/sessions/class=");
    let clock = Arc::clone(&paused.clock);
    let meanwhile = async {
        gate.arrived(1).await;
        clock.store(2 * HOUR, Ordering::SeqCst);
        gate.open();
    };
    let (rebuilt, ()) = tokio::join!(paused.maintainer.rebuild(Timestamp(0), |_| {}), meanwhile);
    rebuilt.unwrap();

    // In the log, for a sealer.
    let version = log.version().await.unwrap().unwrap();
    let entry = fixture.archive.store().get(&paths::delta_log_entry(Table::Sessions, version)).await.unwrap();
    let entry = String::from_utf8(entry.bytes().await.unwrap().to_vec()).unwrap();
    let actions = entry.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let removed: Vec<i64> = actions.filter_map(|action| action["remove"]["deletionTimestamp"].as_i64()).collect();
    assert_eq!(removed, vec![2 * HOUR / 1_000; old.files.len()]);
    // And for this process.
    for (seconds, is_there) in [(0, true), (599, true), (600, false)] {
        paused.maintainer.round(Timestamp(2 * HOUR + seconds * SECOND)).await.unwrap();
        for file in old.files.iter() {
            let found = fixture.archive.store().head(&file.path).await;
            assert_eq!(found.is_ok(), is_there, "after {seconds} s");
        }
    }
}
