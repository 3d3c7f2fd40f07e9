//! Why the archiver ended.

use crate::kafka::KafkaError;
use holdfast_archive::ArchiveError;
use tokio::task::JoinError;

/// Why the archiver ended. None of these errors loses an event: Kafka still has what was not committed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// The Kafka client could not be created.
    #[error(transparent)]
    Settings(#[from] KafkaError),
    /// Kafka reported an error that a retry does not fix.
    #[error("{doing}: {source}")]
    Kafka {
        /// The step that failed.
        doing: &'static str,
        /// The error of the Kafka client.
        source: rdkafka::error::KafkaError,
    },
    /// Kafka no longer has the next offset of the Delta log.
    #[error(
        "Kafka no longer has offset {offset} of {topic} partition {partition}, which is the next one in the archive's \
         log: what it has begins at {first} and ends before {end}. Either the topic was recreated, or its retention \
         deleted what was not read yet: events, or the markers and aborted messages of transactions. Nothing is \
         skipped, because that could hide a loss"
    )]
    OffsetLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The next offset in the log.
        offset: i64,
        /// The first offset that Kafka has.
        first: i64,
        /// The offset behind the last one that Kafka has.
        end: i64,
    },
    /// The log's offsets belong to another Kafka cluster.
    #[error(
        "the archive's log has offsets of the Kafka cluster `{archived}`, but this is the cluster `{found}`; reading \
         on from these offsets would skip events. Connect to the first cluster again, or name new topics in \
         kafka.events_topic and kafka.recordings_topic, which are read from their beginning"
    )]
    OtherCluster {
        /// The cluster in the log.
        archived: String,
        /// The cluster that the consumer is connected to.
        found: String,
    },
    /// A batch of messages cannot be read.
    #[error(
        "Kafka delivered a batch of messages that cannot be read ({source}); the log of librdkafka names its offset. \
         Nothing behind it is archived, because skipping it would hide a loss: restore the partition from a replica, \
         or update this program if the batch is of a newer format; then start again"
    )]
    UnreadableBatch {
        /// The error of the Kafka client.
        source: rdkafka::error::KafkaError,
    },
    /// The archive reported an error that a retry does not fix, or was unreachable until the retries ended.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A thread of the archiver panicked or was cancelled.
    #[error("the archiver's thread `{thread}` ended unexpectedly: {reason}")]
    Died {
        /// The thread.
        thread: &'static str,
        /// The message of its panic.
        reason: String,
    },
}

impl ArchiverError {
    /// The end of a thread without a result.
    pub(super) fn died(thread: &'static str, failure: JoinError) -> Self {
        let reason = match failure.try_into_panic() {
            Ok(payload) => payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "it panicked without a message".to_owned()),
            Err(_) => "it was cancelled".to_owned(),
        };
        Self::Died { thread, reason }
    }
}
