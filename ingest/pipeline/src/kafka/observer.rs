//! Questions to a cluster about its topics and groups.

use super::{KafkaContext, KafkaError, KafkaSettings};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For each request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Low and high watermark of a partition, by topic and partition: its first offset, and one past its last.
pub type Watermarks = BTreeMap<(String, i32), (i64, i64)>;

/// A client that asks and sends nothing. It is a producer, because librdkafka renews the tokens of a producer by
/// itself. Its requests block for up to five seconds each, and dropping the last clone joins a thread: use it on a
/// thread for blocking work. Clones share the client.
#[derive(Clone)]
pub struct Observer(ThreadedProducer<KafkaContext>);

impl Observer {
    /// A client of the cluster.
    ///
    /// # Errors
    /// The client cannot be created.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let config = settings.admin_config()?;
        ThreadedProducer::from_config_and_context(&config, KafkaContext::new(settings))
            .map(Self)
            .map_err(KafkaError::client)
    }

    /// The partitions of these topics. A missing topic has none.
    ///
    /// # Errors
    /// No broker responds.
    pub fn partitions(&self, topics: &[&str]) -> Result<BTreeSet<(String, i32)>, KafkaError> {
        // All topics: a request for one by name would let a broker create it with the broker's defaults.
        let metadata = self
            .0
            .client()
            .fetch_metadata(None, TIMEOUT)
            .map_err(|error| KafkaError::request("list topics", &error))?;
        let known = metadata.topics().iter().filter(|topic| topic.error().is_none() && topics.contains(&topic.name()));
        Ok(known
            .flat_map(|topic| topic.partitions().iter().map(move |partition| (topic.name().to_owned(), partition.id())))
            .collect())
    }

    /// The watermarks of these partitions.
    ///
    /// # Errors
    /// The leader of one of them does not respond.
    pub fn watermarks<'p>(
        &self,
        partitions: impl IntoIterator<Item = &'p (String, i32)>,
    ) -> Result<Watermarks, KafkaError> {
        let mut watermarks = Watermarks::new();
        for (topic, partition) in partitions {
            let found = self.0.client().fetch_watermarks(topic, *partition, TIMEOUT).map_err(|error| {
                KafkaError::request(format!("fetch the watermarks of {topic} partition {partition}"), &error)
            })?;
            watermarks.insert((topic.clone(), *partition), found);
        }
        Ok(watermarks)
    }

    /// The number of members of a consumer group.
    ///
    /// # Errors
    /// No broker responds.
    pub fn members(&self, group: &str) -> Result<usize, KafkaError> {
        let list = self
            .0
            .client()
            .fetch_group_list(Some(group), TIMEOUT)
            .map_err(|error| KafkaError::request("list the group", &error))?;
        Ok(list.groups().iter().map(|group| group.members().len()).sum())
    }
}
