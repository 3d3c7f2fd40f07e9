//! On how many disks an event is when Kafka acknowledges it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{Producer as _, ThreadedProducer};

use super::topics::setting;
use super::{KafkaContext, KafkaError, KafkaSettings};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// For each topic with events whose acknowledgement may be worth one disk, a sentence with its name and what to do.
///
/// # Errors
/// No broker responds, or the cluster does not permit the requests.
pub async fn single_copies(settings: &KafkaSettings) -> Result<Vec<String>, KafkaError> {
    let replicas = replicas(settings).await?;
    let mut found = Vec::new();
    for topic in [&settings.events_topic, &settings.recordings_topic] {
        let Some(replicas) = replicas.get(topic) else { continue };
        let minimum = setting(settings, topic, "min.insync.replicas").await?;
        found.extend(single_copy(topic, *replicas, minimum.parse().unwrap_or(1), &settings.brokers));
    }
    Ok(found)
}

/// The sentence about a topic, of whose partitions none has fewer replicas; `None` if two must acknowledge.
fn single_copy(topic: &str, replicas: usize, minimum: u32, brokers: &str) -> Option<String> {
    let command = format!(
        "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {topic} --add-config \
         min.insync.replicas=2"
    );
    if replicas < 2 {
        return Some(format!(
            "an event of the topic {topic} is on one disk when it is acknowledged, because the topic has one replica; \
             give it more with kafka-reassign-partitions.sh, and then run: {command}"
        ));
    }
    (minimum < 2).then(|| {
        format!(
            "an event of the topic {topic} may be on one disk when it is acknowledged, because its min.insync.replicas is \
             {minimum}; run: {command}"
        )
    })
}

/// The least number of replicas of a partition, of each topic.
async fn replicas(settings: &KafkaSettings) -> Result<BTreeMap<String, usize>, KafkaError> {
    let client: ThreadedProducer<KafkaContext> =
        ThreadedProducer::from_config_and_context(&settings.admin_config()?, KafkaContext::new(settings))
            .map_err(KafkaError::client)?;
    // Stopping a client joins its threads.
    let listing = tokio::task::spawn_blocking(move || {
        // All topics: a request for one by name would let a broker create it.
        client.client().fetch_metadata(None, REQUEST_TIMEOUT).map(|metadata| {
            let least = |topic: &rdkafka::metadata::MetadataTopic| {
                topic.partitions().iter().map(|partition| partition.replicas().len()).min()
            };
            metadata.topics().iter().filter_map(|topic| Some((topic.name().to_owned(), least(topic)?))).collect()
        })
    });
    listing
        .await
        .map_err(|_| KafkaError::Settings("the listing of topics was interrupted"))?
        .map_err(|error| KafkaError::request("list topics", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_unless_two_disks_must_have_its_events() {
        let of = |replicas, minimum| single_copy("holdfast.events", replicas, minimum, "b-1:9092");
        for (replicas, minimum) in [(2, 2), (3, 2), (3, 3), (usize::MAX, u32::MAX)] {
            assert_eq!(of(replicas, minimum), None);
        }
        let command = "kafka-configs.sh --bootstrap-server b-1:9092 --alter --entity-type topics --entity-name \
                       holdfast.events --add-config min.insync.replicas=2";
        for (replicas, minimum) in [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 0)] {
            let found = of(replicas, minimum).unwrap();
            assert!(found.ends_with(command), "{found}");
            assert_eq!(found.contains("one replica"), replicas < 2, "{found}");
        }
    }
}
