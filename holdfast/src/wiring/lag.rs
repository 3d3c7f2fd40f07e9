//! The consumer lag of the archive: the high watermarks of the partitions minus the offsets in the archive's own log.

use std::collections::BTreeMap;

use anyhow::Context as _;
use holdfast_ingest::kafka::{KafkaSettings, Observer, Watermarks};
use serde::Serialize;

/// The lag of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TopicLag {
    pub(crate) topic: String,
    pub(crate) partitions: usize,
    /// Messages that Kafka has and the archive does not.
    pub(crate) lag: i64,
}

/// The watermarks of all partitions of the two topics that are archived. A missing topic has none.
pub(crate) async fn watermarks(settings: &KafkaSettings) -> anyhow::Result<Watermarks> {
    let settings = settings.clone();
    let fetched = tokio::task::spawn_blocking(move || -> anyhow::Result<Watermarks> {
        let observer = Observer::new(&settings)?;
        let partitions = observer.partitions(&[&settings.events_topic, &settings.recordings_topic])?;
        Ok(observer.watermarks(&partitions)?)
    });
    fetched.await.context("fetch the watermarks")?
}

/// Whether the archiver's consumer group has members.
pub(crate) async fn group_has_members(settings: &KafkaSettings) -> anyhow::Result<bool> {
    let settings = settings.clone();
    let fetched = tokio::task::spawn_blocking(move || -> anyhow::Result<bool> {
        Ok(Observer::new(&settings)?.members(&settings.group)? > 0)
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
