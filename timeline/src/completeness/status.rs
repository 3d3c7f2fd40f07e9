//! Whether a part is there.

use serde::Serialize;

/// Whether a part of a session is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is there.
    Present,
    /// It had to be there, and is not.
    Missing,
    /// It is there, with gaps.
    Broken,
    /// Nothing requires it.
    NotExpected,
    /// It was the customer's choice.
    NotGiven,
    /// It may still arrive.
    Open,
}

impl Status {
    /// Whether the part makes the session incomplete.
    pub fn is_finding(self) -> bool {
        matches!(self, Self::Missing | Self::Broken)
    }
}
