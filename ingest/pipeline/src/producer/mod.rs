//! Into Kafka, and back with the acknowledgement.
//!
//! ```text
//! Record ──publish──▶ librdkafka's queue ──▶ broker ──▶ delivery report ──▶ the future that publish gave
//!    │ BulkPublisher: many in flight, bounded                  └──▶ totals of a BulkPublisher
//!    ▼
//!  Busy when the queue is full: nothing was queued, try again
//! ```
//!
//! An idempotent producer that has lost its sequence answers everything with a fatal error. Then it is replaced by a new
//! one, and what it held is reported as unavailable: the sender sends again, with the same ids.

mod bulk;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

pub use bulk::{BulkPublisher, BulkReport};

use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};
use bulk::Totals;

/// A message, borrowed: the client copies it into its queue.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// What decides the partition: the event's subject.
    pub key: &'a [u8],
    /// The message's body.
    pub value: &'a [u8],
    /// Names and values; empty in structured mode.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Where an acknowledged message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The partition of its topic.
    pub partition: i32,
    /// Its offset. Absent when the broker recognised a repetition, and says only that it has it.
    pub offset: Option<i64>,
}

/// Why a message is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The queue is full. Nothing was queued.
    #[error("the queue to Kafka is full; send again in a moment")]
    Busy,
    /// The message is larger than the client, the topic or the broker takes.
    #[error("Kafka does not take a message of this size; send it in smaller parts")]
    TooLarge,
    /// Kafka did not acknowledge. The message may stand in the topic nevertheless.
    #[error("Kafka did not acknowledge ({reason}); send again with the same id")]
    Unavailable {
        /// A short word that stays the same between versions.
        reason: &'static str,
    },
}

impl PublishError {
    /// A short word that stays the same between versions, for metrics and machines.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Busy => "queue_full",
            Self::TooLarge => "too_large",
            Self::Unavailable { reason } => reason,
        }
    }

    fn of(error: &LibraryError) -> Self {
        let Some(code) = error.rdkafka_error_code() else { return Self::Unavailable { reason: "client_error" } };
        match code {
            RDKafkaErrorCode::QueueFull => Self::Busy,
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::MessageBatchTooLarge => Self::TooLarge,
            RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::TimedOutQueue => Self::Unavailable { reason: "kafka_timeout" },
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition => Self::Unavailable { reason: "kafka_topic_missing" },
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed => Self::Unavailable { reason: "kafka_not_authorized" },
            RDKafkaErrorCode::NotEnoughReplicas | RDKafkaErrorCode::NotEnoughReplicasAfterAppend => {
                Self::Unavailable { reason: "kafka_too_few_replicas" }
            }
            RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight => Self::Unavailable { reason: "stopping" },
            RDKafkaErrorCode::Fatal => Self::Unavailable { reason: "kafka_fatal" },
            _ => Self::Unavailable { reason: "kafka_error" },
        }
    }
}

/// The acknowledgement to come.
pub type Delivery = BoxFuture<'static, Result<Acknowledgement, PublishError>>;

/// Where the gateway's events go.
pub trait Publisher: Send + Sync + 'static {
    /// Queues a message and gives the acknowledgement to come.
    ///
    /// # Errors
    /// [`PublishError::Busy`] when the queue is full, and whatever is known at once. Nothing was queued then.
    fn publish(&self, record: Record<'_>) -> Result<Delivery, PublishError>;
}

/// A producer that loses nothing. Cheap to clone.
#[derive(Clone)]
pub struct KafkaProducer {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    context: KafkaContext,
    client: RwLock<Arc<Client>>,
}

/// One producer of librdkafka; after a fatal error it is of no more use.
struct Client {
    producer: ThreadedProducer<DeliveryContext>,
    fatal: Arc<AtomicBool>,
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
    /// Makes a producer. Does not wait for a broker.
    ///
    /// # Errors
    /// Settings that are refused.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let config = settings.producer_config()?;
        let context = KafkaContext::new(settings);
        let client = RwLock::new(Arc::new(Client::new(&config, &context)?));
        Ok(Self { shared: Arc::new(Shared { config, context, client }) })
    }

    /// Asks where a topic is. The first message to it would wait about a second for the client to ask at its own pace.
    /// Blocks for up to `limit`; without an answer nothing is lost, for the client asks again.
    ///
    /// # Errors
    /// There is no answer.
    pub fn locate(&self, topic: &str, limit: Duration) -> Result<(), PublishError> {
        let metadata = self.client().producer.client().fetch_metadata(Some(topic), limit);
        metadata.map(drop).map_err(|error| PublishError::of(&error))
    }

    /// A way for many messages: up to `in_flight` of them are under way at once.
    pub fn bulk(&self, in_flight: usize) -> BulkPublisher {
        BulkPublisher::new(self.clone(), in_flight)
    }

    /// Waits until everything that was queued is acknowledged or given up.
    ///
    /// # Errors
    /// Something is still under way after `limit`.
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
    pub(crate) async fn high_watermark(&self, topic: String, partition: i32) -> Result<i64, PublishError> {
        let client = self.client();
        let asked = tokio::task::spawn_blocking(move || {
            client.producer.client().fetch_watermarks(&topic, partition, Duration::from_secs(15))
        });
        match asked.await {
            Ok(Ok((_, high))) => Ok(high),
            Ok(Err(error)) => Err(PublishError::of(&error)),
            Err(_) => Err(PublishError::Unavailable { reason: "stopping" }),
        }
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.shared.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The client, or a new one in place of one that is of no more use.
    fn usable_client(&self) -> Result<Arc<Client>, PublishError> {
        let client = self.client();
        if !client.fatal.load(Ordering::Acquire) {
            return Ok(client);
        }
        let mut place = self.shared.client.write().unwrap_or_else(PoisonError::into_inner);
        if place.fatal.load(Ordering::Acquire) {
            let fresh = Client::new(&self.shared.config, &self.shared.context).map_err(|error| {
                tracing::error!("cannot replace the Kafka producer after a fatal error: {error}");
                PublishError::Unavailable { reason: "kafka_fatal" }
            })?;
            tracing::warn!("replaced the Kafka producer after a fatal error");
            let spent = std::mem::replace(&mut *place, Arc::new(fresh));
            drop(client);
            // Stopping the old one joins its threads and waits for its reports; not on this thread.
            std::thread::spawn(move || drop(spent));
        }
        Ok(Arc::clone(&place))
    }

    fn enqueue(&self, record: Record<'_>, ticket: Ticket) -> Result<(), PublishError> {
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
            delivery_opaque: Box::new(ticket),
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
        self.enqueue(record, Ticket::One(report))?;
        Ok(Box::pin(async move { reported.await.unwrap_or(Err(PublishError::Unavailable { reason: "stopping" })) }))
    }
}

/// Who is told when a message is delivered.
pub enum Ticket {
    #[doc(hidden)]
    One(oneshot::Sender<Result<Acknowledgement, PublishError>>),
    #[doc(hidden)]
    Bulk(Arc<Totals>),
}

/// Hands delivery reports to whom they concern.
pub struct DeliveryContext {
    kafka: KafkaContext,
    fatal: Arc<AtomicBool>,
}

impl DeliveryContext {
    pub(crate) fn new(kafka: KafkaContext) -> Self {
        Self { kafka, fatal: Arc::default() }
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = KafkaContext::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.kafka.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.kafka.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.kafka.stats_raw(statistics);
    }

    fn error(&self, error: LibraryError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.fatal.store(true, Ordering::Release);
        }
        self.kafka.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.kafka.generate_oauth_token(config)
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let result = match delivery {
            Ok(message) => Ok(Acknowledgement {
                partition: message.partition(),
                offset: Some(message.offset()).filter(|offset| *offset >= 0),
            }),
            Err((error, _)) => Err(PublishError::of(error)),
        };
        match *ticket {
            // The sender may have gone; the message has not.
            Ticket::One(report) => drop(report.send(result)),
            Ticket::Bulk(totals) => {
                let (Ok(message) | Err((_, message))) = delivery;
                totals.report(message.topic(), result);
            }
        }
    }
}

#[cfg(test)]
mod tests;
