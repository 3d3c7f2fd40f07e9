//! The audit trail: access records are events, and go through Kafka like all others.
//!
//! ```text
//! access ─▶ CloudEvent archive.queried | viewed | exported | denied ─▶ Kafka ─▶ acknowledged ─▶ access is granted
//! ```
//!
//! A record that Kafka has acknowledged is archived exactly once, and covered by the proof log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use holdfast_ingest::gateway::Clock;
use holdfast_ingest::producer::{KafkaProducer, PublishError, Publisher, Record};
use holdfast_query::{
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Subjects, Unrecorded,
};
use serde_json::{Map, Value, json};

/// The source of the records (CloudEvents `source`).
const SOURCE: &str = "holdfast:access";
/// Longer texts of a client are cut in the record, because a message must fit into Kafka.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Attempts to send while the producer's queue is full.
const MAX_ATTEMPTS: usize = 20;
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// How long a start waits for the topic's metadata.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes access records to the topic of events.
pub(crate) struct KafkaAuditTrail {
    producer: Arc<KafkaProducer>,
    topic: String,
    clock: Clock,
    acknowledgement_timeout: Duration,
}

impl KafkaAuditTrail {
    /// Blocks for up to two seconds when Kafka does not answer.
    pub(crate) fn new(
        producer: Arc<KafkaProducer>,
        topic: String,
        clock: Clock,
        acknowledgement_timeout: Duration,
    ) -> Self {
        if let Err(error) = producer.locate(&topic, METADATA_TIMEOUT) {
            tracing::debug!("the first access record may take a second longer: {error}");
        }
        Self { producer, topic, clock, acknowledgement_timeout }
    }

    async fn publish(&self, user: &str, event: &Value) -> Result<(), Unrecorded> {
        let value = event.to_string();
        let record = Record { topic: &self.topic, key: user.as_bytes(), value: value.as_bytes(), headers: &[] };
        for _ in 0..MAX_ATTEMPTS {
            let delivery = match self.producer.publish(record) {
                Ok(delivery) => delivery,
                Err(PublishError::Busy) => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    continue;
                }
                Err(error) => return Err(Unrecorded(error.to_string())),
            };
            return match tokio::time::timeout(self.acknowledgement_timeout, delivery).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(Unrecorded(error.to_string())),
                Err(_) => Err(Unrecorded("Kafka did not acknowledge in time".to_owned())),
            };
        }
        Err(Unrecorded("the queue to Kafka stays full".to_owned()))
    }
}

/// The event of a record. `time` is RFC 3339.
fn event(id: &str, event_type: &str, user: &str, time: &str, data: Map<String, Value>) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": event_type,
        // A subject must not be empty, and the name of a refused login may be.
        "subject": if user.is_empty() { "unknown" } else { user },
        "time": time,
        "data": data,
    })
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The members that all records of a user's access have.
fn user_data(user: &AuthenticatedUser) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("user".to_owned(), user.name.clone().into());
    data.insert("role".to_owned(), user.role.clone().into());
    data.insert("interface".to_owned(), user.interface.name().into());
    if let Some(remote) = &user.remote {
        data.insert("remote_ip".to_owned(), remote.clone().into());
    }
    data
}

fn begin(id: &str, user: &AuthenticatedUser, record: &AccessRecord, time: &str) -> Value {
    let mut data = user_data(user);
    data.insert("access_id".to_owned(), id.into());
    data.insert("stage".to_owned(), "begun".into());
    data.insert("statement".to_owned(), cut(&record.statement).into());
    if let Some(purpose) = &record.purpose {
        data.insert("purpose".to_owned(), cut(purpose).into());
    }
    event(id, record.kind.event_type(), &user.name, time, data)
}

fn end(id: &str, kind: AccessKind, user: &AuthenticatedUser, ending: &AccessEnd, time: &str) -> Value {
    let mut data = user_data(user);
    data.insert("access_id".to_owned(), id.into());
    data.insert("stage".to_owned(), "ended".into());
    data.insert("outcome".to_owned(), ending.outcome.name().into());
    data.insert("rows".to_owned(), ending.rows.into());
    data.insert("bytes".to_owned(), ending.bytes.into());
    data.insert("duration".to_owned(), ending.duration.as_secs_f64().into());
    match &ending.subjects {
        Subjects::Of(subjects) if subjects.is_empty() => {}
        Subjects::Of(subjects) => _ = data.insert("subjects".to_owned(), subjects.clone().into()),
        Subjects::All => _ = data.insert("all_subjects".to_owned(), true.into()),
    }
    event(&format!("{id}/end"), kind.event_type(), &user.name, time, data)
}

fn denied(id: &str, denial: &Denial, time: &str) -> Value {
    let mut data = Map::new();
    data.insert("user".to_owned(), cut(&denial.user).into());
    data.insert("interface".to_owned(), denial.interface.name().into());
    data.insert("reason".to_owned(), denial.reason.clone().into());
    data.insert("access_id".to_owned(), id.into());
    if let Some(remote) = &denial.remote {
        data.insert("remote_ip".to_owned(), remote.clone().into());
    }
    event(id, "archive.denied", cut(&denial.user), time, data)
}

#[async_trait]
impl AuditTrail for KafkaAuditTrail {
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        let id = uuid::Uuid::now_v7().to_string();
        self.publish(&user.name, &begin(&id, user, record, &(self.clock)().to_string())).await?;
        Ok(AccessId(id))
    }

    async fn end(
        &self,
        user: &AuthenticatedUser,
        record: &AccessRecord,
        id: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        self.publish(&user.name, &end(&id.0, record.kind, user, ending, &(self.clock)().to_string())).await
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        let id = uuid::Uuid::now_v7().to_string();
        self.publish(&denial.user, &denied(&id, denial, &(self.clock)().to_string())).await
    }
}

#[cfg(test)]
mod tests {
    use holdfast_query::{Interface, Outcome};

    use super::*;

    fn user() -> AuthenticatedUser {
        AuthenticatedUser {
            name: "ada".into(),
            role: "manager".into(),
            interface: Interface::Postgres,
            remote: Some("192.0.2.7".into()),
        }
    }

    #[test]
    fn records_are_valid_events_of_the_catalogue() {
        let record = AccessRecord {
            kind: AccessKind::Queried,
            statement: "select \u{1F512} ".repeat(20_000),
            purpose: Some("audit".to_owned()),
        };
        let mut ending = AccessEnd {
            rows: 3,
            bytes: 100,
            duration: Duration::from_millis(1500),
            outcome: Outcome::Complete,
            subjects: Subjects::Of(vec!["S-1".to_owned()]),
        };
        let denial = Denial {
            user: String::new(),
            interface: Interface::Http,
            remote: None,
            reason: "the token is not known".to_owned(),
        };
        let time = "2026-01-31T12:00:00Z";
        let mut events = vec![
            begin("1", &user(), &record, time),
            end("1", AccessKind::Queried, &user(), &ending, time),
            denied("2", &denial, time),
        ];
        ending.subjects = Subjects::All;
        events.push(end("3", AccessKind::Exported, &user(), &ending, time));
        for event in events {
            let bytes = event.to_string();
            assert!(bytes.len() < 100_000);
            let decoded = holdfast_events::decode_structured(bytes.as_bytes()).unwrap();
            assert_eq!(decoded.problems(), None, "{bytes}");
        }
    }
}
