//! The producer: queues messages in librdkafka, and replaces its client after a fatal error.

use super::delivery::{DeliveryContext, Recipient};
use super::publisher::{Delivery, PublishError, Publisher, Record};
use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// An idempotent producer, acknowledged by all in-sync replicas. Cheap to clone.
#[derive(Clone)]
pub struct KafkaProducer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    context: KafkaContext,
    client: RwLock<Arc<Client>>,
}

/// A producer of librdkafka. After a fatal error it rejects every message.
pub(super) struct Client {
    producer: ThreadedProducer<DeliveryContext>,
    pub(super) fatal: Arc<AtomicBool>,
}

impl Client {
    fn new(config: &ClientConfig, context: &KafkaContext) -> Result<Self, KafkaError> {
        let context = DeliveryContext::new(context.clone());
        let fatal = Arc::clone(&context.fatal);
        let producer = ThreadedProducer::from_config_and_context(config, context).map_err(KafkaError::client)?;
        Ok(Self { producer, fatal })
    }
}

impl KafkaProducer {
    /// Creates a producer. Does not wait for a broker.
    ///
    /// # Errors
    /// The settings are invalid.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let config = settings.producer_config()?;
        let context = KafkaContext::new(settings);
        let client = RwLock::new(Arc::new(Client::new(&config, &context)?));
        Ok(Self { shared: Arc::new(Shared { config, context, client }) })
    }

    /// Fetches the metadata of a topic. Without it, the first message would wait about a second for the client's own
    /// request. Blocks for up to `limit`. A failure loses nothing: the client requests the metadata again.
    ///
    /// # Errors
    /// No broker responds.
    pub fn locate(&self, topic: &str, limit: Duration) -> Result<(), PublishError> {
        let metadata = self.client().producer.client().fetch_metadata(Some(topic), limit);
        metadata.map(drop).map_err(|error| PublishError::of(&error))
    }

    /// Waits until every queued message is acknowledged or has failed.
    ///
    /// # Errors
    /// A message is still in flight after `limit`.
    pub async fn flush(&self, limit: Duration) -> Result<(), PublishError> {
        let client = self.client();
        let flushed = tokio::task::spawn_blocking(move || client.producer.flush(limit)).await;
        match flushed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(PublishError::of(&error)),
            Err(_) => Err(PublishError::Unavailable { reason: "stopping" }),
        }
    }

    /// One past the last offset of a partition.
    pub(super) async fn high_watermark(&self, topic: String, partition: i32) -> Result<i64, PublishError> {
        let client = self.client();
        let request = tokio::task::spawn_blocking(move || {
            client.producer.client().fetch_watermarks(&topic, partition, Duration::from_secs(15))
        });
        match request.await {
            Ok(Ok((_, high))) => Ok(high),
            Ok(Err(error)) => Err(PublishError::of(&error)),
            Err(_) => Err(PublishError::Unavailable { reason: "stopping" }),
        }
    }

    pub(super) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.shared.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The client. Replaces it if it has had a fatal error.
    fn usable_client(&self) -> Result<Arc<Client>, PublishError> {
        let client = self.client();
        if !client.fatal.load(Ordering::Acquire) {
            return Ok(client);
        }
        let mut current = self.shared.client.write().unwrap_or_else(PoisonError::into_inner);
        if current.fatal.load(Ordering::Acquire) {
            let fresh = Client::new(&self.shared.config, &self.shared.context).map_err(|error| {
                tracing::error!("cannot replace the Kafka producer after a fatal error: {error}");
                PublishError::Unavailable { reason: "kafka_fatal" }
            })?;
            tracing::warn!("replaced the Kafka producer after a fatal error");
            let replaced = std::mem::replace(&mut *current, Arc::new(fresh));
            drop(client);
            // Stopping the old client joins its threads and waits for its delivery reports, so another thread does it.
            std::thread::spawn(move || drop(replaced));
        }
        Ok(Arc::clone(&current))
    }

    pub(super) fn enqueue(&self, record: Record<'_>, recipient: Recipient) -> Result<(), PublishError> {
        let client = self.usable_client()?;
        let headers = (!record.headers.is_empty()).then(|| {
            record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, (key, value)| {
                all.insert(Header { key, value: Some(*value) })
            })
        });
        let message = BaseRecord {
            topic: record.topic,
            partition: None,
            payload: Some(record.value),
            key: Some(record.key),
            timestamp: None,
            headers,
            delivery_opaque: Box::new(recipient),
        };
        client.producer.send(message).map_err(|(error, _)| {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                client.fatal.store(true, Ordering::Release);
            }
            PublishError::of(&error)
        })
    }
}

impl Publisher for KafkaProducer {
    fn publish(&self, record: Record<'_>) -> Result<Delivery, PublishError> {
        let (report, reported) = oneshot::channel();
        self.enqueue(record, Recipient::One(report))?;
        Ok(Box::pin(async move { reported.await.unwrap_or(Err(PublishError::Unavailable { reason: "stopping" })) }))
    }
}
