//! Stores that fail, report false errors, are slow, and fill up while the archiver runs.

use std::time::Duration;

use holdfast_testkit::faults::{Failure, Fault, Faults, Operation, Rule, When};

use crate::fixture::{Fixture, RunningArchiver};
use crate::sent::{Outcome, Sent, noise};

/// The writes that can fail: a name, and parts of their paths.
const WRITES: [(&str, &[&str]); 7] = [
    ("a data file", &["tables/events/class"]),
    ("dead letters", &["tables/dead_letters/class"]),
    ("the commit of events", &["tables/events/_delta_log/"]),
    ("the commit of dead letters", &["tables/dead_letters/_delta_log/"]),
    ("a private key", &["keys/", ".age"]),
    ("a public key", &["keys/", ".pub"]),
    ("a recording", &["recordings/"]),
];

/// A few messages of each kind, dated in a month of their own, so that new keys are needed as well.
fn a_few_of_each_kind(fixture: &Fixture, round: usize) -> Vec<Sent> {
    let time = format!("{:04}-{:02}-15T08:00:00Z", 2010 + round / 12, round % 12 + 1);
    let session = format!("s-{round}");
    let mut sent: Vec<Sent> =
        (0..20).map(|line| Sent::chat_at(fixture.events(), &format!("{session}-{}", line % 4), line, &time)).collect();
    sent.push(Sent::new(
        fixture.events(),
        format!("not an event {round}"),
        Outcome::DeadLetter { reason: "invalid_json" },
    ));
    for seq in 0..3 {
        sent.push(Sent::chunk(fixture.recordings(), &session, &format!("r-{round}"), seq, noise(round as u64, 3_000)));
    }
    sent
}

fn rule(fault: Fault, parts: &'static [&'static str]) -> Rule {
    Rule::new(fault).on(Operation::WRITES).path(|path| parts.iter().all(|part| path.contains(part)))
}

/// For every write in turn: the fault affects the first two calls, and everything is archived nevertheless.
async fn at_every_write(fixture: &Fixture, archiver: &RunningArchiver, fault: &Fault, first_round: usize) {
    for (round, (name, parts)) in WRITES.into_iter().enumerate() {
        let injected = archiver.faults.inject(rule(fault.clone(), parts).when(When::First(2)));
        fixture.send(a_few_of_each_kind(fixture, first_round + round)).await;
        fixture.wait_until_archived().await;
        assert!(archiver.faults.fired(injected) > 0, "the fault affected no call for {name}");
        archiver.faults.remove(injected);
        assert!(!archiver.has_ended(), "{fault:?} of {name} ended the archiver");
    }
    fixture.check().await;
}

async fn running(fixture: &Fixture) -> RunningArchiver {
    let archiver = fixture.archiver();
    archiver.ready().await;
    archiver
}

/// Puts that fail without effect.
pub(crate) async fn failed_puts_are_retried(fixture: &Fixture) {
    let archiver = running(fixture).await;
    at_every_write(fixture, &archiver, &Fault::FailBefore(Failure::Transient), 0).await;
    at_every_write(fixture, &archiver, &Fault::FailBefore(Failure::NoSpace), WRITES.len()).await;
    archiver.stop().await;
    fixture.check().await;
}

/// Puts that succeed and report an error.
pub(crate) async fn successful_puts_that_report_an_error_are_recognised(fixture: &Fixture) {
    let archiver = running(fixture).await;
    at_every_write(fixture, &archiver, &Fault::FailAfter(Failure::Transient), 0).await;
    // And for random calls, reads and listings included.
    for (round, fault) in
        [Fault::FailBefore(Failure::Transient), Fault::FailAfter(Failure::Transient)].iter().enumerate()
    {
        let injected =
            archiver.faults.inject(Rule::new(fault.clone()).when(When::Percent { percent: 7, seed: 7 + round as u64 }));
        for part in 0..2 {
            fixture.send(a_few_of_each_kind(fixture, 20 + round * 2 + part)).await;
            fixture.wait_until_archived().await;
        }
        assert!(archiver.faults.fired(injected) > 1, "{fault:?}");
        archiver.faults.remove(injected);
    }
    archiver.stop().await;
    fixture.check().await;
}

/// Puts that take longer than the flush interval.
pub(crate) async fn the_archiver_waits_for_slow_puts(fixture: &Fixture) {
    let archiver = running(fixture).await;
    at_every_write(fixture, &archiver, &Fault::Delay(Duration::from_millis(800)), 0).await;
    archiver.stop().await;
    fixture.check().await;
}

/// While the disk is full, no event is lost and the archiver keeps running. When there is space again, it archives all
/// events.
pub(crate) async fn the_archiver_waits_while_the_disk_is_full(fixture: &Fixture) {
    let faults = Faults::default();
    let archiver = fixture.archiver_with(&fixture.kafka.group, |_| {}, faults.clone());
    archiver.ready().await;
    fixture.send(a_few_of_each_kind(fixture, 0)).await;
    fixture.wait_until_archived().await;
    let before = fixture.rows().await;

    faults.fill_disk();
    // More than the queues between the archiver's parts hold, so that it has to pause.
    for round in 1..12 {
        fixture.send(a_few_of_each_kind(fixture, round)).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(fixture.rows().await, before, "there is no space");
    assert!(!archiver.has_ended(), "a full disk does not end the archiver");
    assert!(faults.injected_on(Operation::Put) > 0);

    faults.free_disk();
    fixture.wait_and_check().await;
    archiver.stop().await;
    fixture.check().await;
}
