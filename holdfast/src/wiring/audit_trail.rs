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
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Reads, Subjects, Unrecorded,
};
use serde_json::{Map, Value, json};

/// The source of the records (CloudEvents `source`).
const SOURCE: &str = "holdfast:access";
/// Longer names, roles, addresses and reasons are cut in the record, because a message must fit into Kafka. Statements
/// and purposes are whole: the engine refuses longer ones.
const MAX_NAME_BYTES: usize = 256;
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
        let (key, value) = (subject(user), event.to_string());
        let record = Record { topic: &self.topic, key: key.as_bytes(), value: value.as_bytes(), headers: &[] };
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
        "subject": subject(user),
        "time": time,
        "data": data,
    })
}

/// The subject of a user's records, and their key in Kafka. It must not be empty, and the name of a refused login may be.
fn subject(user: &str) -> String {
    if user.is_empty() { "unknown".to_owned() } else { visible(user, MAX_NAME_BYTES) }
}

/// A short text of a client, as records have it: a control character is its escape, such as `\u{9}`, and a text of more
/// than `max_bytes` ends with `…`. No text makes an invalid event, so no record becomes a dead letter.
fn visible(text: &str, max_bytes: usize) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        let before = shown.len();
        if letter.is_control() {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
        if shown.len() > max_bytes {
            shown.truncate(before);
            shown.push('…');
            break;
        }
    }
    shown
}

/// The members that all records of a user's access have.
fn user_data(user: &AuthenticatedUser) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("user".to_owned(), visible(&user.name, MAX_NAME_BYTES).into());
    data.insert("role".to_owned(), visible(&user.role, MAX_NAME_BYTES).into());
    data.insert("interface".to_owned(), user.interface.name().into());
    if let Some(remote) = &user.remote {
        data.insert("remote_ip".to_owned(), visible(remote, MAX_NAME_BYTES).into());
    }
    data
}

fn begin(id: &str, user: &AuthenticatedUser, record: &AccessRecord, time: &str) -> Value {
    let mut data = user_data(user);
    data.insert("access_id".to_owned(), id.into());
    data.insert("stage".to_owned(), "begun".into());
    data.insert("statement".to_owned(), record.statement.clone().into());
    if let Some(purpose) = &record.purpose {
        data.insert("purpose".to_owned(), visible(purpose, usize::MAX).into());
    }
    insert_reads(&mut data, &record.reads);
    event(id, record.kind.event_type(), &user.name, time, data)
}

/// What the access may read. It counts if the access has no end on record.
fn insert_reads(data: &mut Map<String, Value>, reads: &Reads) {
    data.insert("tables".to_owned(), reads.tables.iter().cloned().collect());
    data.insert("tiers".to_owned(), reads.tiers.iter().map(|tier| tier.name()).collect());
    if reads.all_subjects {
        data.insert("all_subjects".to_owned(), true.into());
    }
    for (field, names) in [("subjects", &reads.subjects), ("customers", &reads.customers), ("tickets", &reads.tickets)]
    {
        if !names.is_empty() {
            data.insert(field.to_owned(), names.iter().cloned().collect());
        }
    }
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
    data.insert("user".to_owned(), visible(&denial.user, MAX_NAME_BYTES).into());
    data.insert("interface".to_owned(), denial.interface.name().into());
    data.insert("reason".to_owned(), visible(&denial.reason, MAX_NAME_BYTES).into());
    data.insert("access_id".to_owned(), id.into());
    if let Some(remote) = &denial.remote {
        data.insert("remote_ip".to_owned(), visible(remote, MAX_NAME_BYTES).into());
    }
    event(id, "archive.denied", &denial.user, time, data)
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
            statement: "select \u{1F512}\n".repeat(40_000),
            purpose: Some("audit".to_owned()),
            reads: Reads::everything_of("S-1"),
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
            assert!(bytes.len() < 4 << 20);
            let decoded = holdfast_events::decode_structured(bytes.as_bytes()).unwrap();
            assert_eq!(decoded.problems(), None, "{bytes}");
        }
    }

    #[test]
    fn the_record_of_a_beginning_is_whole_and_says_what_may_be_read() {
        let statement = "select \u{1F512}\n".repeat(40_000);
        let record = |reads: Reads| AccessRecord {
            kind: AccessKind::Queried,
            statement: statement.clone(),
            purpose: Some("x".repeat(64 << 10)),
            reads,
        };
        let data = |reads| begin("1", &user(), &record(reads), "2026-01-31T12:00:00Z")["data"].clone();
        let named = data(Reads::everything_of("S-1"));
        assert_eq!(named["statement"], statement.as_str());
        assert_eq!(named["purpose"].as_str().map(str::len), Some(64 << 10));
        assert_eq!(named["tiers"], json!(["operational", "personal", "content"]));
        assert_eq!((&named["tables"], &named["subjects"]), (&json!(["events"]), &json!(["S-1"])));
        assert_eq!(named["all_subjects"], Value::Null);
        assert_eq!(data(Reads::everything())["all_subjects"], true);
        assert_eq!(data(Reads::default())["tiers"], json!([]));
    }

    #[test]
    fn no_text_of_a_client_makes_a_record_that_is_not_an_event() {
        let time = "2026-01-31T12:00:00Z";
        let mut hostile = vec![String::new(), "\0".repeat(1 << 20), "é\u{1F512}".repeat(1 << 20), "x".repeat(1 << 20)];
        hostile.extend(["root\t", "\0", "\n", "\u{7f}", "\u{85}", "\u{9f}\u{2028}", "\"\\", " "].map(str::to_owned));
        hostile.extend((0..0x20_u8).map(|control| format!("a{}b", char::from(control))));
        for text in hostile {
            let user = AuthenticatedUser {
                name: text.clone(),
                role: text.clone(),
                interface: Interface::CommandLine,
                remote: Some(text.clone()),
            };
            let record = AccessRecord {
                kind: AccessKind::Viewed,
                statement: text.clone(),
                purpose: Some(text.clone()),
                reads: Reads::default(),
            };
            let ending = AccessEnd {
                rows: u64::MAX,
                bytes: 0,
                duration: Duration::ZERO,
                outcome: Outcome::Failed,
                subjects: Subjects::Of(Vec::new()),
            };
            let denial = Denial {
                user: text.clone(),
                interface: Interface::Http,
                remote: Some(text.clone()),
                reason: text.clone(),
            };
            let events = [
                begin("1", &user, &record, time),
                end("1", AccessKind::Viewed, &user, &ending, time),
                denied("2", &denial, time),
            ];
            for event in events {
                let bytes = event.to_string();
                let decoded = holdfast_events::decode_structured(bytes.as_bytes());
                let decoded = decoded.unwrap_or_else(|error| panic!("{error}: {bytes:.300}"));
                assert!(!decoded.subject.is_empty() && decoded.subject.len() <= MAX_NAME_BYTES + 3);
                assert!(!decoded.subject.chars().any(char::is_control), "{:?}", decoded.subject);
                assert_eq!(decoded.subject, subject(&text), "the key and the subject are one");
            }
        }
    }

    #[test]
    fn control_characters_are_visible_and_a_text_that_was_cut_says_so() {
        assert_eq!(visible("root\t", 256), "root\\u{9}");
        assert_eq!(visible("\0\u{7f}\u{9b}", 256), "\\u{0}\\u{7f}\\u{9b}");
        assert_eq!(visible("Jürgen O'Neill \\ 7", 256), "Jürgen O'Neill \\ 7");
        assert_eq!(visible("abcd", 4), "abcd");
        assert_eq!(visible("abcde", 4), "abcd…");
        assert_eq!(visible("abcé", 4), "abc…");
        assert_eq!(visible("ab\t", 4), "ab…");
        assert_eq!(subject(""), "unknown");
    }
}
