//! An event in the time line.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::redaction::REDACTED;
use super::row::EventRow;

/// Columns that describe the event, its delivery and its storage, and not what happened.
const ENVELOPE: [&str; 28] = [
    "id",
    "source",
    "type",
    "subject",
    "time",
    "ticket",
    "agent",
    "portal",
    "customer",
    "datacontenttype",
    "dataschema",
    "archived_at",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "time_implausible",
    "problems",
    "operational",
    "personal",
    "extensions",
    "data",
    "data_binary",
    "class",
    "date",
    "deliveries",
    "object_path",
    "object_offset",
    "sha256",
];

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When it happened, as its source claims.
    pub time: DateTime<Utc>,
    /// Its type, such as `chat.line`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Where it comes from.
    pub source: String,
    /// Its id, unique per source.
    pub id: String,
    /// How often it was delivered.
    pub deliveries: u64,
    /// What is wrong with it by the catalogue of types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<String>,
    /// The reason if it is a chat line that was redacted; its text is not in `fields` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
    /// What happened: every field of the event, of whatever tier, that the caller's keys open.
    pub fields: Map<String, Value>,
}

impl Event {
    pub(super) fn new(row: EventRow) -> Self {
        let EventRow { time, source, id, type_, deliveries, problems, mut columns, .. } = row;
        let redacted = match columns.remove(REDACTED) {
            Some(Value::String(reason)) => Some(reason),
            _ => None,
        };
        let payload = ["operational", "personal", "data"].map(|name| columns.remove(name));
        let mut fields = columns;
        fields.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
        for members in payload {
            if let Some(Value::Object(members)) = members {
                fields.extend(members);
            }
        }
        Self { time, type_, source, id, deliveries, problems, redacted, fields }
    }
}
