//! What is known of a session besides its events.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A row of `archive.sessions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SessionSummary {
    /// How far it got: `requested`, `started`, `ended`, and so on.
    pub state: Option<String>,
    /// It started, has no end, and its newest event is older than an hour.
    pub broken_off: bool,
    /// The CRM ticket's number.
    pub ticket: Option<String>,
    /// The customer's account.
    pub customer: Option<String>,
    /// The entry portal.
    pub portal: Option<String>,
    /// The agent who had it last.
    pub agent: Option<String>,
    /// When it was requested.
    pub requested_at: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Seconds in the queue.
    pub waited: Option<f64>,
    /// Seconds from its start to its end.
    pub handled: Option<f64>,
    /// The agent's outcome.
    pub resolution: Option<String>,
    /// The customer's rating, 1 to 5.
    pub rating: Option<i64>,
    /// The customer's answer: `yes` or `no`.
    pub resolved: Option<String>,
}

/// A row of `archive.recordings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordingSummary {
    /// The recording's id.
    pub recording_id: String,
    /// Chunks that are archived, each counted once.
    pub chunks: u64,
    /// Their size together.
    pub bytes: Option<u64>,
    /// The first millisecond that a chunk holds.
    pub first_ms: Option<u64>,
    /// The last millisecond that a chunk holds.
    pub last_ms: Option<u64>,
    /// It has an end, and every chunk up to it is archived.
    pub complete: bool,
    /// The numbers of the chunks that are missing, such as `3-5, 9`.
    pub missing: Option<String>,
}

/// A column that the caller's keys do not open, in all files or in some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// The column's name.
    pub column: String,
    /// The tier whose key is missing.
    pub tier: String,
    /// Files in which the column is withheld.
    pub files: u64,
    /// All files that were read.
    pub of_files: u64,
}
