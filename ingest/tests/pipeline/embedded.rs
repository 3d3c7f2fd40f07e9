//! What only the embedded broker is asked: to be stopped and started again under a running archiver.

use std::time::Duration;

use holdfast_testkit::require;

use crate::conformance::events;
use crate::world::{BrokerKind, StoreKind, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archiver_outlives_its_broker() {
    let mut world = require!(World::start(BrokerKind::Embedded, StoreKind::Folder).await);
    let archiver = world.archiver();
    for round in 0..3 {
        world.send(events(&world, &format!("round-{round}"), 5, 40)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.restart_broker().await;
    }
    world.send(events(&world, "last", 5, 40)).await;
    world.settle_and_check().await;
    archiver.stop().await;
    world.check().await;
}
