//! Deletes archived records from the embedded broker, which has no retention of its own.

use super::{KafkaContext, KafkaError, KafkaSettings};
use holdfast_archive::TableLog;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the broker may take for a deletion.
const DELETE_TIMEOUT: Duration = Duration::from_secs(30);

/// Deletes the archived records of both topics, at intervals of `every`, until `stop`. The log of `events` names the
/// archived offsets. A failed pass is logged, and the next one deletes the same records.
///
/// # Errors
/// The client cannot be created.
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
                tracing::warn!(%error, "cannot read the archived offsets; the broker keeps its records");
                continue;
            }
        };
        let pending = pending(&archived, &trimmed, &[&settings.events_topic, &settings.recordings_topic]);
        if pending.is_empty() {
            continue;
        }
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in &pending {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next)).map_err(KafkaError::client)?;
        }
        match admin.delete_records(&list, &AdminOptions::new().operation_timeout(Some(DELETE_TIMEOUT))).await {
            Ok(_) => trimmed.extend(pending),
            Err(error) => tracing::warn!(%error, "cannot delete archived records from the broker; retrying later"),
        }
    }
    Ok(())
}

/// What has been archived since the last pass, in the given topics.
fn pending(
    archived: &BTreeMap<(String, i32), i64>,
    trimmed: &BTreeMap<(String, i32), i64>,
    topics: &[&str],
) -> BTreeMap<(String, i32), i64> {
    archived
        .iter()
        .filter(|(partition, next)| topics.contains(&partition.0.as_str()) && trimmed.get(*partition) != Some(*next))
        .map(|(partition, next)| (partition.clone(), *next))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newly_archived_records_of_the_given_topics_are_deleted() {
        let at = |entries: &[(&str, i32, i64)]| {
            entries.iter().map(|(topic, partition, next)| (((*topic).to_owned(), *partition), *next)).collect()
        };
        let archived = at(&[("e", 0, 5), ("e", 1, 7), ("other", 0, 9)]);
        let trimmed = at(&[("e", 0, 5), ("e", 1, 6)]);
        assert_eq!(pending(&archived, &trimmed, &["e", "r"]), at(&[("e", 1, 7)]));
    }
}
