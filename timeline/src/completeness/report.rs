//! The report on a session.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::part::Part;
use super::state::State;
use super::status::Status;

/// Whether a session is complete, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Completeness {
    /// The result.
    pub verdict: Verdict,
    /// How far the session got.
    pub state: State,
    /// Events, each counted once.
    pub events: u64,
    /// Deliveries beyond the first of each event.
    pub duplicates: u64,
    /// Events that break the rules of their type.
    pub with_problems: u64,
    /// The time of the newest event.
    pub newest_event: DateTime<Utc>,
    /// The parts, in the order of a session.
    pub parts: Vec<Part>,
}

/// The result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that is expected is there.
    Complete,
    /// The session goes on, and nothing is missing so far.
    Open,
    /// Something is missing or broken.
    Incomplete,
}

impl Verdict {
    pub(super) fn of(parts: &[Part]) -> Self {
        if parts.iter().any(|part| part.status.is_finding()) {
            Self::Incomplete
        } else if parts.iter().any(|part| part.status == Status::Open) {
            Self::Open
        } else {
            Self::Complete
        }
    }
}
