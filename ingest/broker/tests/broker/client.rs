//! A broker in a temporary directory, and librdkafka clients with the settings of Holdfast's clients.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use holdfast_broker::{EmbeddedBroker, Settings, SpoolKey};
use rdkafka::{
    ClientConfig, Message as _,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    message::{Headers as _, OwnedMessage},
    producer::FutureProducer,
};

pub(crate) const WAIT: Duration = Duration::from_secs(30);

pub(crate) fn key() -> SpoolKey {
    SpoolKey::from_bytes([42; 32])
}

pub(crate) async fn start(directory: &Path) -> EmbeddedBroker {
    start_at(directory, 0).await
}

pub(crate) async fn start_at(directory: &Path, port: u16) -> EmbeddedBroker {
    EmbeddedBroker::start(Settings {
        directory: directory.to_owned(),
        listen: ([127, 0, 0, 1], port).into(),
        key: key(),
    })
    .await
    .unwrap()
}

pub(crate) fn config(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", servers)
        .set("message.max.bytes", "16777216")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.nagle.disable", "true");
    config
}

pub(crate) fn producer(servers: &str) -> FutureProducer {
    config(servers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("message.timeout.ms", "120000")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .unwrap()
}

pub(crate) fn consumer(servers: &str, group: &str) -> BaseConsumer {
    config(servers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500")
        .set("check.crcs", "true")
        .set("fetch.message.max.bytes", "8388608")
        .create()
        .unwrap()
}

pub(crate) async fn create_topic(servers: &str, name: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config(servers).create().unwrap();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let results = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(results, [Ok(name.to_owned())]);
}

/// Polls until `wanted` messages have arrived, or none has arrived for [`WAIT`].
pub(crate) fn collect(consumer: &BaseConsumer, wanted: usize) -> Vec<OwnedMessage> {
    let mut messages = Vec::new();
    let mut last = Instant::now();
    while messages.len() < wanted && last.elapsed() < WAIT {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                messages.push(message.detach());
                last = Instant::now();
            }
            Some(Err(error)) => eprintln_error(&error),
            None => {}
        }
    }
    messages
}

/// Prints transient errors (a broker that restarts), for a test that fails later.
#[allow(clippy::print_stderr)]
fn eprintln_error(error: &rdkafka::error::KafkaError) {
    eprintln!("consumer: {error}");
}

/// Asserts that no message arrives for a moment.
pub(crate) fn assert_quiet(consumer: &BaseConsumer) {
    let end = Instant::now() + Duration::from_millis(700);
    while Instant::now() < end {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
            panic!("one more message, at {}/{}", message.partition(), message.offset());
        }
    }
}

pub(crate) fn headers(message: &OwnedMessage) -> HashMap<String, Vec<u8>> {
    message
        .headers()
        .map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
        })
        .unwrap_or_default()
}

/// Watermarks (first, one past the last) of a partition.
pub(crate) fn watermarks(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    consumer.fetch_watermarks(topic, partition, WAIT).unwrap()
}
