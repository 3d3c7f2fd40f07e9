//! The librdkafka configuration of each kind of client. Pure.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::{KafkaError, KafkaSettings};

/// Bytes of a record besides its value: key, headers, framing.
const RECORD_OVERHEAD: usize = 256 * 1024;

/// Why a setting is protected.
const DURABLE: &str = "an acknowledged event must never be lost or duplicated";
const OFFSETS: &str = "the archive stores offsets, in the same commit as the events";
const COMMITTED: &str = "events of an aborted transaction must not be archived";
const ASSIGNMENT: &str = "the archiver's handling of rebalances depends on it";
const OWN_KEY: &str = "it has a key of its own in the section [kafka]";

/// Settings that the operator cannot set, with their aliases.
const PROTECTED: &[(&str, &str)] = &[
    ("acks", DURABLE),
    ("request.required.acks", DURABLE),
    ("enable.idempotence", DURABLE),
    ("enable.gapless.guarantee", DURABLE),
    ("max.in.flight", DURABLE),
    ("max.in.flight.requests.per.connection", DURABLE),
    ("retries", DURABLE),
    ("message.send.max.retries", DURABLE),
    ("queuing.strategy", DURABLE),
    ("transactional.id", DURABLE),
    ("check.crcs", DURABLE),
    ("enable.auto.commit", OFFSETS),
    ("auto.commit.enable", OFFSETS),
    ("auto.commit.interval.ms", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("auto.offset.reset", OFFSETS),
    ("isolation.level", COMMITTED),
    ("partition.assignment.strategy", ASSIGNMENT),
    ("group.protocol", ASSIGNMENT),
    ("group.remote.assignor", ASSIGNMENT),
    ("bootstrap.servers", OWN_KEY),
    ("metadata.broker.list", OWN_KEY),
    ("group.id", OWN_KEY),
    ("delivery.timeout.ms", OWN_KEY),
    ("message.timeout.ms", OWN_KEY),
    ("queued.max.messages.kbytes", OWN_KEY),
    ("log.queue", "librdkafka's log is part of Holdfast's log"),
    ("allow.auto.create.topics", "topics are created with the settings that they need, or not at all"),
];

/// Partitioners that send equal keys to one partition, so that a session keeps its order.
const KEYED_PARTITIONERS: [&str; 6] =
    ["consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"];

impl KafkaSettings {
    /// Checks the settings without a connection to a broker.
    ///
    /// # Errors
    /// A protected setting, or settings that contradict each other.
    pub fn validate(&self) -> Result<(), KafkaError> {
        for (key, value) in &self.settings {
            if let Some((_, reason)) = PROTECTED.iter().find(|(name, _)| name == key) {
                return Err(KafkaError::ProtectedSetting { key: key.clone(), reason });
            }
            if key == "partitioner" && !KEYED_PARTITIONERS.contains(&value.as_str()) {
                return Err(KafkaError::ProtectedSetting {
                    key: key.clone(),
                    reason: "events of a session must stay in order: use murmur2_random or consistent_random",
                });
            }
        }
        if self.brokers.trim().is_empty() {
            return Err(KafkaError::Settings("kafka.brokers is empty; name the bootstrap servers"));
        }
        if self.partitions < 1 {
            return Err(KafkaError::Settings("kafka.partitions must be at least 1"));
        }
        if self.replication < 1 && self.replication != -1 {
            return Err(KafkaError::Settings("kafka.replication must be at least 1, or -1 for the cluster's default"));
        }
        if self.uses_oauthbearer() && self.oauth_token_file.is_none() && !self.has_own_oauth_method() {
            return Err(KafkaError::Settings(
                "kafka.settings requires OAUTHBEARER; name the file with the token in kafka.oauth_token_file",
            ));
        }
        if self.oauth_token_file.is_some() && !self.uses_oauthbearer() {
            return Err(KafkaError::Settings(
                "kafka.oauth_token_file is set but not used; set sasl.mechanisms to OAUTHBEARER in kafka.settings",
            ));
        }
        Ok(())
    }

    fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    fn uses_oauthbearer(&self) -> bool {
        ["sasl.mechanism", "sasl.mechanisms"]
            .iter()
            .any(|name| self.setting(name).is_some_and(|value| value.eq_ignore_ascii_case("OAUTHBEARER")))
    }

    /// Whether librdkafka fetches its tokens itself.
    fn has_own_oauth_method(&self) -> bool {
        self.setting("sasl.oauthbearer.method").is_some_and(|method| method.eq_ignore_ascii_case("oidc"))
            || self.setting("enable.sasl.oauthbearer.unsecure.jwt") == Some("true")
    }

    /// For the producer: idempotent, acknowledged by all in-sync replicas.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn producer_config(&self) -> Result<ClientConfig, KafkaError> {
        let defaults = [
            ("client.id", "holdfast".to_owned()),
            // Short enough that a sender does not notice, long enough to fill batches under load.
            ("linger.ms", "5".to_owned()),
            ("compression.type", "lz4".to_owned()),
            ("batch.num.messages", "20000".to_owned()),
            ("queue.buffering.max.messages", "1000000".to_owned()),
            // The partitioner of the Java clients, so that a session stays on one partition with every producer.
            ("partitioner", "murmur2_random".to_owned()),
            ("socket.keepalive.enable", "true".to_owned()),
        ];
        let fixed = [
            ("enable.idempotence", "true".to_owned()),
            ("acks", "all".to_owned()),
            ("allow.auto.create.topics", "false".to_owned()),
            ("delivery.timeout.ms", self.delivery_timeout.as_millis().max(1_000).to_string()),
            ("message.max.bytes", self.largest_message().to_string()),
            ("queue.buffering.max.kbytes", (self.producer_queue_bytes / 1024).max(1024).to_string()),
        ];
        Ok(without_consumer_settings(self.config(defaults, fixed)?))
    }

    /// For the archiver's consumer. The assignment sets its start offsets; the group's offsets are not used.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn consumer_config(&self) -> Result<ClientConfig, KafkaError> {
        let defaults = [
            ("client.id", "holdfast".to_owned()),
            // The partitions of a process that crashed are reassigned after this time.
            ("session.timeout.ms", "15000".to_owned()),
            ("fetch.wait.max.ms", "100".to_owned()),
            // By default, librdkafka waits a whole second after a full queue before it fetches again.
            ("fetch.queue.backoff.ms", "20".to_owned()),
            ("fetch.message.max.bytes", (4 << 20).to_string()),
            ("queued.min.messages", "200000".to_owned()),
            ("socket.keepalive.enable", "true".to_owned()),
        ];
        let fixed = [
            ("group.id", self.group.clone()),
            ("group.protocol", "classic".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            // An offset that Kafka no longer has is reported as an error, and never skipped silently.
            ("auto.offset.reset", "error".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            // `range` is an eager assignor: all partitions are revoked before they are reassigned. It assigns a
            // session's events and chunks, which have the same partition number, to one consumer.
            ("partition.assignment.strategy", "range".to_owned()),
            ("check.crcs", "true".to_owned()),
            ("allow.auto.create.topics", "false".to_owned()),
            ("message.max.bytes", self.largest_message().to_string()),
            ("queued.max.messages.kbytes", (self.queue_bytes / 1024).max(1).to_string()),
        ];
        self.config(defaults, fixed)
    }

    /// For requests about topics and groups.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn admin_config(&self) -> Result<ClientConfig, KafkaError> {
        Ok(without_consumer_settings(self.config([("client.id", "holdfast".to_owned())], [])?))
    }

    /// The largest message of any topic, framing included.
    fn largest_message(&self) -> usize {
        self.max_event_bytes.max(self.max_recording_bytes) + RECORD_OVERHEAD
    }

    fn config<const D: usize, const F: usize>(
        &self,
        defaults: [(&str, String); D],
        fixed: [(&str, String); F],
    ) -> Result<ClientConfig, KafkaError> {
        self.validate()?;
        let mut config = ClientConfig::new();
        for (key, value) in defaults {
            // The operator may use an alias. With both names set, either value could win.
            if !aliases(key).iter().any(|alias| self.settings.contains_key(*alias)) {
                config.set(key, value);
            }
        }
        for (key, value) in &self.settings {
            config.set(key, value);
        }
        for (key, value) in fixed {
            if self.settings.contains_key(key) {
                return Err(KafkaError::ProtectedSetting { key: key.to_owned(), reason: OWN_KEY });
            }
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config.set_log_level(log_level());
        Ok(config)
    }
}

/// Settings for consumers only, which `kafka.settings` sets for all clients.
const CONSUMER_SETTINGS: [&str; 2] = ["session.timeout.ms", "heartbeat.interval.ms"];

/// Removes the settings for consumers: other clients log a warning about them.
fn without_consumer_settings(mut config: ClientConfig) -> ClientConfig {
    for name in CONSUMER_SETTINGS {
        config.remove(name);
    }
    config
}

/// Other names of a setting that has a default here.
fn aliases(key: &str) -> &'static [&'static str] {
    match key {
        "linger.ms" => &["queue.buffering.max.ms"],
        "compression.type" => &["compression.codec"],
        "fetch.message.max.bytes" => &["max.partition.fetch.bytes"],
        _ => &[],
    }
}

/// Lets librdkafka filter the messages that this process's log filter would drop.
fn log_level() -> RDKafkaLogLevel {
    if tracing::enabled!(target: super::context::LOG_TARGET, tracing::Level::DEBUG) {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Info
    }
}
