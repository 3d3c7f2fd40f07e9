//! What happened in a support session, in order, and whether all of it is archived.
//!
//! ```text
//! archive.events, each event once ─▶ EventRow ─┐
//! archive.sessions ────────▶ SessionSummary ───┼▶ timeline() ─▶ TimeLine ─▶ Entry: an event, or a run of chunks
//! archive.recordings ──────▶ RecordingSummary ─┘
//!
//! archive.events, every delivery ─▶ Delivery ───▶ completeness() ─▶ Completeness ─▶ Part: its status and its detail
//!                                       now ──────┘
//! ```
//!
//! Invariants:
//! - Every event is in exactly one entry of the time line, or joined into one.
//! - The text of a redacted chat line is in no entry.
//! - The order of deliveries, and deliveries that repeat an event, do not change the verdict or the status of a part.
//!
//! Pure: no I/O, no clock. The results are typed and serialisable; each interface puts them into words of its own.

mod completeness;
mod range;
mod timeline;

pub use completeness::{
    Chunks, Completeness, Consent, Delivery, Detail, Gap, OpenPair, OpenReason, Pairs, Part, PartName, Participant,
    Position, SILENCE, Series, Silence, State, Status, Verdict, completeness,
};
pub use range::Range;
pub use timeline::{
    ChunkRun, Entry, Event, EventRow, Facts, REDACTED, RecordingSummary, SessionSummary, TimeLine, Withheld, redact,
    timeline,
};
