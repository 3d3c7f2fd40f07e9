//! Fetch requests: return the available batches, or wait for one.
//!
//! tansu waits half of the client's `max_wait_ms` even if it has data, which limits a consumer to a few fetches a
//! second. This service responds at once if there is data, and otherwise wakes up on a produce.

use std::time::Duration;

use rama::{Context, Service};
use tansu_sans_io::{
    ErrorCode, FetchRequest, FetchResponse,
    fetch_request::{FetchPartition, FetchTopic},
    fetch_response::{FetchableTopicResponse, PartitionData},
    record::deflated::{Batch, Frame},
};
use tansu_storage::{Error, Topition};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::storage::EncryptedStorage;

/// Upper limit for the bytes of batches in one response. A single larger batch is sent alone.
const MAX_RESPONSE_BYTES: usize = 32 << 20;
/// Upper limit for the client's `max_wait_ms`.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Handles fetch requests. On `stopping`, waiting requests receive an empty response.
#[derive(Clone, Debug)]
pub(crate) struct FetchService {
    pub(crate) stopping: CancellationToken,
}

/// One round over all partitions of a request.
#[derive(Default)]
struct Round {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    failed: bool,
}

impl Service<EncryptedStorage, FetchRequest> for FetchService {
    type Response = FetchResponse;
    type Error = Error;

    async fn serve(&self, context: Context<EncryptedStorage>, request: FetchRequest) -> Result<FetchResponse, Error> {
        let storage = context.state();
        let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
        let deadline = Instant::now() + max_wait;
        let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
        let max_bytes = request
            .max_bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(MAX_RESPONSE_BYTES)
            .min(MAX_RESPONSE_BYTES);
        let topics = request.topics.unwrap_or_default();

        let mut changes = storage.spool().changes();
        let round = loop {
            changes.mark_unchanged();
            let round = read(storage, &topics, max_bytes).await;
            let enough = round.failed || round.bytes >= min_bytes.clamp(0, max_bytes);
            if enough || topics.is_empty() || Instant::now() >= deadline || self.stopping.is_cancelled() {
                break round;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep_until(deadline) => {}
                () = self.stopping.cancelled() => {}
            }
        };

        Ok(FetchResponse::default()
            .throttle_time_ms(Some(0))
            .error_code(Some(ErrorCode::None.into()))
            .session_id(Some(0))
            .node_endpoints(Some(Vec::new()))
            .responses(Some(round.topics)))
    }
}

async fn read(storage: &EncryptedStorage, topics: &[FetchTopic], max_bytes: usize) -> Round {
    let mut round = Round::default();
    for topic in topics {
        let name = match (&topic.topic, topic.topic_id) {
            (Some(name), _) => Ok(Some(name.clone())),
            (None, Some(id)) => storage.spool().topic_name(Uuid::from_bytes(id)).await,
            (None, None) => Ok(None),
        };
        let mut partitions = Vec::new();
        for wanted in topic.partitions.as_deref().unwrap_or_default() {
            let data = match &name {
                Ok(Some(name)) => read_partition(storage, name, wanted, max_bytes, &mut round).await,
                Ok(None) => Err(Error::Api(ErrorCode::UnknownTopicId)),
                Err(error) => Err(error.clone()),
            };
            partitions.push(data.unwrap_or_else(|error| {
                round.failed = true;
                let code = match error {
                    Error::Api(code) => code,
                    other => {
                        tracing::error!(error = %other, "a fetch failed");
                        ErrorCode::KafkaStorageError
                    }
                };
                partition_data(wanted.partition, code, -1, -1, Vec::new())
            }));
        }
        round.topics.push(
            FetchableTopicResponse::default()
                .topic(topic.topic.clone())
                .topic_id(topic.topic_id)
                .partitions(Some(partitions)),
        );
    }
    round
}

async fn read_partition(
    storage: &EncryptedStorage,
    topic: &str,
    wanted: &FetchPartition,
    max_bytes: usize,
    round: &mut Round,
) -> Result<PartitionData, Error> {
    let topition = Topition::new(topic, wanted.partition);
    let limit = usize::try_from(wanted.partition_max_bytes).unwrap_or(0).min(max_bytes.saturating_sub(round.bytes));
    let (partition, batches) = storage.spool().read(&topition, wanted.fetch_offset, limit, round.bytes == 0).await?;
    if wanted.fetch_offset < partition.low || wanted.fetch_offset > partition.high {
        round.failed = true;
        let code = ErrorCode::OffsetOutOfRange;
        return Ok(partition_data(wanted.partition, code, partition.low, partition.high, Vec::new()));
    }
    round.bytes += batches.iter().map(|batch| batch.record_data.len()).sum::<usize>();
    Ok(partition_data(wanted.partition, ErrorCode::None, partition.low, partition.high, batches))
}

fn partition_data(index: i32, code: ErrorCode, low: i64, high: i64, batches: Vec<Batch>) -> PartitionData {
    PartitionData::default()
        .partition_index(index)
        .error_code(code.into())
        .high_watermark(high)
        .last_stable_offset(Some(high))
        .log_start_offset(Some(low))
        .diverging_epoch(None)
        .current_leader(None)
        .snapshot_id(None)
        .aborted_transactions(Some(Vec::new()))
        .preferred_read_replica(Some(-1))
        .records((!batches.is_empty()).then_some(Frame { batches }))
}
