//! What is opened and closed in turns, and the partners that are not there.
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

/// Openings and closings, in order.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) opened: u64,
    pub(super) closed: u64,
    /// Openings that were followed by another one.
    pub(super) unclosed: u64,
    /// Closings of nothing.
    pub(super) unopened: u64,
    /// Since when it is open.
    pub(super) open: Option<DateTime<Utc>>,
}

impl Pairs {
    pub(super) fn take(&mut self, is_opening: bool, time: DateTime<Utc>) {
        if is_opening {
            self.opened += 1;
            self.unclosed += u64::from(self.open.replace(time).is_some());
        } else {
            self.closed += 1;
            self.unopened += u64::from(self.open.take().is_none());
        }
    }
}
