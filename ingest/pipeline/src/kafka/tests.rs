//! The configurations of the clients, and the settings that are rejected.

use std::path::PathBuf;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{BaseProducer, DefaultProducerContext};

use super::*;

fn with(settings: &[(&str, &str)]) -> KafkaSettings {
    KafkaSettings {
        settings: settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..KafkaSettings::default()
    }
}

#[test]
fn librdkafka_accepts_the_configurations() {
    let settings = with(&[("security.protocol", "SASL_SSL"), ("sasl.mechanisms", "SCRAM-SHA-512")]);
    let settings = KafkaSettings {
        settings: settings
            .settings
            .into_iter()
            .chain([("sasl.username".to_owned(), "u".to_owned()), ("sasl.password".to_owned(), "p".to_owned())])
            .collect(),
        ..settings
    };
    let producer = settings.producer_config().unwrap();
    BaseProducer::<DefaultProducerContext>::from_config_and_context(&producer, DefaultProducerContext).unwrap();
    let consumer = settings.consumer_config().unwrap();
    BaseConsumer::from_config_and_context(&consumer, KafkaContext::new(&settings)).unwrap();
    settings.admin_config().unwrap().create_native_config().unwrap();
}

#[test]
fn the_configurations_set_what_the_guarantees_depend_on() {
    let settings = with(&[("linger.ms", "20")]);
    let producer = settings.producer_config().unwrap();
    assert_eq!(producer.get("enable.idempotence"), Some("true"));
    assert_eq!(producer.get("acks"), Some("all"));
    assert_eq!(producer.get("linger.ms"), Some("20"));
    let consumer = settings.consumer_config().unwrap();
    assert_eq!(consumer.get("enable.auto.commit"), Some("false"));
    assert_eq!(consumer.get("isolation.level"), Some("read_committed"));
    assert_eq!(consumer.get("auto.offset.reset"), Some("error"));
    // An alias replaces the default.
    assert_eq!(with(&[("compression.codec", "zstd")]).producer_config().unwrap().get("compression.type"), None);
}

#[test]
fn a_setting_that_breaks_a_guarantee_is_rejected_by_name() {
    for (key, value) in [
        ("enable.idempotence", "false"),
        ("acks", "1"),
        ("request.required.acks", "0"),
        ("enable.auto.commit", "true"),
        ("auto.commit.enable", "true"),
        ("isolation.level", "read_uncommitted"),
        ("auto.offset.reset", "latest"),
        ("partition.assignment.strategy", "roundrobin"),
        ("bootstrap.servers", "elsewhere:9092"),
        ("group.id", "other"),
        ("partitioner", "random"),
    ] {
        let settings = with(&[(key, value)]);
        for refused in [settings.producer_config(), settings.consumer_config(), settings.admin_config()] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }
    assert!(with(&[("partitioner", "consistent_random")]).producer_config().is_ok());
}

#[test]
fn contradictory_settings_are_rejected() {
    let oauth = with(&[("sasl.mechanisms", "OAUTHBEARER")]);
    assert!(oauth.validate().unwrap_err().to_string().contains("kafka.oauth_token_file"));
    let with_file = KafkaSettings { oauth_token_file: Some(PathBuf::from("token")), ..oauth };
    with_file.validate().unwrap();
    let without_mechanism = KafkaSettings { settings: BTreeMap::new(), ..with_file };
    assert!(without_mechanism.validate().unwrap_err().to_string().contains("sasl.mechanisms"));
    for broken in [
        KafkaSettings { brokers: " ".to_owned(), ..KafkaSettings::default() },
        KafkaSettings { partitions: 0, ..KafkaSettings::default() },
        KafkaSettings { replication: 0, ..KafkaSettings::default() },
    ] {
        assert!(matches!(broken.validate(), Err(KafkaError::Settings(_))));
    }
}

#[test]
fn no_message_and_no_debug_output_contains_a_secret() {
    let settings = with(&[("sasl.password", "hunter2"), ("no.such.setting", "hunter2")]);
    assert!(!format!("{settings:?}").contains("hunter2"));
    let config = settings.producer_config().unwrap();
    let error = BaseProducer::<DefaultProducerContext>::from_config_and_context(&config, DefaultProducerContext)
        .map(drop)
        .map_err(KafkaError::client)
        .unwrap_err();
    assert!(matches!(&error, KafkaError::InvalidSetting { key, .. } if key == "no.such.setting"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn topics_are_specified_for_the_messages_they_carry() {
    let settings = KafkaSettings { replication: 3, ..KafkaSettings::default() };
    let specs = topic_specs(&settings);
    let value = |name: &str, key: &str| {
        let spec = specs.iter().find(|spec| spec.name == name).unwrap();
        spec.config.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    };
    assert_eq!(value("holdfast.recordings", "max.message.bytes"), Some("16777216"));
    assert_eq!(value("holdfast.events", "max.message.bytes"), Some("4194304"));
    assert_eq!(value("holdfast.events", "cleanup.policy"), Some("delete"));
    assert_eq!(value("holdfast.events", "retention.ms"), Some("604800000"));
    assert_eq!(value("holdfast.alerts", "min.insync.replicas"), Some("2"));

    let embedded = KafkaSettings { retention: None, replication: 1, ..KafkaSettings::default() };
    for spec in topic_specs(&embedded) {
        assert_eq!(spec.config.len(), 1, "{spec:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_topics_are_not_changed() {
    let cluster = rdkafka::mocking::MockCluster::new(1).unwrap();
    for name in ["holdfast.events", "holdfast.recordings", "holdfast.alerts"] {
        cluster.create_topic(name, 2, 1).unwrap();
    }
    let settings = KafkaSettings { brokers: cluster.bootstrap_servers(), ..KafkaSettings::default() };
    let report = ensure_topics(&settings).await.unwrap();
    assert_eq!(report.existing, ["holdfast.events", "holdfast.recordings", "holdfast.alerts"]);
    assert_eq!(report.created, Vec::<String>::new());
}
