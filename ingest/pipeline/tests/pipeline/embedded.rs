//! What only the embedded broker is asked: to be stopped and started again under a running archiver, and to forget what
//! is archived.

use std::time::Duration;

use holdfast_archive::Table;
use holdfast_ingest::kafka::trim_archived;
use holdfast_testkit::require;
use tokio_util::sync::CancellationToken;

use crate::conformance::events;
use crate::world::{BrokerKind, LIMIT, StoreKind, World};

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

/// What is archived is deleted from the broker, and nothing else: archivers that come later go on where they should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_forgets_what_is_archived() {
    let mut world = require!(World::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let stopping = CancellationToken::new();
    let (kafka, log, stop) = (world.kafka.clone(), world.archive.table(Table::Events), stopping.clone());
    let trimming =
        tokio::spawn(async move { trim_archived(&kafka, &log, Duration::from_millis(150), &stop).await.unwrap() });
    for round in 0..6 {
        world.send(events(&world, &format!("round-{round}"), 5, 30)).await;
        let archiver = world.stranger();
        archiver.ready().await;
        world.send(events(&world, &format!("more-{round}"), 5, 30)).await;
        if round % 2 == 0 {
            world.settle().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            archiver.stop().await;
        } else {
            archiver.kill();
        }
        if round == 3 {
            world.restart_broker().await;
        }
    }
    let archiver = world.stranger();
    world.settle_and_check().await;
    let deadline = tokio::time::Instant::now() + LIMIT;
    while world.kept().await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "the broker keeps {} records", world.kept().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    archiver.stop().await;
    // With nothing left in the broker there is still a place to go on from.
    let archiver = world.stranger();
    archiver.ready().await;
    world.send(events(&world, "after", 5, 30)).await;
    world.settle_and_check().await;
    archiver.stop().await;
    stopping.cancel();
    trimming.await.unwrap();
}
