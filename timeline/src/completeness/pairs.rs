//! What is opened and closed by turns, and the partners that are missing.
//!
//! ```text
//! ( )   ( ( )   ) ( )   (
//!       ▲       ▲       ▲ open
//!       │       └ unopened: it closes nothing
//!       └ unclosed: the next one opens before it is closed
//! ```
//!
//! At most one is open at a time. An opening is closed, unclosed or still open; a closing closes one or is unopened:
//! `opened - unclosed - (1 if open) = closed - unopened`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::status::Status;

/// Openings and closings of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// The type of event that opens.
    pub opening: &'static str,
    /// The type of event that closes.
    pub closing: &'static str,
    /// Openings.
    pub opened: u64,
    /// Closings.
    pub closed: u64,
    /// Openings that are followed by another one.
    pub unclosed: u64,
    /// Closings of nothing.
    pub unopened: u64,
    /// The last opening, if nothing closes it.
    pub open: Option<OpenPair>,
}

/// An opening that nothing closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpenPair {
    /// When it was opened.
    pub since: DateTime<Utc>,
    /// Why nothing closes it.
    pub reason: OpenReason,
}

/// Why nothing closes an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenReason {
    /// The closing may still arrive.
    StillOpen,
    /// It lasted until the end.
    UntilEnd,
    /// Events behind it show that the closing is missing.
    WentOn,
    /// The session broke off.
    BrokenOff,
}

impl Pairs {
    /// Whether every opening that had to be closed is closed.
    pub(super) fn status(&self) -> Status {
        match self.open.map(|open| open.reason) {
            _ if self.unclosed > 0 || self.unopened > 0 => Status::Broken,
            Some(OpenReason::WentOn | OpenReason::BrokenOff) => Status::Broken,
            Some(OpenReason::StillOpen) => Status::Open,
            Some(OpenReason::UntilEnd) | None => Status::Present,
        }
    }
}

/// Counts openings and closings, in order.
#[derive(Debug, Default)]
pub(super) struct PairCounter {
    opened: u64,
    closed: u64,
    pub(super) unclosed: u64,
    pub(super) unopened: u64,
    /// When the one that is open was opened.
    pub(super) open: Option<DateTime<Utc>>,
}

impl PairCounter {
    pub(super) fn add(&mut self, is_opening: bool, time: DateTime<Utc>) {
        if is_opening {
            self.opened += 1;
            self.unclosed += u64::from(self.open.replace(time).is_some());
        } else {
            self.closed += 1;
            self.unopened += u64::from(self.open.take().is_none());
        }
    }

    /// Openings and closings.
    pub(super) fn events(&self) -> u64 {
        self.opened + self.closed
    }

    /// The result. `reason` is why nothing closes what is still open.
    pub(super) fn pairs(
        &self,
        opening: &'static str,
        closing: &'static str,
        reason: impl FnOnce(DateTime<Utc>) -> OpenReason,
    ) -> Pairs {
        let Self { opened, closed, unclosed, unopened, open } = *self;
        let open = open.map(|since| OpenPair { since, reason: reason(since) });
        Pairs { opening, closing, opened, closed, unclosed, unopened, open }
    }
}
