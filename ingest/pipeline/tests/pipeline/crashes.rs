//! A crash after every single write of the archiver to the store: the archiver crashes after each in turn, another one
//! continues, and no event is lost, duplicated or skipped.

use std::time::Duration;

use holdfast_testkit::faults::{Fault, Faults, Operation, Rule, When};
use holdfast_testkit::require;

use crate::fixture::{BrokerKind, Fixture, LIMIT, StoreKind};
use crate::sent::{Outcome, Sent, noise};

/// Enough to need every kind of object: new keys, two data files, a recording, dead letters, both logs.
fn load(fixture: &Fixture, round: usize) -> Vec<Sent> {
    let session = format!("s-{round}");
    let mut sent: Vec<Sent> = (0..6)
        .map(|line| {
            let time = format!("2021-01-{:02}T08:00:00Z", line % 2 + 1);
            let time = if round > 0 { time.replace("2021-01", &month(round)) } else { time };
            Sent::chat_at(fixture.events(), &session, line, &time)
        })
        .collect();
    sent.push(Sent::new(
        fixture.events(),
        format!("not an event {round}"),
        Outcome::DeadLetter { reason: "invalid_json" },
    ));
    sent.push(Sent::chunk(fixture.recordings(), &session, &format!("r-{round}"), 0, noise(round as u64, 2_000)));
    sent
}

/// A month that no other round has, so that each round generates its own keys.
fn month(round: usize) -> String {
    format!("{:04}-{:02}", 2005 + round / 12, round % 12 + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_write_loses_nothing() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let mut crashes = 0;
    for nth in 1.. {
        fixture.send(load(&fixture, nth)).await;
        let faults = Faults::default();
        faults.inject(Rule::new(Fault::CrashAfter).on(Operation::EFFECTS).when(When::Nth(nth as u64)));
        let group = format!("{}-crashing-{nth}", fixture.kafka.group);
        let crashing = fixture.archiver_with(&group, |_| {}, faults.clone());
        let crashed = async {
            while !faults.crashed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let survived = tokio::select! {
            () = crashed => false,
            () = fixture.wait_until_archived() => true,
        };
        // The last write is the commit: after it, everything is archived although the archiver crashed.
        if survived && !faults.crashed() {
            crashing.stop().await;
            break;
        }
        crashes += 1;
        crashing.kill();
        let successor = fixture.archiver_in_new_group();
        fixture.wait_and_check().await;
        tokio::time::timeout(LIMIT, successor.stop()).await.expect("the successor stops");
        assert!(nth < 100, "archiving so few events needs more than 100 writes");
    }
    assert!(crashes >= 10, "there were only {crashes} writes to crash after");
    fixture.check().await;
}
