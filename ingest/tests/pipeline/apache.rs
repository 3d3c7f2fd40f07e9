//! What only Apache Kafka is asked: transactions, and to be killed in the middle of a stream.

use std::time::Duration;

use holdfast_testkit::kafka::clients::TransactionalProducer;
use holdfast_testkit::require;

use crate::conformance::events;
use crate::proof;
use crate::sent::Sent;
use crate::world::{BrokerKind, StoreKind, World};
use holdfast_ingest::kafka::cleanup_policy;

/// Committed transactions are archived, aborted ones are not, and the offsets that their markers take do no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_committed_transactions_are_archived() {
    let world = require!(World::start(BrokerKind::Apache, StoreKind::Folder).await);
    let archiver = world.archiver();
    archiver.ready().await;
    let producer =
        TransactionalProducer::new(&world.kafka.brokers, &format!("{}-producer", world.kafka.group)).await.unwrap();
    let records = |sent: &[Sent]| sent.iter().map(Sent::record).collect::<Vec<_>>();
    for round in 0..4 {
        let committed = events(&world, &format!("committed-{round}"), 4, 15);
        let positions = producer.commit(&records(&committed)).await.unwrap();
        for (position, sent) in positions.into_iter().zip(committed) {
            let place = (sent.topic.clone(), position.partition, position.offset);
            world.expectation().add(Some(place), sent);
        }
        let aborted = events(&world, &format!("aborted-{round}"), 4, 15);
        producer.abort(&records(&aborted)).await.unwrap();
        if round == 1 {
            // The log ends behind a marker, and an archiver begins there.
            world.settle_and_check().await;
        }
    }
    let hanging = events(&world, "hanging", 2, 5);
    let transactional_id = format!("{}-crashed", world.kafka.group);
    let crashed = TransactionalProducer::new(&world.kafka.brokers, &transactional_id).await.unwrap();
    crashed.leave_open(&records(&hanging)).await.unwrap();
    let contents = world.settle_and_check().await;
    assert_eq!(contents.events.len(), 4 * 4 * 15);

    // What is behind an open transaction comes when that has ended, here because its producer's successor appears.
    world.send(events(&world, "behind", 4, 15)).await;
    archiver.stop().await;
    let archiver = world.archiver();
    let _successor = TransactionalProducer::new(&world.kafka.brokers, &transactional_id).await.unwrap();
    world.settle_and_check().await;
    archiver.stop().await;
    world.check().await;
    // Markers and aborted messages have offsets that are not delivered. They are told from losses.
    let report = proof::verify(&world.archive, &world.officer).await;
    let skipped: u64 = report.offsets.values().filter_map(|account| account.skipped.get("transactions")).sum();
    assert!(skipped >= 4 * 4 * 15, "{:#?}", report.offsets);
    assert!(report.offsets.values().all(|account| account.skipped.len() <= 1 && account.missing == 0));
    assert_eq!(cleanup_policy(&world.kafka, world.events()).await.unwrap(), "delete");
}

/// SIGKILL of the broker while events are produced and archived, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing_that_it_acknowledged() {
    let mut world = require!(World::start(BrokerKind::OwnApache, StoreKind::Folder).await);
    let archiver = world.archiver();
    archiver.ready().await;
    for round in 0..2 {
        world.send(events(&world, &format!("before-{round}"), 5, 40)).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        world.restart_broker().await;
        world.send(events(&world, &format!("after-{round}"), 5, 40)).await;
    }
    world.settle_and_check().await;
    assert!(!archiver.has_ended());
    archiver.stop().await;
    world.check().await;
}
