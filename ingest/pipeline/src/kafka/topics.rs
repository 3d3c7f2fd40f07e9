//! The topics: their settings, and the creation of missing ones.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{Producer as _, ThreadedProducer};

use super::{KafkaContext, KafkaError, KafkaSettings};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a new topic may take until every partition has a leader.
const LEADER_TIMEOUT: Duration = Duration::from_secs(30);
const LEADER_PAUSE: Duration = Duration::from_millis(100);

/// A topic as it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas; -1 is the cluster's default.
    pub replication: i32,
    /// Its settings.
    pub config: Vec<(&'static str, String)>,
}

/// The result of [`ensure_topics`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicsReport {
    /// Topics that existed.
    pub existing: Vec<String>,
    /// Topics that were created.
    pub created: Vec<String>,
}

/// The topics that Holdfast needs. Pure.
pub fn topic_specs(settings: &KafkaSettings) -> Vec<TopicSpec> {
    let names = [
        (&settings.events_topic, settings.max_event_bytes),
        (&settings.recordings_topic, settings.max_recording_bytes),
        (&settings.alerts_topic, settings.max_event_bytes),
    ];
    names
        .into_iter()
        .map(|(name, max_bytes)| {
            let mut config = vec![("max.message.bytes", max_bytes.to_string())];
            if let Some(retention) = settings.retention {
                config.push(("cleanup.policy", "delete".to_owned()));
                config.push(("retention.ms", retention.as_millis().to_string()));
            }
            if settings.replication > 1 {
                // An event that only one replica has is lost with that replica.
                config.push(("min.insync.replicas", "2".to_owned()));
            }
            TopicSpec { name: name.clone(), partitions: settings.partitions, replication: settings.replication, config }
        })
        .collect()
}

/// Creates missing topics, and waits until all their partitions can be written to. Does not change existing topics.
///
/// # Errors
/// No broker responds, the cluster does not permit the creation, or a topic has no leader in time.
pub async fn ensure_topics(settings: &KafkaSettings) -> Result<TopicsReport, KafkaError> {
    let specs = topic_specs(settings);
    // A producer lists the topics: librdkafka does not deliver the token refresh of an admin client to its context.
    let config = settings.admin_config()?;
    let lister: Lister =
        ThreadedProducer::from_config_and_context(&config, KafkaContext::new(settings)).map_err(KafkaError::client)?;

    let found = leaders(&lister).await?;
    let (existing, missing): (Vec<_>, Vec<_>) = specs.iter().partition(|spec| found.all.contains(&spec.name));
    let mut report =
        TopicsReport { existing: existing.iter().map(|spec| spec.name.clone()).collect(), created: Vec::new() };
    if missing.is_empty() {
        return Ok(report);
    }
    if settings.oauth_token_file.is_some() {
        let names: Vec<_> = missing.iter().map(|spec| spec.name.as_str()).collect();
        return Err(KafkaError::MissingTopics { names: names.join(", ") });
    }
    create(settings, &missing, &mut report).await?;
    wait_for_leaders(&lister, &missing).await?;
    tracing::info!(created = ?report.created, "created topics");
    // Stopping a client joins its threads.
    let _ = tokio::task::spawn_blocking(move || drop(lister)).await;
    Ok(report)
}

async fn create(settings: &KafkaSettings, missing: &[&TopicSpec], report: &mut TopicsReport) -> Result<(), KafkaError> {
    let config = settings.admin_config()?;
    let admin =
        AdminClient::from_config_and_context(&config, KafkaContext::new(settings)).map_err(KafkaError::client)?;
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|spec| {
            let mut topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(spec.replication));
            for (key, value) in &spec.config {
                topic = topic.set(key, value);
            }
            topic
        })
        .collect();
    let options =
        AdminOptions::new().operation_timeout(Some(REQUEST_TIMEOUT)).request_timeout(Some(REQUEST_TIMEOUT * 2));
    let results =
        admin.create_topics(&topics, &options).await.map_err(|error| KafkaError::request("create topics", &error))?;
    for result in results {
        match result {
            Ok(name) => report.created.push(name),
            // Another process has created it meanwhile.
            Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => report.existing.push(name),
            Err((name, code)) => {
                return Err(KafkaError::Request {
                    doing: format!("create topic {name}"),
                    reason: format!("{code}; create it by hand, or set kafka.create_topics to false"),
                });
            }
        }
    }
    let _ = tokio::task::spawn_blocking(move || drop(admin)).await;
    Ok(())
}

/// A topic's `cleanup.policy`, such as `delete` or `compact`.
///
/// # Errors
/// No broker responds, or the cluster does not permit the request.
pub async fn cleanup_policy(settings: &KafkaSettings, topic: &str) -> Result<String, KafkaError> {
    setting(settings, topic, "cleanup.policy").await
}

/// The value of a topic's setting, which may be the cluster's default.
pub(super) async fn setting(settings: &KafkaSettings, topic: &str, name: &str) -> Result<String, KafkaError> {
    let failed = |reason: String| KafkaError::Request { doing: format!("read the settings of {topic}"), reason };
    let admin = AdminClient::from_config_and_context(&settings.admin_config()?, KafkaContext::new(settings))
        .map_err(KafkaError::client)?;
    let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
    let described = admin
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &options)
        .await
        .map_err(|error| failed(error.to_string()));
    let _ = tokio::task::spawn_blocking(move || drop(admin)).await;
    let resource = described?.into_iter().next().ok_or_else(|| failed("the response is empty".to_owned()))?;
    let resource = resource.map_err(|code| failed(code.to_string()))?;
    let entry = resource.get(name).and_then(|entry| entry.value.clone());
    entry.ok_or_else(|| failed(format!("the response has no {name}")))
}

/// A client that lists topics.
type Lister = ThreadedProducer<KafkaContext>;

/// The cluster's topics.
struct Found {
    all: BTreeSet<String>,
    /// Topics whose partitions all have a leader.
    ready: BTreeSet<String>,
}

async fn leaders(lister: &Lister) -> Result<Found, KafkaError> {
    let lister = lister.clone();
    let listing = tokio::task::spawn_blocking(move || {
        // All topics: a request for one by name would let a broker create it with the broker's defaults.
        lister.client().fetch_metadata(None, REQUEST_TIMEOUT).map(|metadata| {
            let mut found = Found { all: BTreeSet::new(), ready: BTreeSet::new() };
            for topic in metadata.topics().iter().filter(|topic| topic.error().is_none()) {
                found.all.insert(topic.name().to_owned());
                if !topic.partitions().is_empty() && topic.partitions().iter().all(|partition| partition.leader() >= 0)
                {
                    found.ready.insert(topic.name().to_owned());
                }
            }
            found
        })
    });
    listing
        .await
        .map_err(|_| KafkaError::Settings("the listing of topics was interrupted"))?
        .map_err(|error| KafkaError::request("list topics", &error))
}

async fn wait_for_leaders(lister: &Lister, specs: &[&TopicSpec]) -> Result<(), KafkaError> {
    let deadline = tokio::time::Instant::now() + LEADER_TIMEOUT;
    loop {
        let found = leaders(lister).await?;
        let Some(pending) = specs.iter().find(|spec| !found.ready.contains(&spec.name)) else { return Ok(()) };
        if tokio::time::Instant::now() >= deadline {
            return Err(KafkaError::Request {
                doing: format!("use the new topic {}", pending.name),
                reason: "its partitions have no leader; see the cluster's log".to_owned(),
            });
        }
        tokio::time::sleep(LEADER_PAUSE).await;
    }
}
