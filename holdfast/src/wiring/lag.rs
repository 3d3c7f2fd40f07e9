//! The consumer lag of the archive: the high watermarks of the partitions minus the offsets in the archive's own log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use holdfast_ingest::kafka::{KafkaContext, KafkaSettings};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};
use serde::Serialize;

/// For each request to Kafka.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The lag of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TopicLag {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    /// Messages that Kafka has and the archive does not.
    pub(crate) lag: i64,
}

/// Low and high watermark of a partition, by topic and partition: its first offset, and one past its last.
pub(crate) type Watermarks = BTreeMap<(String, i32), (i64, i64)>;

/// A client that sends nothing. It is a producer, because librdkafka renews the tokens of a producer by itself.
struct Observer(KafkaContext);

impl ClientContext for Observer {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = KafkaContext::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.generate_oauth_token(config)
    }
}

impl ProducerContext for Observer {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

fn observer(settings: &KafkaSettings) -> anyhow::Result<ThreadedProducer<Observer>> {
    let config = settings.admin_config()?;
    let context = Observer(KafkaContext::new(settings));
    Ok(ThreadedProducer::from_config_and_context(&config, context)?)
}

/// The watermarks of all partitions of the two topics that are archived. A missing topic has none.
pub(crate) async fn watermarks(settings: &KafkaSettings) -> anyhow::Result<Watermarks> {
    let settings = settings.clone();
    let fetched = tokio::task::spawn_blocking(move || -> anyhow::Result<Watermarks> {
        let observer = observer(&settings)?;
        let client = observer.client();
        let metadata = client.fetch_metadata(None, TIMEOUT).context("list the topics")?;
        let mut watermarks = Watermarks::new();
        for topic in metadata.topics().iter().filter(|topic| topic.error().is_none()) {
            if ![&settings.events_topic, &settings.recordings_topic].iter().any(|name| *name == topic.name()) {
                continue;
            }
            for partition in topic.partitions() {
                let id = partition.id();
                let (low, high) = client
                    .fetch_watermarks(topic.name(), id, TIMEOUT)
                    .with_context(|| format!("fetch the watermarks of {} partition {id}", topic.name()))?;
                watermarks.insert((topic.name().to_owned(), id), (low, high));
            }
        }
        Ok(watermarks)
    });
    fetched.await.context("fetch the watermarks")?
}

/// Whether the archiver's consumer group has members.
pub(crate) async fn group_has_members(settings: &KafkaSettings) -> anyhow::Result<bool> {
    let settings = settings.clone();
    let fetched = tokio::task::spawn_blocking(move || -> anyhow::Result<bool> {
        let observer = observer(&settings)?;
        let list = observer.client().fetch_group_list(Some(&settings.group), TIMEOUT).context("list the group")?;
        Ok(list.groups().iter().any(|group| !group.members().is_empty()))
    });
    fetched.await.context("list the group")?
}

/// The lag of each topic. A partition without an offset in the archive's log starts at its low watermark. Pure.
pub(crate) fn lags(watermarks: &Watermarks, archived: &BTreeMap<(String, i32), i64>) -> Vec<TopicLag> {
    let mut topics: BTreeMap<&str, TopicLag> = BTreeMap::new();
    for ((topic, partition), (low, high)) in watermarks {
        let from = archived.get(&(topic.clone(), *partition)).copied().unwrap_or(*low).max(*low);
        let entry = topics.entry(topic).or_insert_with(|| TopicLag { topic: topic.clone(), partitions: 0, lag: 0 });
        entry.partitions += 1;
        entry.lag += (high - from).max(0);
    }
    topics.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_kafka_has_and_the_archive_does_not() {
        let at = |topic: &str, partition: i32| (topic.to_owned(), partition);
        let watermarks = Watermarks::from([
            (at("events", 0), (0, 10)),
            (at("events", 1), (5, 9)),
            (at("events", 2), (0, 3)),
            (at("recordings", 0), (0, 0)),
        ]);
        // Partition 1 was never archived. The log is ahead of partition 2, as after the broker's folder was deleted.
        let archived = BTreeMap::from([(at("events", 0), 7), (at("events", 2), 8)]);
        let lags = lags(&watermarks, &archived);
        assert_eq!(lags[0], TopicLag { topic: "events".to_owned(), partitions: 3, lag: 3 + 4 });
        assert_eq!(lags[1].lag, 0);
    }
}
