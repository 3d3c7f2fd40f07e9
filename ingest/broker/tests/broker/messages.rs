//! Producing and consuming: sizes, headers, compression, offsets, restarts, deletion.

use std::collections::BTreeMap;

use futures::future::join_all;
use holdfast_broker::{BrokerError, EmbeddedBroker, Settings, SpoolKey};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{FutureProducer, FutureRecord, Producer as _},
};

use crate::client::{
    WAIT, assert_quiet, collect, config, consumer, create_topic, headers, key, producer, start, watermarks,
};

const TOPIC: &str = "holdfast.events";

/// Sizes from 0 to 4 MiB, most of them as large as an event.
fn size(number: usize) -> usize {
    match number {
        n if n % 1_000 == 7 => 4 << 20,
        n if n % 200 == 3 => 300_000,
        n if n % 50 == 1 => 0,
        n => 100 + n % 400,
    }
}

fn value(number: usize) -> Vec<u8> {
    let mut value = format!("{number:08}").into_bytes();
    value.resize(size(number), (number % 251) as u8);
    value
}

async fn send(producer: &FutureProducer, topic: &str, numbers: std::ops::Range<usize>) -> Vec<(i32, i64)> {
    let mut positions = Vec::new();
    for start in numbers.clone().step_by(1_000) {
        let deliveries = (start..numbers.end.min(start + 1_000)).map(|number| async move {
            let (key, value) = (format!("session-{}", number % 97), value(number));
            let record = FutureRecord::to(topic)
                .key(&key)
                .payload(&value)
                .timestamp(1_700_000_000_000 + number as i64)
                .headers(OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(&number.to_string()) }));
            let delivery = producer.send(record, WAIT).await.unwrap();
            (delivery.partition, delivery.offset)
        });
        positions.extend(join_all(deliveries).await);
    }
    positions
}

fn check(messages: &[OwnedMessage], expected: std::ops::Range<usize>) {
    let mut seen = BTreeMap::new();
    for message in messages {
        let number: usize = String::from_utf8(headers(message)["ce_id"].clone()).unwrap().parse().unwrap();
        assert_eq!(message.key().unwrap(), format!("session-{}", number % 97).as_bytes());
        assert_eq!(message.payload().unwrap_or_default(), value(number), "value of {number}");
        assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_000 + number as i64));
        *seen.entry(number).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), expected.len());
    assert!(seen.iter().map(|(&number, _)| number).eq(expected));
    assert!(seen.values().all(|&times| times == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_messages_once_each_and_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 3).await;
    let first = producer(&servers);
    let positions = send(&first, TOPIC, 0..5_000).await;
    let mut ends = [0; 3];
    for (partition, offset) in positions {
        ends[partition as usize] = ends[partition as usize].max(offset + 1);
    }
    assert_eq!(ends.iter().sum::<i64>(), 5_000, "offsets are dense");

    let group = consumer(&servers, "archiver");
    group.subscribe(&[TOPIC]).unwrap();
    let messages = collect(&group, 5_000);
    check(&messages, 0..5_000);
    assert_quiet(&group);
    for (partition, end) in ends.into_iter().enumerate() {
        assert_eq!(watermarks(&group, TOPIC, partition as i32), (0, end));
    }
    group.commit_consumer_state(CommitMode::Sync).unwrap();
    drop((group, first));
    broker.stop().await.unwrap();

    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    let second = producer(&servers);
    send(&second, TOPIC, 5_000..6_000).await;
    let group = consumer(&servers, "archiver");
    group.subscribe(&[TOPIC]).unwrap();
    check(&collect(&group, 1_000), 5_000..6_000);
    assert_quiet(&group);

    let all = consumer(&servers, "another");
    all.subscribe(&[TOPIC]).unwrap();
    check(&collect(&all, 6_000), 0..6_000);
    drop((group, all, second));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_starts_anywhere_inside_a_batch() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 1).await;
    let producer = producer(&servers);
    send(&producer, TOPIC, 0..900).await;

    let consumer = consumer(&servers, "seeker");
    for from in [0, 1, 449, 898, 899] {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, 0, Offset::Offset(from)).unwrap();
        consumer.assign(&assignment).unwrap();
        let messages = collect(&consumer, 900 - from as usize);
        assert_eq!(messages[0].offset(), from);
        check(&messages, from as usize..900);
    }

    // A search by time never returns an offset behind the record.
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(TOPIC, 0, Offset::Offset(1_700_000_000_000 + 450)).unwrap();
    let found = consumer.offsets_for_times(wanted, WAIT).unwrap();
    let Offset::Offset(offset) = found.elements()[0].offset() else { panic!("{found:?}") };
    assert!((0..=450).contains(&offset), "{offset}");

    // An offset beyond the end is out of range, and the client applies its auto.offset.reset.
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, 0, Offset::Offset(5_000)).unwrap();
    consumer.assign(&assignment).unwrap();
    assert_eq!(collect(&consumer, 900).len(), 900);

    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset(TOPIC, 0, Offset::Offset(321)).unwrap();
    consumer.commit(&commit, CommitMode::Sync).unwrap();
    let committed = consumer.committed_offsets(commit, WAIT).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(321));
    drop((consumer, producer));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_compression_is_returned_as_produced() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    for (index, compression) in ["none", "gzip", "lz4", "snappy", "zstd"].into_iter().enumerate() {
        let topic = format!("compressed.{index}");
        create_topic(&servers, &topic, 1).await;
        let producer: FutureProducer = config(&servers)
            .set("enable.idempotence", "true")
            .set("compression.type", compression)
            .set("linger.ms", "50")
            .create()
            .unwrap();
        send(&producer, &topic, 10..150).await;
        let consumer = consumer(&servers, "compressed");
        consumer.subscribe(&[&topic]).unwrap();
        check(&collect(&consumer, 140), 10..150);
    }
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_below_an_offset_can_be_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 1).await;
    let producer = producer(&servers);
    send(&producer, TOPIC, 10..310).await;
    let admin: AdminClient<DefaultClientContext> = config(&servers).create().unwrap();
    let reader = consumer(&servers, "reader");
    let from_offset = |from: i64| {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(TOPIC, 0, Offset::Offset(from)).unwrap();
        assignment
    };

    admin.delete_records(&from_offset(120), &AdminOptions::new()).await.unwrap();
    assert_eq!(watermarks(&reader, TOPIC, 0), (120, 300));
    reader.assign(&from_offset(0)).unwrap();
    let messages = collect(&reader, 180);
    assert_eq!((messages[0].offset(), messages.len()), (120, 180));

    admin.delete_records(&from_offset(300), &AdminOptions::new()).await.unwrap();
    assert_eq!(watermarks(&reader, TOPIC, 0), (300, 300));
    send(&producer, TOPIC, 310..320).await;
    assert_eq!(watermarks(&reader, TOPIC, 0), (300, 310));
    drop((reader, producer, admin));
    broker.stop().await.unwrap();

    let broker = start(directory.path()).await;
    let reader = consumer(&broker.address().to_string(), "reader");
    assert_eq!(watermarks(&reader, TOPIC, 0), (300, 310));
    drop(reader);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsupported_requests_are_rejected_and_the_broker_keeps_running() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 1).await;

    let admin: AdminClient<DefaultClientContext> = config(&servers).create().unwrap();
    let topic = NewTopic::new(TOPIC, 1, TopicReplication::Fixed(1));
    let results = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(results, [Err((TOPIC.to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);

    let transactional: FutureProducer =
        config(&servers).set("transactional.id", "t").set("transaction.timeout.ms", "5000").create().unwrap();
    assert!(matches!(transactional.init_transactions(WAIT), Err(KafkaError::Transaction(_))));

    let unassignable: BaseConsumer = consumer(&servers, "unassignable");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, 9, Offset::Offset(0)).unwrap();
    assignment.add_partition_offset("no.such.topic", 0, Offset::Offset(0)).unwrap();
    unassignable.assign(&assignment).unwrap();
    let _ = unassignable.poll(std::time::Duration::from_secs(2));

    // Not the Kafka protocol.
    let mut raw = tokio::net::TcpStream::connect(broker.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut raw, b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut response = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut raw, &mut response).await;
    assert!(response.is_empty());

    let producer = producer(&servers);
    send(&producer, TOPIC, 10..20).await;
    let consumer = consumer(&servers, "good");
    consumer.subscribe(&[TOPIC]).unwrap();
    check(&collect(&consumer, 10), 10..20);
    drop((consumer, producer, unassignable, transactional, admin));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_the_key_and_the_address_are_checked_at_the_start() {
    let parent = tempfile::tempdir().unwrap();
    // A name that is escaped in a URL.
    let directory = parent.path().join("Büro & 100 % #1");
    let broker = start(&directory).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 1).await;
    let settings = |key| Settings { directory: directory.clone(), listen: ([127, 0, 0, 1], 0).into(), key };

    let error = EmbeddedBroker::start(settings(key())).await.unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    broker.stop().await.unwrap();

    let error = EmbeddedBroker::start(settings(SpoolKey::generate().unwrap())).await.unwrap_err();
    assert!(matches!(error, BrokerError::WrongKey { .. }), "{error}");

    let error =
        EmbeddedBroker::start(Settings { listen: ([0, 0, 0, 0], 0).into(), ..settings(key()) }).await.unwrap_err();
    assert!(matches!(error, BrokerError::NotLoopback { .. }), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = EmbeddedBroker::start(Settings { listen, ..settings(key()) }).await.unwrap_err();
    assert!(matches!(error, BrokerError::Listen { .. }), "{error}");

    let broker = start(&directory).await;
    let consumer = consumer(&broker.address().to_string(), "x");
    assert_eq!(watermarks(&consumer, TOPIC, 0), (0, 0));
    drop(consumer);
    broker.stop().await.unwrap();
}
