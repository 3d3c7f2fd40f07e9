//! The interface of a producer: a message to publish, its acknowledgement, and the reasons for a missing one.

use futures::future::BoxFuture;
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};

/// A message to publish. The client copies it into its queue.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The key, which determines the partition: the event's subject.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The headers: names and values. Empty in structured mode.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// The position of an acknowledged message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The partition of its topic.
    pub partition: i32,
    /// Its offset. `None` if the broker recognised a duplicate: it then reports no offset.
    pub offset: Option<i64>,
}

/// Why a message was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The queue is full. Nothing was queued.
    #[error("the queue to Kafka is full; send again in a moment")]
    Busy,
    /// The message is larger than the client, the topic or the broker accepts.
    #[error("Kafka does not accept a message of this size; send it in smaller parts")]
    TooLarge,
    /// Kafka did not acknowledge. The message may be in the topic nevertheless.
    #[error("Kafka did not acknowledge ({reason}); send again with the same id")]
    Unavailable {
        /// A code that does not change between versions.
        reason: &'static str,
    },
}

impl PublishError {
    /// A code that does not change between versions, for metrics and clients.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Busy => "queue_full",
            Self::TooLarge => "too_large",
            Self::Unavailable { reason } => reason,
        }
    }

    pub(super) fn of(error: &LibraryError) -> Self {
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

/// Resolves when Kafka has acknowledged the message, or has not.
pub type Delivery = BoxFuture<'static, Result<Acknowledgement, PublishError>>;

/// Publishes messages: [`super::KafkaProducer`], or a fake in tests.
pub trait Publisher: Send + Sync + 'static {
    /// Queues a message. The returned future resolves to its acknowledgement.
    ///
    /// # Errors
    /// [`PublishError::Busy`] if the queue is full, and other errors that are known at once. Nothing was queued.
    fn publish(&self, record: Record<'_>) -> Result<Delivery, PublishError>;
}
