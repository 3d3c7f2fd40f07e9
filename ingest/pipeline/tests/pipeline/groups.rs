//! Several archivers at once: members of one group, and zombies that have lost their partitions without noticing.

use std::time::Duration;

use holdfast_testkit::faults::{Fault, Faults, Gate, Operation, Rule, When};

use crate::conformance::events;
use crate::fixture::{Fixture, LIMIT};

/// A second archiver joins while events are sent, then the first one leaves.
pub(crate) async fn two_archivers_share_and_hand_over(fixture: &Fixture) {
    let first = fixture.archiver();
    first.ready().await;
    let send = async |from: usize, to: usize| {
        for round in from..to {
            fixture.send(events(fixture, &format!("flow-{round}"), 6, 12)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    send(0, 10).await;
    let second = fixture.archiver();
    tokio::join!(send(10, 25), second.ready());
    send(25, 35).await;
    fixture.wait_and_check().await;

    // The first archiver leaves the group, so the second gets its partitions without waiting for the session timeout.
    tokio::join!(send(35, 50), first.stop());
    fixture.wait_and_check().await;
    second.stop().await;
    fixture.check().await;
}

/// Archivers join and leave while nothing can be written, with more events waiting than fit in their queues.
pub(crate) async fn a_rebalance_during_an_outage_loses_nothing(fixture: &Fixture) {
    let first = fixture.archiver();
    first.ready().await;
    fixture.send(events(fixture, "before", 5, 40)).await;
    fixture.wait_until_archived().await;
    first.faults.fill_disk();
    fixture.send(events(fixture, "outage", 10, 400)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = fixture.archiver();
    second.faults.fill_disk();
    second.ready().await;
    fixture.send(events(fixture, "still", 10, 40)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!first.has_ended() && !second.has_ended(), "an outage does not end the archivers");
    assert_eq!(fixture.rows().await, 200, "nothing could be written");

    first.faults.free_disk();
    second.faults.free_disk();
    fixture.wait_and_check().await;
    first.stop().await;
    second.stop().await;
    fixture.check().await;
}

/// An archiver hangs during a commit while an archiver of another group archives the same events. When it resumes, the
/// log rejects its commit, and it continues at the log's offsets.
pub(crate) async fn a_zombie_is_fenced(fixture: &Fixture) {
    let zombie = fixture.archiver();
    fixture.send(events(fixture, "alive", 4, 20)).await;
    fixture.wait_until_archived().await;

    let gate = hold_the_next_commit(&zombie.faults);
    fixture.send(events(fixture, "taken", 4, 40)).await;
    tokio::time::timeout(LIMIT, gate.arrived(1)).await.expect("the archiver commits");
    let other = fixture.archiver_in_new_group();
    fixture.wait_and_check().await;

    gate.open();
    fixture.send(events(fixture, "after", 4, 40)).await;
    fixture.wait_and_check().await;
    assert!(!zombie.has_ended(), "a fenced archiver keeps running");

    // Both have all partitions and compete for every commit; no event is duplicated.
    for round in 0..5 {
        fixture.send(events(fixture, &format!("both-{round}"), 4, 20)).await;
        fixture.wait_until_archived().await;
    }
    other.stop().await;
    fixture.send(events(fixture, "alone", 4, 20)).await;
    fixture.wait_and_check().await;
    zombie.stop().await;
    fixture.check().await;
}

/// The same within one group: the archiver hangs so long that its partitions are assigned to another member.
pub(crate) async fn a_zombie_of_the_same_group_is_fenced(fixture: &Fixture) {
    // It does not poll while it hangs, and is removed from the group.
    let faults = Faults::default();
    let zombie = fixture.archiver_with(
        &fixture.kafka.group,
        |kafka| {
            kafka.settings.insert("max.poll.interval.ms".to_owned(), "6000".to_owned());
        },
        faults,
    );
    fixture.send(events(fixture, "alive", 4, 20)).await;
    fixture.wait_until_archived().await;

    let gate = hold_the_next_commit(&zombie.faults);
    fixture.send(events(fixture, "taken", 4, 40)).await;
    tokio::time::timeout(LIMIT, gate.arrived(1)).await.expect("the archiver commits");
    let successor = fixture.archiver();
    successor.ready().await;
    fixture.send(events(fixture, "meanwhile", 4, 40)).await;
    // The zombie may still have some partitions, which make no progress while it hangs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    gate.open();
    fixture.wait_and_check().await;

    fixture.send(events(fixture, "after", 4, 40)).await;
    fixture.wait_and_check().await;
    zombie.stop().await;
    fixture.send(events(fixture, "successor", 4, 20)).await;
    fixture.wait_and_check().await;
    successor.stop().await;
    fixture.check().await;
}

/// Holds the next write into the log of events at a gate.
fn hold_the_next_commit(faults: &Faults) -> Gate {
    let gate = Gate::new();
    let hold = Rule::new(Fault::Hold(gate.clone()))
        .on(Operation::WRITES)
        .path_contains("tables/events/_delta_log/")
        .when(When::First(1));
    faults.inject(hold);
    gate
}
