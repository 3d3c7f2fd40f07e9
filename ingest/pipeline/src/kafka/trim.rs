//! Deleting from the broker what the archive has: for the embedded broker, which keeps everything otherwise.

use super::{KafkaContext, KafkaError, KafkaSettings};
use holdfast_archive::TableLog;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the broker may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Deletes, every `every`, the records of both topics that the log says are archived, until `stop`. A pass that fails is
/// told and made again later: what is not deleted is only kept longer.
///
/// # Errors
/// The client cannot be set up.
pub async fn trim_archived(
    settings: &KafkaSettings,
    log: &TableLog,
    every: Duration,
    stop: &CancellationToken,
) -> Result<(), KafkaError> {
    let admin = AdminClient::from_config_and_context(&settings.admin_config()?, KafkaContext::new(settings))
        .map_err(KafkaError::client)?;
    let mut trimmed = BTreeMap::new();
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let archived = match log.offsets().await {
            Ok(offsets) => offsets,
            Err(error) => {
                tracing::warn!(%error, "cannot read how far the archive is; the broker keeps what it has");
                continue;
            }
        };
        let news = news(&archived, &trimmed, &[&settings.events_topic, &settings.recordings_topic]);
        if news.is_empty() {
            continue;
        }
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in &news {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next)).map_err(KafkaError::client)?;
        }
        match admin.delete_records(&list, &AdminOptions::new().operation_timeout(Some(LIMIT))).await {
            Ok(_) => trimmed.extend(news),
            Err(error) => tracing::warn!(%error, "the broker keeps what is archived; trying again later"),
        }
    }
    Ok(())
}

/// What has been archived since the last pass, of the topics that are ours.
fn news(
    archived: &BTreeMap<(String, i32), i64>,
    trimmed: &BTreeMap<(String, i32), i64>,
    topics: &[&str],
) -> BTreeMap<(String, i32), i64> {
    archived
        .iter()
        .filter(|(place, next)| topics.contains(&place.0.as_str()) && trimmed.get(*place) != Some(*next))
        .map(|(place, next)| (place.clone(), *next))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_and_ours_is_deleted() {
        let at = |entries: &[(&str, i32, i64)]| {
            entries.iter().map(|(topic, partition, next)| (((*topic).to_owned(), *partition), *next)).collect()
        };
        let archived = at(&[("e", 0, 5), ("e", 1, 7), ("other", 0, 9)]);
        let trimmed = at(&[("e", 0, 5), ("e", 1, 6)]);
        assert_eq!(news(&archived, &trimmed, &["e", "r"]), at(&[("e", 1, 7)]));
    }
}
