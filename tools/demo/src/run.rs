//! What a whole run shares: the options in working form.

use std::sync::Arc;

use crate::dialogue::Library;
use crate::video::cut::Piece;

/// When a ticket is opened relative to its session.
#[derive(Clone, Copy)]
pub(crate) enum TicketOrigin {
    /// Before the session.
    Before = 0,
    /// It has no session.
    Alone = 1,
    /// During the session.
    During = 2,
}

/// What does not change during a run.
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// Short text that differs between runs with another seed or end, for ids.
    pub(crate) id: String,
    /// First of this run's ticket numbers.
    pub(crate) first_ticket: u64,
    /// Number of sessions.
    pub(crate) sessions: u64,
    /// The end of the run in milliseconds. No event is later.
    pub(crate) end: i64,
    /// Number of customers.
    pub(crate) customers: u64,
    /// One of this many started sessions is recorded; 0 for no recording.
    pub(crate) record_every: u64,
    /// Length of a generated recording in milliseconds.
    pub(crate) recording_ms: u32,
    /// The user's own recording and its chunks.
    pub(crate) file: Option<(Arc<[u8]>, Vec<Piece>)>,
    pub(crate) library: Library,
}

impl Run {
    /// A ticket number. Each origin has its own range, so that no two tickets share one.
    pub(crate) fn ticket(&self, origin: TicketOrigin, index: u64) -> String {
        format!("HD-{}", self.first_ticket + self.sessions * origin as u64 + index)
    }
}
