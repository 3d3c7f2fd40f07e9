//! tansu's storage, with replacements for everything that processes payload or would panic.
//!
//! Delegated to tansu, without payload: topics, configuration, groups, committed offsets, producer ids. Replaced:
//! - `produce`, `fetch`, `list_offsets`: see [`crate::envelope`] and [`crate::spool`];
//! - `delete_records`, which tansu does not implement: it would end tansu's storage;
//! - `update_group`, which removes the members from before a restart, and begins a new generation when a member was
//!   removed for its silence, see [`reformed`];
//! - transactions, whose aborted records tansu would deliver, and credentials, which nothing checks: both are rejected.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tansu_sans_io::{
    ConfigResource, ErrorCode, IsolationLevel, ListOffset, ScramMechanism,
    create_topics_request::CreatableTopic,
    delete_groups_response::DeletableGroupResult,
    delete_records_request::DeleteRecordsTopic,
    delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
    describe_cluster_response::DescribeClusterBroker,
    describe_configs_response::DescribeConfigsResult,
    describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic,
    incremental_alter_configs_request::AlterConfigsResource,
    incremental_alter_configs_response::AlterConfigsResourceResponse,
    list_groups_response::ListedGroup,
    record::deflated::Batch,
    to_system_time, to_timestamp,
    txn_offset_commit_response::TxnOffsetCommitResponseTopic,
};
use tansu_storage::{
    BrokerRegistrationRequest, Error, GroupDetail, GroupState, ListOffsetResponse, MetadataResponse, NamedGroupDetail,
    OffsetCommitRequest, OffsetStage, ProducerIdResponse, Result, ScramCredential, Storage, StorageContainer, TopicId,
    Topition, TxnAddPartitionsRequest, TxnAddPartitionsResponse, TxnOffsetCommitRequest, UpdateError, Version,
};
use url::Url;

use crate::{envelope, spool::Spool};

/// The storage of all routes.
#[derive(Clone)]
pub(crate) struct EncryptedStorage {
    inner: StorageContainer,
    spool: Arc<Spool>,
    /// Groups that this process has written, as it wrote them last.
    groups: Arc<Mutex<HashMap<String, GroupDetail>>>,
}

impl fmt::Debug for EncryptedStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EncryptedStorage(..)")
    }
}

fn unsupported<T>() -> Result<T> {
    Err(Error::Api(ErrorCode::UnsupportedVersion))
}

/// Converts an error without a Kafka code into one that clients retry.
fn retriable(error: Error) -> Error {
    match error {
        Error::Api(code) => Error::Api(code),
        other => {
            tracing::error!(error = %other, "the broker's database failed");
            Error::Api(ErrorCode::KafkaStorageError)
        }
    }
}

/// The group after tansu has removed a member that was silent for its session timeout, if tansu did not end the
/// generation with it.
///
/// It does not: partitions stay assigned to the member that is gone. And if that member was the leader, every member
/// that joins waits for its assignment for ever. Here a new generation begins, whose leader is the first that joins, so
/// that all members share the partitions anew.
fn reformed(before: &GroupDetail, now: &GroupDetail) -> Option<GroupDetail> {
    let was_removed = before.members.keys().any(|id| !now.members.contains_key(id));
    if !was_removed || now.generation_id > before.generation_id {
        return None;
    }
    let (protocol_type, protocol_name) = (now.state.protocol_type(), now.state.protocol_name());
    Some(GroupDetail {
        generation_id: before.generation_id.saturating_add(1),
        state: GroupState::Forming { protocol_type, protocol_name, leader: None },
        ..now.clone()
    })
}

impl EncryptedStorage {
    pub(crate) fn new(inner: StorageContainer, spool: Arc<Spool>) -> Self {
        Self { inner, spool, groups: Arc::default() }
    }

    pub(crate) fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    async fn list_offset(&self, topition: &Topition, wanted: ListOffset) -> Result<ListOffsetResponse> {
        let Some(partition) = self.spool.partition(topition).await? else {
            return Ok(ListOffsetResponse {
                error_code: ErrorCode::UnknownTopicOrPartition,
                ..ListOffsetResponse::default()
            });
        };
        let found = |offset| ListOffsetResponse { offset: Some(offset), ..ListOffsetResponse::default() };
        Ok(match wanted {
            ListOffset::Earliest => found(partition.low),
            ListOffset::Latest => found(partition.high),
            ListOffset::Timestamp(time) => {
                match self.spool.first_since(partition, to_timestamp(&time)?).await? {
                    Some((offset, latest)) => {
                        ListOffsetResponse { timestamp: to_system_time(latest).ok(), ..found(offset) }
                    }
                    // Kafka reports -1 if no record is that late.
                    None => found(-1),
                }
            }
        })
    }

    async fn delete_partition_records(&self, topic: &str, partition: i32, offset: i64) -> DeleteRecordsPartitionResult {
        let outcome = self.spool.delete_before(&Topition::new(topic, partition), offset).await.map_err(retriable);
        let (low, code) = match outcome {
            Ok(low) => (low, ErrorCode::None),
            Err(Error::Api(code)) => (-1, code),
            Err(_) => (-1, ErrorCode::UnknownServerError),
        };
        DeleteRecordsPartitionResult::default().partition_index(partition).low_watermark(low).error_code(code.into())
    }
}

#[async_trait]
impl Storage for EncryptedStorage {
    async fn produce(&self, transaction_id: Option<&str>, topition: &Topition, batch: Batch) -> Result<i64> {
        if transaction_id.is_some() {
            return unsupported();
        }
        envelope::accept(&batch).map_err(Error::Api)?;
        self.spool.before_produce(topition, &batch).await.map_err(retriable)?;

        let span = i64::from(batch.last_offset_delta) + 1;
        let stored = envelope::wrap(self.spool.key(), topition, batch)?;
        let outcome = {
            let _writing = self.spool.write_lock.read().await;
            self.inner.produce(None, topition, stored).await
        };
        match outcome {
            Ok(offset) => {
                self.spool.sync().await?;
                self.spool.advance_high_watermark(topition, offset + span);
                Ok(offset)
            }
            // The client treats this as an acknowledgement of the earlier batch, so that batch must be durable too.
            Err(Error::Api(ErrorCode::DuplicateSequenceNumber)) => {
                self.spool.sync().await?;
                Err(Error::Api(ErrorCode::DuplicateSequenceNumber))
            }
            Err(error) => Err(retriable(error)),
        }
    }

    async fn fetch(
        &self,
        topition: &Topition,
        offset: i64,
        _min_bytes: u32,
        max_bytes: u32,
        _isolation: IsolationLevel,
    ) -> Result<Vec<Batch>> {
        let max_bytes = usize::try_from(max_bytes)?;
        self.spool.read(topition, offset, max_bytes, true).await.map(|(_, batches)| batches)
    }

    async fn list_offsets(
        &self,
        _isolation_level: IsolationLevel,
        offsets: &[(Topition, ListOffset)],
    ) -> Result<Vec<(Topition, ListOffsetResponse)>> {
        let mut responses = Vec::with_capacity(offsets.len());
        for (topition, wanted) in offsets {
            responses.push((topition.clone(), self.list_offset(topition, *wanted).await?));
        }
        Ok(responses)
    }

    async fn offset_stage(&self, topition: &Topition) -> Result<OffsetStage> {
        // tansu panics on an unknown partition.
        if self.spool.partition(topition).await?.is_none() {
            return Err(Error::Api(ErrorCode::UnknownTopicOrPartition));
        }
        self.inner.offset_stage(topition).await
    }

    async fn delete_records(&self, topics: &[DeleteRecordsTopic]) -> Result<Vec<DeleteRecordsTopicResult>> {
        let mut results = Vec::with_capacity(topics.len());
        for topic in topics {
            let mut partitions = Vec::new();
            for wanted in topic.partitions.as_deref().unwrap_or_default() {
                partitions
                    .push(self.delete_partition_records(&topic.name, wanted.partition_index, wanted.offset).await);
            }
            results.push(DeleteRecordsTopicResult::default().name(topic.name.clone()).partitions(Some(partitions)));
        }
        Ok(results)
    }

    async fn init_producer(
        &self,
        transaction_id: Option<&str>,
        transaction_timeout_ms: i32,
        _producer_id: Option<i64>,
        _producer_epoch: Option<i16>,
    ) -> Result<ProducerIdResponse> {
        if transaction_id.is_some() {
            return Ok(ProducerIdResponse { error: ErrorCode::TransactionalIdAuthorizationFailed, id: -1, epoch: -1 });
        }
        let _writing = self.spool.write_lock.read().await;
        // Always a new id, which is always valid: tansu panics on a request to continue with an old one.
        self.inner.init_producer(None, transaction_timeout_ms, Some(-1), Some(-1)).await
    }

    async fn delete_topic(&self, topic: &TopicId) -> Result<ErrorCode> {
        let name = match topic {
            TopicId::Name(name) => Some(name.clone()),
            TopicId::Id(id) => self.spool.topic_name(*id).await?,
        };
        let _writing = self.spool.write_lock.read().await;
        let code = self.inner.delete_topic(topic).await?;
        if let Some(name) = name {
            self.spool.remove_topic(&name);
        }
        Ok(code)
    }

    async fn create_topic(&self, topic: CreatableTopic, validate_only: bool) -> Result<uuid::Uuid> {
        // tansu would create a topic without partitions, and creates the topic even if `validate_only` is set.
        if topic.num_partitions < 1 {
            return Err(Error::Api(ErrorCode::InvalidPartitions));
        }
        if validate_only {
            return Ok(uuid::Uuid::nil());
        }
        let _writing = self.spool.write_lock.read().await;
        self.inner.create_topic(topic, validate_only).await
    }

    async fn register_broker(&self, registration: BrokerRegistrationRequest) -> Result<()> {
        let _writing = self.spool.write_lock.read().await;
        self.inner.register_broker(registration).await
    }

    async fn incremental_alter_resource(&self, resource: AlterConfigsResource) -> Result<AlterConfigsResourceResponse> {
        let _writing = self.spool.write_lock.read().await;
        self.inner.incremental_alter_resource(resource).await
    }

    async fn offset_commit(
        &self,
        group_id: &str,
        retention_time_ms: Option<Duration>,
        offsets: &[(Topition, OffsetCommitRequest)],
    ) -> Result<Vec<(Topition, ErrorCode)>> {
        let _writing = self.spool.write_lock.read().await;
        self.inner.offset_commit(group_id, retention_time_ms, offsets).await
    }

    async fn delete_groups(&self, group_ids: Option<&[String]>) -> Result<Vec<DeletableGroupResult>> {
        let _writing = self.spool.write_lock.read().await;
        self.inner.delete_groups(group_ids).await
    }

    async fn update_group(
        &self,
        group_id: &str,
        detail: GroupDetail,
        version: Option<Version>,
    ) -> Result<Version, UpdateError<GroupDetail>> {
        let before = self.groups.lock().unwrap_or_else(PoisonError::into_inner).get(group_id).cloned();
        let reformed = before.and_then(|before| reformed(&before, &detail));
        let detail = reformed.clone().unwrap_or(detail);
        let written = {
            let _writing = self.spool.write_lock.read().await;
            self.inner.update_group(group_id, detail.clone(), version).await
        };
        // Before a restart the group had members whose connections have ended. tansu keeps them until their session
        // timeout. If that expires during a rebalance, partitions stay assigned to such a member. So they are removed
        // here; one that is still running receives an unknown-member error and joins again.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(version) => {
                groups.insert(group_id.to_owned(), detail);
                match reformed {
                    None => Ok(version),
                    // tansu takes up the group as it is now, and answers the request again.
                    Some(current) => Err(UpdateError::Outdated { current: Box::new(current), version }),
                }
            }
            Err(UpdateError::Outdated { mut current, version }) if !groups.contains_key(group_id) => {
                current.members.clear();
                current.state = GroupState::Forming { protocol_type: None, protocol_name: None, leader: None };
                Err(UpdateError::Outdated { current, version })
            }
            Err(error) => Err(error),
        }
    }

    async fn maintain(&self, now: SystemTime) -> Result<()> {
        {
            let _writing = self.spool.write_lock.read().await;
            self.inner.maintain(now).await?;
        }
        self.spool.vacuum().await
    }

    async fn brokers(&self) -> Result<Vec<DescribeClusterBroker>> {
        self.inner.brokers().await
    }

    async fn offset_fetch(
        &self,
        group_id: Option<&str>,
        topics: &[Topition],
        require_stable: Option<bool>,
    ) -> Result<BTreeMap<Topition, i64>> {
        self.inner.offset_fetch(group_id, topics, require_stable).await
    }

    async fn committed_offset_topitions(&self, group_id: &str) -> Result<BTreeMap<Topition, i64>> {
        self.inner.committed_offset_topitions(group_id).await
    }

    async fn metadata(&self, topics: Option<&[TopicId]>) -> Result<MetadataResponse> {
        self.inner.metadata(topics).await
    }

    async fn describe_config(
        &self,
        name: &str,
        resource: ConfigResource,
        keys: Option<&[String]>,
    ) -> Result<DescribeConfigsResult> {
        self.inner.describe_config(name, resource, keys).await
    }

    async fn list_groups(&self, states_filter: Option<&[String]>) -> Result<Vec<ListedGroup>> {
        self.inner.list_groups(states_filter).await
    }

    async fn describe_groups(
        &self,
        group_ids: Option<&[String]>,
        include_authorized_operations: bool,
    ) -> Result<Vec<NamedGroupDetail>> {
        self.inner.describe_groups(group_ids, include_authorized_operations).await
    }

    async fn describe_topic_partitions(
        &self,
        topics: Option<&[TopicId]>,
        partition_limit: i32,
        cursor: Option<Topition>,
    ) -> Result<Vec<DescribeTopicPartitionsResponseTopic>> {
        self.inner.describe_topic_partitions(topics, partition_limit, cursor).await
    }

    async fn upsert_user_scram_credential(&self, _: &str, _: ScramMechanism, _: ScramCredential) -> Result<()> {
        unsupported()
    }

    async fn delete_user_scram_credential(&self, _: &str, _: ScramMechanism) -> Result<()> {
        unsupported()
    }

    async fn user_scram_credential(&self, _: &str, _: ScramMechanism) -> Result<Option<ScramCredential>> {
        unsupported()
    }

    async fn txn_add_offsets(&self, _: &str, _: i64, _: i16, _: &str) -> Result<ErrorCode> {
        unsupported()
    }

    async fn txn_add_partitions(&self, _: TxnAddPartitionsRequest) -> Result<TxnAddPartitionsResponse> {
        unsupported()
    }

    async fn txn_offset_commit(&self, _: TxnOffsetCommitRequest) -> Result<Vec<TxnOffsetCommitResponseTopic>> {
        unsupported()
    }

    async fn txn_end(&self, _: &str, _: i64, _: i16, _: bool) -> Result<ErrorCode> {
        unsupported()
    }

    async fn cluster_id(&self) -> Result<String> {
        self.inner.cluster_id().await
    }

    async fn node(&self) -> Result<i32> {
        self.inner.node().await
    }

    async fn advertised_listener(&self) -> Result<Url> {
        self.inner.advertised_listener().await
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tansu_storage::GroupMember;

    fn group(members: &[&str], generation_id: i32, leader: &str) -> GroupDetail {
        let assignments = members.iter().map(|id| ((*id).to_owned(), Vec::<u8>::new().into())).collect();
        GroupDetail {
            members: members.iter().map(|id| ((*id).to_owned(), GroupMember::default())).collect(),
            generation_id,
            state: GroupState::Formed {
                protocol_type: "consumer".to_owned(),
                protocol_name: "range".to_owned(),
                leader: leader.to_owned(),
                assignments,
            },
            ..GroupDetail::default()
        }
    }

    #[test]
    fn the_removal_of_a_silent_member_begins_a_generation_without_a_leader() {
        let formed = reformed(&group(&["a", "b"], 4, "a"), &group(&["b"], 4, "a")).unwrap();
        let state = GroupState::Forming {
            protocol_type: Some("consumer".to_owned()),
            protocol_name: Some("range".to_owned()),
            leader: None,
        };
        assert_eq!((formed.generation_id, formed.state), (5, state));
        assert_eq!(formed.members.into_keys().collect::<Vec<_>>(), ["b"]);
        assert!(reformed(&group(&["a"], i32::MAX, "a"), &group(&[], i32::MAX, "a")).is_some());
    }

    #[test]
    fn a_group_that_changes_otherwise_is_as_tansu_makes_it() {
        assert_eq!(reformed(&group(&["a"], 4, "a"), &group(&["a"], 4, "a")), None);
        assert_eq!(reformed(&group(&["a"], 4, "a"), &group(&["a", "b"], 5, "a")), None);
        assert_eq!(reformed(&group(&["a", "b"], 4, "a"), &group(&["b"], 5, "b")), None, "it left, or another joined");
    }
}
