//! How far the archive is behind Kafka: the ends of the partitions against the offsets in the archive's own log.

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

const TIMEOUT: Duration = Duration::from_secs(5);

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TopicLag {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    /// Messages that Kafka has and the archive does not.
    pub(crate) lag: i64,
}

/// One past the last offset of a partition, by topic and partition.
pub(crate) type Ends = BTreeMap<(String, i32), (i64, i64)>;

/// A client that sends nothing. It is a producer because librdkafka renews its tokens without being asked.
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

/// First and next offset of every partition of the two topics that are archived. A topic that is missing has none.
pub(crate) async fn ends(settings: &KafkaSettings) -> anyhow::Result<Ends> {
    let settings = settings.clone();
    let asked = tokio::task::spawn_blocking(move || -> anyhow::Result<Ends> {
        let observer = observer(&settings)?;
        let client = observer.client();
        let metadata = client.fetch_metadata(None, TIMEOUT).context("list the topics")?;
        let mut ends = Ends::new();
        for topic in metadata.topics().iter().filter(|topic| topic.error().is_none()) {
            if ![&settings.events_topic, &settings.recordings_topic].iter().any(|name| *name == topic.name()) {
                continue;
            }
            for partition in topic.partitions() {
                let id = partition.id();
                let (low, high) = client
                    .fetch_watermarks(topic.name(), id, TIMEOUT)
                    .with_context(|| format!("ask for the end of {} partition {id}", topic.name()))?;
                ends.insert((topic.name().to_owned(), id), (low, high));
            }
        }
        Ok(ends)
    });
    asked.await.context("ask Kafka")?
}

/// Whether somebody is in the archiver's group.
pub(crate) async fn group_is_at_work(settings: &KafkaSettings) -> anyhow::Result<bool> {
    let settings = settings.clone();
    let asked = tokio::task::spawn_blocking(move || -> anyhow::Result<bool> {
        let observer = observer(&settings)?;
        let list = observer.client().fetch_group_list(Some(&settings.group), TIMEOUT).context("look at the group")?;
        Ok(list.groups().iter().any(|group| !group.members().is_empty()))
    });
    asked.await.context("ask Kafka")?
}

/// Sums up per topic. An offset that the archive's log lacks is the first that Kafka still has. Pure.
pub(crate) fn lags(ends: &Ends, archived: &BTreeMap<(String, i32), i64>) -> Vec<TopicLag> {
    let mut topics: BTreeMap<&str, TopicLag> = BTreeMap::new();
    for ((topic, partition), (low, high)) in ends {
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
        let ends = Ends::from([
            (at("events", 0), (0, 10)),
            (at("events", 1), (5, 9)),
            (at("events", 2), (0, 3)),
            (at("recordings", 0), (0, 0)),
        ]);
        // Partition 1 was never archived; partition 2's log is ahead, as after a broker that was made anew.
        let archived = BTreeMap::from([(at("events", 0), 7), (at("events", 2), 8)]);
        let lags = lags(&ends, &archived);
        assert_eq!(lags[0], TopicLag { topic: "events".to_owned(), partitions: 3, lag: 3 + 4 });
        assert_eq!(lags[1].lag, 0);
    }
}
