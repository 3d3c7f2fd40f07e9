//! The settings of the Kafka clients.

use std::collections::BTreeMap;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use anyhow::bail;
use holdfast_ingest::kafka::KafkaSettings;

use crate::config::Settings;

/// Bytes of a message in addition to its payload: key, headers, framing of its batch.
const MESSAGE_OVERHEAD_BYTES: usize = 128 << 10;

/// Whether Kafka is the built-in broker.
pub(crate) fn is_built_in(settings: &Settings) -> bool {
    settings.config.kafka.brokers.trim().is_empty()
}

/// Settings for clients of the cluster, or of the built-in broker at `address`.
pub(crate) fn settings(settings: &Settings, address: Option<std::net::SocketAddr>) -> anyhow::Result<KafkaSettings> {
    let kafka = &settings.config.kafka;
    if kafka.oauth_token_file.get().is_none() && settings.oauth_token()?.is_some() {
        bail!("a token in HOLDFAST__KAFKA__OAUTH_TOKEN cannot be renewed; name a file in kafka.oauth_token_file");
    }
    let mut passed: BTreeMap<String, String> =
        settings.kafka_settings()?.into_iter().map(|(name, value)| (name, value.expose_secret().to_owned())).collect();
    if address.is_some() {
        // Broker and archiver are one process. A member of the group that did not leave has died with its broker, and
        // the next one should not wait long for its timeout.
        for (name, value) in [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")] {
            passed.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    let defaults = KafkaSettings::default();
    Ok(KafkaSettings {
        brokers: address.map_or_else(|| kafka.brokers.clone(), |address| address.to_string()),
        group: kafka.group.clone(),
        events_topic: kafka.events_topic.clone(),
        recordings_topic: kafka.recordings_topic.clone(),
        alerts_topic: kafka.alerts_topic.clone(),
        partitions: kafka.partitions,
        // The built-in broker is one.
        replication: if address.is_some() { 1 } else { kafka.replication },
        // The built-in broker must not delete messages before they are archived, however long that takes.
        retention: if address.is_some() { None } else { defaults.retention },
        max_event_bytes: settings.config.gateway.max_event_bytes + MESSAGE_OVERHEAD_BYTES,
        max_recording_bytes: settings.config.gateway.max_chunk_bytes + MESSAGE_OVERHEAD_BYTES,
        queue_bytes: kafka.queue_bytes,
        producer_queue_bytes: defaults.producer_queue_bytes,
        delivery_timeout: Duration::from_secs(kafka.delivery_timeout_seconds),
        settings: passed,
        oauth_token_file: kafka.oauth_token_file.get().map(|path| settings.resolve(path)),
    })
}
