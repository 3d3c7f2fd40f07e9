//! What only Apache Kafka is asked: transactions, and to be killed in the middle of a stream.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_testkit::kafka::clients::{Isolation, TransactionalProducer, alter_topic, produce, read_all};
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

/// Somebody has the topic compacted: what Kafka has thrown away before it was read is told from what was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_compaction_left_is_archived_and_the_rest_is_accounted_for() {
    const SETTINGS: [(&str, &str); 4] = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    let world = require!(World::start(BrokerKind::Apache, StoreKind::Memory).await);
    alter_topic(&world.kafka.brokers, world.events(), &SETTINGS).await.unwrap();
    let mut sent = BTreeMap::new();
    // A message that comes when its time is up begins a new segment, and only those before it are compacted.
    for round in 0.. {
        assert!(round < 300, "nothing was compacted");
        let messages = events(&world, &format!("round-{}", round % 2), 4, 10);
        let records: Vec<_> = messages.iter().map(Sent::record).collect();
        let positions = produce(&world.kafka.brokers, &records).await.unwrap();
        sent.extend(positions.into_iter().map(|place| (place.partition, place.offset)).zip(messages));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let left = read_all(&world.kafka.brokers, world.events(), Isolation::Committed).await.unwrap();
        if left.len() * 2 < sent.len() {
            break;
        }
    }
    // From here on nothing more is thrown away while it is read.
    alter_topic(
        &world.kafka.brokers,
        world.events(),
        &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")],
    )
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = read_all(&world.kafka.brokers, world.events(), Isolation::Committed).await.unwrap();
    for message in &left {
        let place = (message.position.partition, message.position.offset);
        let sent = sent[&place].clone();
        world.expectation().add(Some((sent.topic.clone(), place.0, place.1)), sent);
    }
    let archiver = world.archiver();
    let contents = world.settle_and_check().await;
    archiver.stop().await;
    assert_eq!(contents.events.len(), left.len());
    let report = proof::verify(&world.archive, &world.officer).await;
    let thrown_away: u64 = report.offsets.values().filter_map(|account| account.skipped.get("compaction")).sum();
    assert_eq!(thrown_away, (sent.len() - left.len()) as u64, "{:#?}", report.offsets);
    assert!(report.offsets.values().all(|account| account.skipped.len() <= 1 && account.missing == 0));
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
