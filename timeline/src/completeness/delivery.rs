//! One delivery of an event, as the archive has it.

use chrono::{DateTime, Utc};

/// Families of types whose subject is a session, as in `archive.sessions`.
const SESSION_FAMILIES: [&str; 14] = [
    "session",
    "consent",
    "connection",
    "reboot",
    "code",
    "chat",
    "diagnostics",
    "file",
    "control",
    "whiteboard",
    "url",
    "clipboard",
    "recording",
    "survey",
];

/// One delivery of one event. All of it is of the operational tier.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// When it happened; when it was archived, if its own time is implausible.
    pub time: DateTime<Utc>,
    /// Where Kafka had it.
    pub position: Position,
    /// Where the event comes from.
    pub source: String,
    /// The event's id, unique per source.
    pub id: String,
    /// Its type, such as `chat.line`.
    pub type_: String,
    /// The number of the chat line or of the recording chunk, from 0.
    pub seq: Option<i64>,
    /// The recording that it belongs to.
    pub recording_id: Option<String>,
    /// The first millisecond that a chunk holds.
    pub first_ms: Option<i64>,
    /// The last millisecond that a chunk holds.
    pub last_ms: Option<i64>,
    /// Whether a chunk is marked as the last one.
    pub last: bool,
    /// Who joined or left.
    pub participant_id: Option<String>,
    /// How many chunks `recording.ended` announces.
    pub chunks: Option<i64>,
    /// The millisecond at which a recording was paused or resumed.
    pub at_ms: Option<i64>,
    /// What `consent.recorded` is about.
    pub what: Option<String>,
    /// Whether the consent was granted.
    pub granted: Option<bool>,
    /// Whether it breaks the rules of its type.
    pub has_problems: bool,
}

/// A place in a Kafka topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The topic's partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
}

impl Delivery {
    /// The identity of the event: its source and its id.
    pub(super) fn event(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }

    /// The first part of its type.
    pub(super) fn family(&self) -> &str {
        self.type_.split('.').next().unwrap_or_default()
    }

    /// Whether its subject is a session.
    pub(super) fn is_of_session(&self) -> bool {
        SESSION_FAMILIES.contains(&self.family())
    }

    /// Whether it can happen only in a session that goes on.
    pub(super) fn is_work(&self) -> bool {
        matches!(self.family(), "recording" | "control" | "file" | "whiteboard" | "url" | "clipboard" | "diagnostics")
            || matches!(self.type_.as_str(), "chat.line" | "session.transferred" | "reboot.requested")
            // The end of a recording may be reported after the connection is lost.
            && self.type_ != "recording.ended"
    }

    /// Whether it can happen only after a start.
    pub(super) fn implies_start(&self) -> bool {
        matches!(self.family(), "recording" | "control" | "file" | "connection")
            || matches!(
                self.type_.as_str(),
                "session.joined" | "session.left" | "session.paused" | "session.resumed" | "session.transferred"
            )
    }
}
