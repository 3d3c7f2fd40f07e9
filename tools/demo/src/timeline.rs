//! The events of one session, ticket or working day, in order.

use crate::event::{Draft, Envelope};

/// All events of one session, ticket or working day, in order of time.
pub(crate) struct Timeline {
    pub(crate) envelope: Envelope,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) outcome: Outcome,
}

/// How a time line ends, for the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is not a session.
    Background,
    /// A ticket that never got a session.
    TicketOnly,
    /// It never started.
    NotStarted,
    /// It has its `session.ended`.
    Ended,
    /// It started and has no `session.ended`.
    BrokenOff,
}
