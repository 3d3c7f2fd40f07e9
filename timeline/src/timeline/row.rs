//! An event as it was read from the archive.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// One event of a session, once, with the columns that the caller's keys open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventRow {
    /// When it happened, as its source claims.
    pub time: DateTime<Utc>,
    /// Where it comes from.
    pub source: String,
    /// Its id, unique per source.
    pub id: String,
    /// Its type, such as `chat.line`.
    pub type_: String,
    /// The number of the chat line or of the recording chunk, from 0.
    pub seq: Option<i64>,
    /// The recording that it belongs to.
    pub recording_id: Option<String>,
    /// The size of a chunk or of a file, in bytes.
    pub size: Option<u64>,
    /// How often it was delivered, at least once.
    pub deliveries: u64,
    /// What is wrong with it by the catalogue of types.
    pub problems: Option<String>,
    /// All columns of its row by name, those above among them. `operational`, `personal`, `extensions` and `data` are
    /// parsed if they are JSON. Columns that are NULL or withheld are absent.
    pub columns: Map<String, Value>,
}

impl EventRow {
    /// Whether it is a chunk of a recording.
    pub(super) fn is_chunk(&self) -> bool {
        self.type_ == "recording.chunk"
    }

    /// Deliveries beyond the first.
    pub(super) fn duplicates(&self) -> u64 {
        self.deliveries.saturating_sub(1)
    }

    /// The text in a column.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        self.columns.get(column).and_then(Value::as_str)
    }
}
