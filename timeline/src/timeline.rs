//! The time line of a session.
//!
//! ```text
//! EventRow, in the order of the query ─▶ redact ─┬▶ recording.chunk ─▶ ChunkRun, joined while the numbers are consecutive ─┬▶ Entry
//!                                                └▶ any other type ──▶ Event ──────────────────────────────────────────────┘
//! ```

mod chunks;
mod event;
mod redaction;
mod row;
mod summary;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use chunks::ChunkRun;
pub use event::Event;
pub use redaction::{REDACTED, redact};
pub use row::EventRow;
pub use summary::{RecordingSummary, SessionSummary, Withheld};

/// What was read of one session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The session's id.
    pub session: String,
    /// The row of `archive.sessions`.
    pub summary: SessionSummary,
    /// The rows of `archive.recordings`.
    pub recordings: Vec<RecordingSummary>,
    /// The events, each once, in the order of the time line.
    pub events: Vec<EventRow>,
    /// The columns that the caller's keys do not open.
    pub withheld: Vec<Withheld>,
}

/// The time line of one session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeLine {
    /// The session's id.
    pub session: String,
    /// How the session went.
    pub summary: SessionSummary,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// The recordings.
    pub recordings: Vec<RecordingSummary>,
    /// Events, each counted once.
    pub events: u64,
    /// Deliveries beyond the first of each event.
    pub duplicates: u64,
    /// The columns that the caller's keys do not open.
    pub withheld: Vec<Withheld>,
}

/// One entry of a time line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// One event.
    Event(Event),
    /// Chunks of one recording that follow each other.
    Chunks(ChunkRun),
}

/// The time line of a session. Redactions are applied, and consecutive recording chunks are joined; the order is that of
/// `facts.events`.
pub fn timeline(facts: Facts) -> TimeLine {
    let Facts { session, summary, recordings, events: mut rows, withheld } = facts;
    redact(&mut rows);
    let events = rows.len() as u64;
    let duplicates = rows.iter().map(EventRow::duplicates).fold(0, u64::saturating_add);
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        if row.is_chunk() {
            match entries.last_mut() {
                Some(Entry::Chunks(run)) if run.is_followed_by(&row) => run.append(&row),
                _ => entries.push(Entry::Chunks(ChunkRun::new(&row))),
            }
        } else {
            entries.push(Entry::Event(Event::new(row)));
        }
    }
    TimeLine { session, summary, entries, recordings, events, duplicates, withheld }
}
