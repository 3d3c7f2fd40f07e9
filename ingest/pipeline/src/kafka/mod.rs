//! Settings of the Kafka clients, and the librdkafka configuration derived from them.
//!
//! ```text
//! KafkaSettings ─┬─▶ producer_config ─┐
//!                ├─▶ consumer_config ─┼─▶ librdkafka, with KafkaContext for its log and its tokens
//!                └─▶ admin_config ────┘        └─▶ ensure_topics, Observer
//! ```
//!
//! A configuration has three layers, each of which overrides the one before: defaults, the operator's `kafka.settings`,
//! and the settings that the guarantees depend on. The last cannot be changed: such a setting is rejected by name.

mod client;
mod context;
mod copies;
mod observer;
mod topics;
mod trim;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};

pub use context::KafkaContext;
pub use copies::single_copies;
pub use observer::{Observer, Watermarks};
pub use topics::{TopicSpec, TopicsReport, cleanup_policy, ensure_topics, topic_specs};
pub use trim::trim_archived;

/// How to connect to Kafka, and the topics.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Bootstrap servers, `host:port,host:port`.
    pub brokers: String,
    /// The archiver's consumer group.
    pub group: String,
    /// Topic of session events.
    pub events_topic: String,
    /// Topic of recording chunks.
    pub recordings_topic: String,
    /// Topic of alerts that fired.
    pub alerts_topic: String,
    /// Partitions of a topic that is created.
    pub partitions: i32,
    /// Replicas of a topic that is created; -1 is the cluster's default.
    pub replication: i32,
    /// Retention of a created topic. `None` sets no retention: for the embedded broker, which otherwise would delete
    /// events that are not archived yet.
    pub retention: Option<Duration>,
    /// Largest message of the events topic, in bytes.
    pub max_event_bytes: usize,
    /// Largest message of the recordings topic, in bytes.
    pub max_recording_bytes: usize,
    /// Bytes that a consumer prefetches, in all partitions together.
    pub queue_bytes: usize,
    /// Bytes that a producer queues until they are acknowledged; beyond them it reports
    /// [`crate::producer::PublishError::Busy`].
    pub producer_queue_bytes: usize,
    /// How long Kafka may take to acknowledge a message.
    pub delivery_timeout: Duration,
    /// Passed to librdkafka unchanged: SASL, TLS, ... Values may be secret.
    pub settings: BTreeMap<String, String>,
    /// File with a JWT for SASL OAUTHBEARER, read again at each refresh.
    pub oauth_token_file: Option<PathBuf>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "127.0.0.1:8482".to_owned(),
            group: "holdfast-archiver".to_owned(),
            events_topic: "holdfast.events".to_owned(),
            recordings_topic: "holdfast.recordings".to_owned(),
            alerts_topic: "holdfast.alerts".to_owned(),
            partitions: 4,
            replication: -1,
            retention: Some(Duration::from_secs(7 * 24 * 3600)),
            max_event_bytes: 4 << 20,
            max_recording_bytes: 16 << 20,
            queue_bytes: 32 << 20,
            producer_queue_bytes: 64 << 20,
            delivery_timeout: Duration::from_secs(30),
            settings: BTreeMap::new(),
            oauth_token_file: None,
        }
    }
}

impl fmt::Debug for KafkaSettings {
    /// Omits the values of `settings`, because they may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .field("events_topic", &self.events_topic)
            .field("recordings_topic", &self.recordings_topic)
            .field("alerts_topic", &self.alerts_topic)
            .field("partitions", &self.partitions)
            .field("replication", &self.replication)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("oauth_token_file", &self.oauth_token_file)
            .finish_non_exhaustive()
    }
}

/// An error in the Kafka settings, or of a request to Kafka.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// A setting that a guarantee depends on.
    #[error("kafka.settings: `{key}` cannot be set: {reason}")]
    ProtectedSetting {
        /// The setting's name.
        key: String,
        /// Why it is protected, and what to use instead.
        reason: &'static str,
    },
    /// librdkafka has no such setting, or rejects its value.
    #[error("kafka.settings: librdkafka rejects `{key}`: {reason}")]
    InvalidSetting {
        /// The setting's name. Its value is not shown: it may be secret.
        key: String,
        /// librdkafka's message.
        reason: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(&'static str),
    /// A client could not be created.
    #[error("cannot create a Kafka client: {0}")]
    Client(String),
    /// A request to the cluster failed.
    #[error("cannot {doing}: {reason}")]
    Request {
        /// The operation that failed.
        doing: String,
        /// The error that Kafka returned.
        reason: String,
    },
    /// Topics are missing and cannot be created with a token from a file.
    #[error(
        "topics {names} are missing; with kafka.oauth_token_file Holdfast cannot create them: create \
         them with the cluster's own tools"
    )]
    MissingTopics {
        /// Their names.
        names: String,
    },
}

impl KafkaError {
    /// librdkafka's error without the value of a setting.
    pub(crate) fn client(error: LibraryError) -> Self {
        match error {
            LibraryError::ClientConfig(_, _, key, _) => {
                Self::InvalidSetting { key, reason: "unknown name or invalid value".to_owned() }
            }
            LibraryError::ClientCreation(reason) => Self::Client(reason),
            other => Self::Client(other.to_string()),
        }
    }

    pub(crate) fn request(doing: impl Into<String>, error: &LibraryError) -> Self {
        let reason = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::OperationTimedOut) => {
                "no broker responded; check kafka.brokers and that it is reachable".to_owned()
            }
            Some(code) => code.to_string(),
            None => error.to_string(),
        };
        Self::Request { doing: doing.into(), reason }
    }
}

#[cfg(test)]
mod tests;
