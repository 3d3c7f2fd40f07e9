//! The operations of a test on a Kafka, real or embedded: create topics, produce and read records, and commit, abort or leave open
//! transactions. All of them use librdkafka, the client of Holdfast itself.

use std::time::Duration;

use futures::future::join_all;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Error;

/// The timeout of a call, which allows for a server that was just restarted.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// A record to produce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    topic: String,
    partition: Option<i32>,
    key: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
    payload: Option<Vec<u8>>,
}

impl Record {
    /// A record with a value, without key or headers.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), partition: None, key: None, headers: Vec::new(), payload: Some(payload.into()) }
    }

    /// A record with a key and no value.
    #[must_use]
    pub fn tombstone(topic: impl Into<String>, key: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.into(), partition: None, key: Some(key.into()), headers: Vec::new(), payload: None }
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the partition, which otherwise depends on the key.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// The position of an acknowledged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The partition of the record's topic.
    pub partition: i32,
    /// The record's offset in it.
    pub offset: i64,
}

/// A record that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its position.
    pub position: Position,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its value.
    pub payload: Option<Vec<u8>>,
}

/// The isolation level of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// `read_uncommitted`: all records, including aborted ones.
    Uncommitted,
    /// `read_committed`: only committed records, and none after an open transaction.
    Committed,
}

/// The common settings of all clients here.
#[must_use]
pub fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "500");
    config
}

/// Creates a topic with one replica and waits until each partition has a leader. An existing topic is left unchanged.
///
/// # Errors
///
/// [`Error::Kafka`] if the broker refuses.
pub async fn create_topic(
    bootstrap: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<(), Error> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let topic = settings
        .iter()
        .fold(NewTopic::new(name, partitions, TopicReplication::Fixed(1)), |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().operation_timeout(Some(CALL_LIMIT)).request_timeout(Some(CALL_LIMIT));
    for result in admin.create_topics([&topic], &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
        }
    }
    let deadline = tokio::time::Instant::now() + CALL_LIMIT;
    while !has_leaders(bootstrap, Some(name)).await {
        if tokio::time::Instant::now() > deadline {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Changes settings of a topic.
///
/// # Errors
///
/// [`Error::Kafka`] if the broker refuses.
pub async fn alter_topic(bootstrap: &str, name: &str, settings: &[(&str, &str)]) -> Result<(), Error> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    let topic = settings
        .iter()
        .fold(AlterConfig::new(ResourceSpecifier::Topic(name)), |topic, (key, value)| topic.set(key, value));
    let options = AdminOptions::new().request_timeout(Some(CALL_LIMIT));
    for result in admin.alter_configs([&topic], &options).await? {
        result.map_err(|(_, code)| KafkaError::AdminOp(code))?;
    }
    Ok(())
}

/// Produces records with an idempotent producer, and waits until all in-sync replicas have acknowledged each of them.
/// The positions are in the order of the records.
///
/// # Errors
///
/// [`Error::Kafka`] for the first record that was not acknowledged.
pub async fn produce(bootstrap: &str, records: &[Record]) -> Result<Vec<Position>, Error> {
    let mut config = config(bootstrap);
    config.set("enable.idempotence", "true").set("linger.ms", "5").set("message.timeout.ms", "60000");
    config.set("message.max.bytes", "104857600");
    let producer: FutureProducer = config.create()?;
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        deliveries.push(enqueue(&producer, record).await?);
    }
    acknowledged(deliveries).await
}

/// All records that are in a topic now, partition by partition and in order of offset.
///
/// # Errors
///
/// [`Error::Kafka`] if the topic cannot be read.
pub async fn read_all(bootstrap: &str, topic: &str, isolation: Isolation) -> Result<Vec<Received>, Error> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    blocking(move || read_all_blocking(&bootstrap, &topic, isolation)).await
}

fn read_all_blocking(bootstrap: &str, topic: &str, isolation: Isolation) -> Result<Vec<Received>, Error> {
    let mut config = config(bootstrap);
    config.set("group.id", "holdfast-testkit").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    config
        .set("isolation.level", if isolation == Isolation::Committed { "read_committed" } else { "read_uncommitted" });
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), CALL_LIMIT)?;
    let partitions: Vec<i32> =
        metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut received = Vec::new();
    let mut ended = 0;
    let deadline = std::time::Instant::now() + CALL_LIMIT;
    while ended < partitions.len() {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => received.push(Received {
                position: Position { partition: message.partition(), offset: message.offset() },
                key: message.key().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(Vec::new, |headers| {
                    headers
                        .iter()
                        .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
                        .collect()
                }),
                payload: message.payload().map(<[u8]>::to_vec),
            }),
            // With `read_committed` this is reported at the start of the first open transaction.
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => return Err(error.into()),
            None if std::time::Instant::now() > deadline => {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut).into());
            }
            None => {}
        }
    }
    received.sort_by_key(|record| record.position);
    Ok(received)
}

/// A transactional producer.
pub struct TransactionalProducer {
    producer: FutureProducer,
}

impl std::fmt::Debug for TransactionalProducer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TransactionalProducer").finish_non_exhaustive()
    }
}

impl TransactionalProducer {
    /// Registers the transactional id. This fences its previous producer and aborts its open transaction.
    ///
    /// # Errors
    ///
    /// [`Error::Kafka`] if the broker refuses.
    pub async fn new(bootstrap: &str, transactional_id: &str) -> Result<Self, Error> {
        let mut config = config(bootstrap);
        config.set("transactional.id", transactional_id).set("linger.ms", "5");
        let producer: FutureProducer = config.create()?;
        let own = producer.clone();
        blocking(move || Ok(own.init_transactions(CALL_LIMIT)?)).await?;
        Ok(Self { producer })
    }

    /// Produces records in one transaction and commits it.
    ///
    /// # Errors
    ///
    /// [`Error::Kafka`] if a record is not acknowledged or the commit fails.
    pub async fn commit(&self, records: &[Record]) -> Result<Vec<Position>, Error> {
        let positions = self.begin(records).await?;
        let producer = self.producer.clone();
        blocking(move || Ok(producer.commit_transaction(CALL_LIMIT)?)).await?;
        Ok(positions)
    }

    /// Produces records in one transaction and aborts it. They are acknowledged and in the log, but not visible with
    /// `read_committed`.
    ///
    /// # Errors
    ///
    /// [`Error::Kafka`] if a record is not acknowledged or the abort fails.
    pub async fn abort(&self, records: &[Record]) -> Result<Vec<Position>, Error> {
        let positions = self.begin(records).await?;
        let producer = self.producer.clone();
        blocking(move || Ok(producer.abort_transaction(CALL_LIMIT)?)).await?;
        Ok(positions)
    }

    /// Produces records in a transaction that neither commits nor aborts, like a producer that crashed. The transaction ends when
    /// another producer registers the transactional id, or by the broker's timeout.
    ///
    /// # Errors
    ///
    /// [`Error::Kafka`] if a record is not acknowledged.
    pub async fn leave_open(self, records: &[Record]) -> Result<Vec<Position>, Error> {
        self.begin(records).await
    }

    async fn begin(&self, records: &[Record]) -> Result<Vec<Position>, Error> {
        self.producer.begin_transaction()?;
        let mut deliveries = Vec::with_capacity(records.len());
        for record in records {
            deliveries.push(enqueue(&self.producer, record).await?);
        }
        acknowledged(deliveries).await
    }
}

/// Whether a broker answers and leads all its partitions. Right after a restart it may answer before it leads them.
pub(crate) async fn serves(bootstrap: &str) -> bool {
    has_leaders(bootstrap, None).await
}

async fn has_leaders(bootstrap: &str, topic: Option<&str>) -> bool {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.map(str::to_owned));
    let fetch = blocking(move || {
        let consumer: BaseConsumer = config(&bootstrap).create()?;
        let metadata = consumer.fetch_metadata(topic.as_deref(), Duration::from_secs(2))?;
        let led = metadata.topics().iter().all(|topic| {
            topic.error().is_none()
                && (!topic.partitions().is_empty())
                && topic.partitions().iter().all(|partition| partition.leader() >= 0 && partition.error().is_none())
        });
        Ok(!metadata.brokers().is_empty() && led)
    });
    fetch.await.unwrap_or(false)
}

/// Adds a record to the producer's queue, and waits while the queue is full.
async fn enqueue(producer: &FutureProducer, record: &Record) -> Result<DeliveryFuture, Error> {
    let mut to_send = FutureRecord::<[u8], [u8]>::to(&record.topic);
    if let Some(partition) = record.partition {
        to_send = to_send.partition(partition);
    }
    if let Some(key) = &record.key {
        to_send = to_send.key(key);
    }
    if let Some(payload) = &record.payload {
        to_send = to_send.payload(payload);
    }
    if !record.headers.is_empty() {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new_with_capacity(record.headers.len()), |headers, (name, value)| {
                headers.insert(Header { key: name, value: Some(value) })
            });
        to_send = to_send.headers(headers);
    }
    loop {
        match producer.send_result(to_send) {
            Ok(delivery) => return Ok(delivery),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                to_send = back;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

async fn acknowledged(deliveries: Vec<DeliveryFuture>) -> Result<Vec<Position>, Error> {
    let delivered = join_all(deliveries).await;
    delivered
        .into_iter()
        .map(|delivery| match delivery {
            Ok(Ok(delivery)) => Ok(Position { partition: delivery.partition, offset: delivery.offset }),
            Ok(Err((error, _))) => Err(error.into()),
            Err(_) => Err(KafkaError::Canceled.into()),
        })
        .collect()
}

/// Runs a blocking call of librdkafka on another thread than the test's.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|_| Err(KafkaError::Canceled.into()))
}
