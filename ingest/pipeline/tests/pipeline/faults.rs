//! Stores that fail, lie, dawdle and fill up while the archiver works.

use std::time::Duration;

use holdfast_testkit::faults::{Failure, Fault, Faults, Operation, Rule, When};

use crate::sent::{Fate, Sent, noise};
use crate::world::{Running, World};

/// Where a put can go wrong: a name, and what the paths have in common.
const PLACES: [(&str, &[&str]); 7] = [
    ("a data file", &["tables/events/class"]),
    ("dead letters", &["tables/dead_letters/class"]),
    ("the commit of events", &["tables/events/_delta_log/"]),
    ("the commit of dead letters", &["tables/dead_letters/_delta_log/"]),
    ("a key's private half", &["keys/", ".age"]),
    ("a key's public half", &["keys/", ".pub"]),
    ("a recording", &["recordings/"]),
];

/// A little of everything, dated in a month of its own, so that new keys are needed as well.
fn a_little_of_everything(world: &World, round: usize) -> Vec<Sent> {
    let time = format!("{:04}-{:02}-15T08:00:00Z", 2010 + round / 12, round % 12 + 1);
    let session = format!("s-{round}");
    let mut sent: Vec<Sent> =
        (0..20).map(|line| Sent::chat_at(world.events(), &format!("{session}-{}", line % 4), line, &time)).collect();
    sent.push(Sent::new(world.events(), format!("not an event {round}"), Fate::Dead { reason: "invalid_json" }));
    for seq in 0..3 {
        sent.push(Sent::chunk(world.recordings(), &session, &format!("r-{round}"), seq, noise(round as u64, 3_000)));
    }
    sent
}

fn rule(fault: Fault, parts: &'static [&'static str]) -> Rule {
    Rule::new(fault).on(Operation::WRITES).path(|path| parts.iter().all(|part| path.contains(part)))
}

/// At every place, one after the other: the fault meets the first two calls, and everything is archived all the same.
async fn at_every_place(world: &World, archiver: &Running, fault: &Fault, first_round: usize) {
    for (round, (name, parts)) in PLACES.into_iter().enumerate() {
        let injected = archiver.faults.inject(rule(fault.clone(), parts).when(When::First(2)));
        world.send(a_little_of_everything(world, first_round + round)).await;
        world.settle().await;
        assert!(archiver.faults.fired(injected) > 0, "no call for {name} met the fault");
        archiver.faults.remove(injected);
        assert!(!archiver.has_ended(), "{fault:?} of {name} ended the archiver");
    }
    world.check().await;
}

async fn running(world: &World) -> Running {
    let archiver = world.archiver();
    archiver.ready().await;
    archiver
}

/// Puts that were not done.
pub(crate) async fn failed_puts_are_tried_again(world: &World) {
    let archiver = running(world).await;
    at_every_place(world, &archiver, &Fault::FailBefore(Failure::Transient), 0).await;
    at_every_place(world, &archiver, &Fault::FailBefore(Failure::NoSpace), PLACES.len()).await;
    archiver.stop().await;
    world.check().await;
}

/// Puts that were done, with an error as the answer.
pub(crate) async fn lost_answers_do_no_harm(world: &World) {
    let archiver = running(world).await;
    at_every_place(world, &archiver, &Fault::FailAfter(Failure::Transient), 0).await;
    // And all over the place, reads and listings too.
    for (round, fault) in
        [Fault::FailBefore(Failure::Transient), Fault::FailAfter(Failure::Transient)].iter().enumerate()
    {
        let injected =
            archiver.faults.inject(Rule::new(fault.clone()).when(When::Percent { percent: 7, seed: 7 + round as u64 }));
        for part in 0..2 {
            world.send(a_little_of_everything(world, 20 + round * 2 + part)).await;
            world.settle().await;
        }
        assert!(archiver.faults.fired(injected) > 1, "{fault:?}");
        archiver.faults.remove(injected);
    }
    archiver.stop().await;
    world.check().await;
}

/// Puts that take longer than the flush interval.
pub(crate) async fn slow_puts_are_waited_for(world: &World) {
    let archiver = running(world).await;
    at_every_place(world, &archiver, &Fault::Delay(Duration::from_millis(800)), 0).await;
    archiver.stop().await;
    world.check().await;
}

/// While nothing can be written, nothing is lost and the archiver lives on; when there is space again, all of it comes.
pub(crate) async fn a_full_disk_is_waited_for(world: &World) {
    let faults = Faults::default();
    let archiver = world.archiver_with(&world.kafka.group, |_| {}, faults.clone());
    archiver.ready().await;
    world.send(a_little_of_everything(world, 0)).await;
    world.settle().await;
    let before = world.rows().await;

    faults.fill_disk();
    // More than the queues between the archiver's parts hold, so that it has to pause.
    for round in 1..12 {
        world.send(a_little_of_everything(world, round)).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(world.rows().await, before, "there is no space");
    assert!(!archiver.has_ended(), "a full disk is waited for");
    assert!(faults.injected_on(Operation::Put) > 0);

    faults.free_disk();
    world.settle_and_check().await;
    archiver.stop().await;
    world.check().await;
}
