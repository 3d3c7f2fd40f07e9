//! Several archivers at once: those that share, and those that do not know that they have lost what they had.

use std::time::Duration;

use holdfast_testkit::faults::{Fault, Faults, Gate, Operation, Rule, When};

use crate::conformance::events;
use crate::world::{LIMIT, World};

/// A second archiver joins while events flow, then the first one leaves.
pub(crate) async fn two_archivers_share_and_hand_over(world: &World) {
    let first = world.archiver();
    first.ready().await;
    let flow = async |from: usize, to: usize| {
        for round in from..to {
            world.send(events(world, &format!("flow-{round}"), 6, 12)).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    flow(0, 10).await;
    let second = world.archiver();
    tokio::join!(flow(10, 25), second.ready());
    flow(25, 35).await;
    world.settle_and_check().await;

    // What the first one has goes to the second: in an orderly way, so without waiting for a time-out.
    tokio::join!(flow(35, 50), first.stop());
    world.settle_and_check().await;
    second.stop().await;
    world.check().await;
}

/// Archivers come and go while nothing can be written, with more waiting than their queues hold.
pub(crate) async fn a_rebalance_during_an_outage_loses_nothing(world: &World) {
    let first = world.archiver();
    first.ready().await;
    world.send(events(world, "before", 5, 40)).await;
    world.settle().await;
    first.faults.fill_disk();
    world.send(events(world, "outage", 10, 400)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = world.archiver();
    second.faults.fill_disk();
    second.ready().await;
    world.send(events(world, "still", 10, 40)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!first.has_ended() && !second.has_ended(), "an outage is waited for");
    assert_eq!(world.rows().await, 200, "nothing could be written");

    first.faults.free_disk();
    second.faults.free_disk();
    world.settle_and_check().await;
    first.stop().await;
    second.stop().await;
    world.check().await;
}

/// An archiver hangs in the middle of a commit while a stranger archives the same events. When it comes back, its commit
/// is refused, and it goes on from where the log is.
pub(crate) async fn a_zombie_is_fenced(world: &World) {
    let zombie = world.archiver();
    world.send(events(world, "alive", 4, 20)).await;
    world.settle().await;

    let gate = hold_the_next_commit(&zombie.faults);
    world.send(events(world, "taken", 4, 40)).await;
    tokio::time::timeout(LIMIT, gate.arrived(1)).await.expect("the archiver commits");
    let stranger = world.stranger();
    world.settle_and_check().await;

    gate.open();
    world.send(events(world, "after", 4, 40)).await;
    world.settle_and_check().await;
    assert!(!zombie.has_ended(), "a fenced archiver goes on");

    // Both have all partitions, so they are in each other's way all the time; nothing is doubled.
    for round in 0..5 {
        world.send(events(world, &format!("both-{round}"), 4, 20)).await;
        world.settle().await;
    }
    stranger.stop().await;
    world.send(events(world, "alone", 4, 20)).await;
    world.settle_and_check().await;
    zombie.stop().await;
    world.check().await;
}

/// The same within one group: the archiver hangs so long that its group gives its partitions to another member.
pub(crate) async fn a_zombie_of_the_same_group_is_fenced(world: &World) {
    // It polls no more while it hangs, and is put out of the group.
    let faults = Faults::default();
    let zombie = world.archiver_with(
        &world.kafka.group,
        |kafka| {
            kafka.settings.insert("max.poll.interval.ms".to_owned(), "6000".to_owned());
        },
        faults,
    );
    world.send(events(world, "alive", 4, 20)).await;
    world.settle().await;

    let gate = hold_the_next_commit(&zombie.faults);
    world.send(events(world, "taken", 4, 40)).await;
    tokio::time::timeout(LIMIT, gate.arrived(1)).await.expect("the archiver commits");
    let heir = world.archiver();
    heir.ready().await;
    world.send(events(world, "meanwhile", 4, 40)).await;
    // The zombie may still have some of the partitions, where nothing moves while it hangs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    gate.open();
    world.settle_and_check().await;

    world.send(events(world, "after", 4, 40)).await;
    world.settle_and_check().await;
    zombie.stop().await;
    world.send(events(world, "heir", 4, 20)).await;
    world.settle_and_check().await;
    heir.stop().await;
    world.check().await;
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
