//! Tests of Apache Kafka only: transactions, compaction, a corrupt batch, and a broker that stands still or is killed.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_archive::{Advance, Table};
use holdfast_events::Timestamp;
use holdfast_testkit::kafka::clients::{self, Isolation, TransactionalProducer, alter_topic, produce, read_all};
use holdfast_testkit::require;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use crate::conformance::events;
use crate::fixture::{BrokerKind, Fixture, LIMIT, StoreKind};
use crate::proof;
use crate::sent::Sent;
use holdfast_ingest::archiver::ArchiverError;
use holdfast_ingest::kafka::{cleanup_policy, single_copies};

/// Committed transactions are archived, aborted ones are not. The offsets of their markers are accounted for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_committed_transactions_are_archived() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Folder).await);
    let archiver = fixture.archiver();
    archiver.ready().await;
    let producer =
        TransactionalProducer::new(&fixture.kafka.brokers, &format!("{}-producer", fixture.kafka.group)).await.unwrap();
    let records = |sent: &[Sent]| sent.iter().map(Sent::record).collect::<Vec<_>>();
    for round in 0..4 {
        let committed = events(&fixture, &format!("committed-{round}"), 4, 15);
        let positions = producer.commit(&records(&committed)).await.unwrap();
        for (position, sent) in positions.into_iter().zip(committed) {
            let position = (sent.topic.clone(), position.partition, position.offset);
            fixture.expectation().add(Some(position), sent);
        }
        let aborted = events(&fixture, &format!("aborted-{round}"), 4, 15);
        producer.abort(&records(&aborted)).await.unwrap();
        if round == 1 {
            // The log ends behind a marker, and an archiver starts there.
            fixture.wait_and_check().await;
        }
    }
    let hanging = events(&fixture, "hanging", 2, 5);
    let transactional_id = format!("{}-crashed", fixture.kafka.group);
    let crashed = TransactionalProducer::new(&fixture.kafka.brokers, &transactional_id).await.unwrap();
    crashed.leave_open(&records(&hanging)).await.unwrap();
    let contents = fixture.wait_and_check().await;
    assert_eq!(contents.events.len(), 4 * 4 * 15);

    // Messages behind an open transaction are delivered when it ends, here because its producer is fenced by a
    // successor.
    fixture.send(events(&fixture, "behind", 4, 15)).await;
    archiver.stop().await;
    let archiver = fixture.archiver();
    let _successor = TransactionalProducer::new(&fixture.kafka.brokers, &transactional_id).await.unwrap();
    fixture.wait_and_check().await;
    archiver.stop().await;
    fixture.check().await;
    // Kafka does not deliver the offsets of markers and aborted messages. The report distinguishes them from losses.
    let report = proof::verify(&fixture.archive, &fixture.officer).await;
    let skipped: u64 = report.offsets.values().filter_map(|account| account.skipped.get("transactions")).sum();
    assert!(skipped >= 4 * 4 * 15, "{:#?}", report.offsets);
    assert!(report.offsets.values().all(|account| account.skipped.len() <= 1 && account.missing == 0));
    assert_eq!(cleanup_policy(&fixture.kafka, fixture.events()).await.unwrap(), "delete");
}

/// The topic is compacted: messages that Kafka removed before they were read are distinguished from losses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_left_by_compaction_are_archived_and_removed_ones_are_accounted_for() {
    const SETTINGS: [(&str, &str); 4] = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("max.compaction.lag.ms", "100"),
    ];
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    alter_topic(&fixture.kafka.brokers, fixture.events(), &SETTINGS).await.unwrap();
    let mut sent = BTreeMap::new();
    // A message that arrives after segment.ms starts a new segment, and only messages before it are compacted.
    for round in 0.. {
        assert!(round < 300, "nothing was compacted");
        let messages = events(&fixture, &format!("round-{}", round % 2), 4, 10);
        let records: Vec<_> = messages.iter().map(Sent::record).collect();
        let positions = produce(&fixture.kafka.brokers, &records).await.unwrap();
        sent.extend(positions.into_iter().map(|position| (position.partition, position.offset)).zip(messages));
        tokio::time::sleep(Duration::from_millis(200)).await;
        let remaining = read_all(&fixture.kafka.brokers, fixture.events(), Isolation::Committed).await.unwrap();
        if remaining.len() * 2 < sent.len() {
            break;
        }
    }
    // From here on Kafka compacts no more while the archiver reads.
    alter_topic(
        &fixture.kafka.brokers,
        fixture.events(),
        &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "3600000")],
    )
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let remaining = read_all(&fixture.kafka.brokers, fixture.events(), Isolation::Committed).await.unwrap();
    for message in &remaining {
        let (partition, offset) = (message.position.partition, message.position.offset);
        let sent = sent[&(partition, offset)].clone();
        fixture.expectation().add(Some((sent.topic.clone(), partition, offset)), sent);
    }
    let archiver = fixture.archiver();
    let contents = fixture.wait_and_check().await;
    archiver.stop().await;
    assert_eq!(contents.events.len(), remaining.len());
    let report = proof::verify(&fixture.archive, &fixture.officer).await;
    let compacted: u64 = report.offsets.values().filter_map(|account| account.skipped.get("compaction")).sum();
    assert_eq!(compacted, (sent.len() - remaining.len()) as u64, "{:#?}", report.offsets);
    assert!(report.offsets.values().all(|account| account.skipped.len() <= 1 && account.missing == 0));
}

/// SIGKILL of the broker while events are produced and archived, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_no_acknowledged_event() {
    let mut fixture = require!(Fixture::start(BrokerKind::OwnApache, StoreKind::Folder).await);
    let archiver = fixture.archiver();
    archiver.ready().await;
    for round in 0..2 {
        fixture.send(events(&fixture, &format!("before-{round}"), 5, 40)).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        fixture.restart_broker().await;
        fixture.send(events(&fixture, &format!("after-{round}"), 5, 40)).await;
    }
    fixture.wait_and_check().await;
    assert!(!archiver.has_ended());
    archiver.stop().await;
    fixture.check().await;
}

/// Kafka deletes everything, also the marker behind the last archived message. Nothing was lost, so the archiver goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_transaction_markers_are_no_lost_messages() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    let producer =
        TransactionalProducer::new(&fixture.kafka.brokers, &format!("{}-markers", fixture.kafka.group)).await.unwrap();
    let send = async |name: &str, is_committed: bool| {
        let sent = events(&fixture, name, 4, 10);
        let records: Vec<_> = sent.iter().map(Sent::record).collect();
        if !is_committed {
            producer.abort(&records).await.unwrap();
            return;
        }
        for (position, sent) in producer.commit(&records).await.unwrap().into_iter().zip(sent) {
            let position = (sent.topic.clone(), position.partition, position.offset);
            fixture.expectation().add(Some(position), sent);
        }
    };
    let archiver = fixture.archiver();
    archiver.ready().await;
    send("first", true).await;
    fixture.wait_until_archived().await;
    // Without another message behind them, the markers of both transactions are passed. Kafka writes them after it has
    // answered the producer.
    send("aborted", false).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = fixture.archive.table(Table::Events);
    let deadline = tokio::time::Instant::now() + LIMIT;
    let ends = loop {
        let (ends, archived) = (fixture.watermarks().await, log.offsets().await.unwrap());
        if ends.iter().all(|(partition, (_, end))| *end == 0 || archived.get(partition) == Some(end)) {
            break ends;
        }
        assert!(tokio::time::Instant::now() < deadline, "{archived:?} of {ends:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    archiver.stop().await;

    let admin: AdminClient<DefaultClientContext> = clients::config(&fixture.kafka.brokers).create().unwrap();
    let mut list = TopicPartitionList::new();
    for ((topic, partition), (_, end)) in ends.iter().filter(|(_, (_, end))| *end > 0) {
        list.add_partition_offset(topic, *partition, Offset::Offset(*end)).unwrap();
    }
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
    let archiver = fixture.archiver_in_new_group();
    archiver.ready().await;
    send("second", true).await;
    fixture.wait_and_check().await;
    archiver.stop().await;
}

/// The archiver died between the commit of a transaction's messages and that of the marker behind them, and Kafka deletes
/// both. What was there cannot be known, so it is an error with all that is known, and nothing is skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_marker_that_was_not_passed_is_an_error() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    let producer =
        TransactionalProducer::new(&fixture.kafka.brokers, &format!("{}-lost", fixture.kafka.group)).await.unwrap();
    let records: Vec<_> = events(&fixture, "one", 1, 1).iter().map(Sent::record).collect();
    let position = producer.commit(&records).await.unwrap().remove(0);
    let (next, place) = (position.offset + 1, (fixture.events().to_owned(), position.partition));
    let deadline = tokio::time::Instant::now() + LIMIT;
    // Kafka writes the marker after it has answered the producer.
    let end = loop {
        let end = fixture.watermarks().await[&place].1;
        if end > next {
            break end;
        }
        assert!(tokio::time::Instant::now() < deadline, "no marker behind {next}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let log = fixture.archive.table(Table::Events);
    let advance = Advance { topic: place.0.clone(), partition: place.1, expected: None, next };
    log.commit(&[], &[advance], "before the crash", Timestamp(0)).await.unwrap();
    let admin: AdminClient<DefaultClientContext> = clients::config(&fixture.kafka.brokers).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&place.0, place.1, Offset::Offset(end)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();

    let mut archiver = fixture.archiver();
    let failure = archiver.failure().await;
    assert!(
        matches!(&failure, ArchiverError::OffsetLost { offset, first, end: last, .. }
            if (*offset, *first, *last) == (next, end, end)),
        "{failure}"
    );
    assert_eq!(log.offsets().await.unwrap()[&place], next);
}

/// The topics of the tests have one replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_whose_acknowledgement_is_worth_one_disk_are_named() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    let found = single_copies(&fixture.kafka).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    for (found, topic) in found.iter().zip([fixture.events(), fixture.recordings()]) {
        assert!(found.contains(topic) && found.contains("one replica"), "{found}");
    }
}

/// A batch whose bytes have changed on the broker's disk is not skipped: the archiver ends. When the batch is whole again,
/// it archives all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_batch_is_not_skipped() {
    let mut fixture = require!(Fixture::start(BrokerKind::OwnApache, StoreKind::Memory).await);
    // One session is one partition, and one call a batch.
    for line in 0..3 {
        let sent = Sent::chat(fixture.events(), "s-corrupt", line);
        fixture.send(vec![sent]).await;
    }
    let log =
        log_with(&fixture.own_kafka().folder().join("data"), b"line 1 of s-corrupt").expect("Kafka has stored it");
    flip(&log.0, log.1);
    let mut archiver = fixture.archiver();
    let failure = archiver.failure().await;
    assert!(matches!(failure, ArchiverError::UnreadableBatch { .. }), "{failure}");
    assert!(fixture.rows().await <= 1, "nothing behind the batch is archived");

    flip(&log.0, log.1);
    let archiver = fixture.archiver();
    let contents = fixture.wait_and_check().await;
    assert_eq!(contents.events.len(), 3);
    archiver.stop().await;
}

/// The log of a partition below `folder` with these bytes, and where they are.
fn log_with(folder: &Path, bytes: &[u8]) -> Option<(PathBuf, u64)> {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = log_with(&path, bytes) {
                return Some(found);
            }
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let content = std::fs::read(&path).unwrap();
            if let Some(at) = content.windows(bytes.len()).position(|window| window == bytes) {
                return Some((path, at as u64));
            }
        }
    }
    None
}

/// Inverts one byte.
fn flip(path: &Path, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

/// The broker stands still, for less and for more than the session timeout. Afterwards everything goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archiver_goes_on_after_stalls_of_the_broker() {
    let mut fixture = require!(Fixture::start(BrokerKind::OwnApache, StoreKind::Memory).await);
    let archiver = fixture.archiver();
    archiver.ready().await;
    for seconds in [1, 10, 25] {
        fixture.send(events(&fixture, &format!("before-{seconds}"), 4, 10)).await;
        fixture.own_kafka().pause();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        fixture.own_kafka().resume();
        fixture.send(events(&fixture, &format!("after-{seconds}"), 4, 10)).await;
        fixture.wait_and_check().await;
        assert!(!archiver.has_ended());
    }
    archiver.ready().await;
    archiver.stop().await;
}
