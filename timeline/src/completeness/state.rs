//! How far a session got, by its events.

use chrono::TimeDelta;
use serde::Serialize;

use super::delivery::Delivery;
use super::status::Status;

/// A session without an end breaks off when its newest event is this old.
pub const SILENCE: TimeDelta = TimeDelta::hours(1);

/// How far a session got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It started and ended.
    Ended,
    /// It was declined before it started.
    Declined,
    /// It was abandoned before it started.
    Abandoned,
    /// It failed before it started.
    Failed,
    /// It has no end, and its newest event is younger than [`SILENCE`].
    Open,
    /// It has no end, and its newest event is older.
    BrokenOff,
}

impl State {
    /// The state that `events` give, if `silence` has passed since the newest of them.
    pub(super) fn new(events: &[&Delivery], silence: TimeDelta) -> Self {
        let ends = [Self::Ended, Self::Failed, Self::Abandoned, Self::Declined];
        let has = |type_: &str| events.iter().any(|event| event.type_ == type_);
        match ends.into_iter().find(|state| state.end().is_some_and(has)) {
            Some(state) => state,
            None if silence < SILENCE => Self::Open,
            None => Self::BrokenOff,
        }
    }

    /// The type of the event that ends a session in this state.
    pub(super) fn end(self) -> Option<&'static str> {
        match self {
            Self::Ended => Some("session.ended"),
            Self::Declined => Some("session.declined"),
            Self::Abandoned => Some("session.abandoned"),
            Self::Failed => Some("session.failed"),
            Self::Open | Self::BrokenOff => None,
        }
    }

    /// Whether it ended before it started.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::Declined | Self::Abandoned | Self::Failed)
    }

    /// The status of a part that is absent and may arrive as long as the session is open.
    pub(super) fn absent(self) -> Status {
        if self == Self::Open { Status::Open } else { Status::Missing }
    }
}
