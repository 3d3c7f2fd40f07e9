//! A crash after every single effect that archiving has on the store: at each of them in turn the archiver dies, another
//! one takes over, and nothing is lost, doubled or skipped.

use std::time::Duration;

use holdfast_testkit::faults::{Fault, Faults, Operation, Rule, When};
use holdfast_testkit::require;

use crate::sent::{Fate, Sent, noise};
use crate::world::{BrokerKind, LIMIT, StoreKind, World};

/// Enough to need every kind of object: new keys, two data files, a recording, dead letters, both logs.
fn load(world: &World, round: usize) -> Vec<Sent> {
    let session = format!("s-{round}");
    let mut sent: Vec<Sent> = (0..6)
        .map(|line| {
            let time = format!("2021-01-{:02}T08:00:00Z", line % 2 + 1);
            let time = if round > 0 { time.replace("2021-01", &month(round)) } else { time };
            Sent::chat_at(world.events(), &session, line, &time)
        })
        .collect();
    sent.push(Sent::new(world.events(), format!("not an event {round}"), Fate::Dead { reason: "invalid_json" }));
    sent.push(Sent::chunk(world.recordings(), &session, &format!("r-{round}"), 0, noise(round as u64, 2_000)));
    sent
}

/// A month that no other round has, so that each round makes its own keys.
fn month(round: usize) -> String {
    format!("{:04}-{:02}", 2005 + round / 12, round % 12 + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_effect_is_survived() {
    let world = require!(World::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let mut crashes = 0;
    for nth in 1.. {
        world.send(load(&world, nth)).await;
        let faults = Faults::default();
        faults.inject(Rule::new(Fault::CrashAfter).on(Operation::EFFECTS).when(When::Nth(nth as u64)));
        let group = format!("{}-doomed-{nth}", world.kafka.group);
        let doomed = world.archiver_with(&group, |_| {}, faults.clone());
        let crashed = async {
            while !faults.crashed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let survived = tokio::select! {
            () = crashed => false,
            () = world.settle() => true,
        };
        // The last effect of all is the commit: after it, everything is there although the archiver died.
        if survived && !faults.crashed() {
            doomed.stop().await;
            break;
        }
        crashes += 1;
        doomed.kill();
        let heir = world.stranger();
        world.settle_and_check().await;
        tokio::time::timeout(LIMIT, heir.stop()).await.expect("the heir stops");
        assert!(nth < 100, "archiving so little has no end");
    }
    assert!(crashes >= 10, "there were only {crashes} effects to crash after");
    world.check().await;
}
