//! The producer against librdkafka's mock cluster, in the process of the test.

use super::*;
use crate::kafka::KafkaSettings;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

const TOPIC: &str = "holdfast.events";

fn cluster() -> MockCluster<'static, rdkafka::producer::DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 4, 1).unwrap();
    cluster
}

fn settings(brokers: String) -> KafkaSettings {
    KafkaSettings { brokers, delivery_timeout: Duration::from_secs(3), ..KafkaSettings::default() }
}

fn record<'a>(key: &'a [u8], value: &'a [u8]) -> Record<'a> {
    Record { topic: TOPIC, key, value, headers: &[("ce_id", b"1")] }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_acknowledged_with_their_positions() {
    let cluster = cluster();
    let producer = KafkaProducer::new(&settings(cluster.bootstrap_servers())).unwrap();
    let first = producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap();
    let second = producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap();
    assert_eq!(first.partition, second.partition);
    assert_eq!((first.offset, second.offset), (Some(0), Some(1)));
    producer.flush(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_report_counts_acknowledged_messages_and_their_partitions() {
    let cluster = cluster();
    let producer = KafkaProducer::new(&settings(cluster.bootstrap_servers())).unwrap();
    let bulk = producer.bulk(100);
    for number in 0..5_000u32 {
        bulk.send(record(format!("s{}", number % 50).as_bytes(), &[b'x'; 200])).await.unwrap();
    }
    let report = bulk.finish().await.unwrap();
    assert_eq!(report.acknowledged, 5_000);
    assert_eq!(report.next_offsets.values().sum::<i64>(), 5_000);
    assert_eq!(report.next_offsets.len(), 4);
    assert_eq!(producer.bulk(1).finish().await.unwrap(), BulkReport { acknowledged: 0, next_offsets: BTreeMap::new() });
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_without_a_broker() {
    let producer = KafkaProducer::new(&settings("127.0.0.1:1".to_owned())).unwrap();
    let error = producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap_err();
    assert_eq!(error, PublishError::Unavailable { reason: "kafka_timeout" });
    let bulk = producer.bulk(10);
    bulk.send(record(b"s1", b"{}")).await.unwrap();
    assert_eq!(bulk.finish().await.unwrap_err().reason(), "kafka_timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy_and_a_huge_message_is_too_large() {
    let settings = KafkaSettings { producer_queue_bytes: 1 << 20, ..settings("127.0.0.1:1".to_owned()) };
    let producer = KafkaProducer::new(&settings).unwrap();
    let half = vec![0; 600 << 10];
    let _first = producer.publish(record(b"s1", &half)).unwrap();
    assert_eq!(producer.publish(record(b"s1", &half)).err(), Some(PublishError::Busy));
    let huge = vec![0; 20 << 20];
    assert_eq!(producer.publish(record(b"s1", &huge)).err(), Some(PublishError::TooLarge));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_topic_rejects_is_too_large() {
    let cluster = cluster();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let producer = KafkaProducer::new(&settings(cluster.bootstrap_servers())).unwrap();
    let error = producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap_err();
    assert_eq!(error, PublishError::TooLarge);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_lost_its_sequence_is_replaced() {
    let cluster = cluster();
    let producer = KafkaProducer::new(&settings(cluster.bootstrap_servers())).unwrap();
    producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap();
    producer.client().fatal.store(true, Ordering::Release);
    producer.publish(record(b"s1", b"{}")).unwrap().await.unwrap();
    assert!(!producer.client().fatal.load(Ordering::Acquire));
}
