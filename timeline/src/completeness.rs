//! Whether all of a session is archived: which parts are expected, and which of them are missing or broken.
//!
//! ```text
//! Delivery, in any order ─▶ each event once ─▶ State ───────────▶ one part after the other ─▶ Verdict
//!                           (duplicates.rs)    (ended, open,      (session.rs, recording.rs)
//!                                               broken off)
//! ```
//!
//! The absence of an event shows in three ways: a number is skipped, an announcement is not kept, or a partner is
//! absent. Without any of them it does not show: the last lines of a chat may be missing without a trace.

mod delivery;
mod detail;
mod duplicates;
mod gap;
mod numbers;
mod pairs;
mod part;
mod recording;
mod report;
mod session;
mod state;
mod status;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

pub use delivery::{Delivery, Position};
pub use detail::{Chunks, Consent, Detail, Participant, Silence};
pub use gap::Gap;
pub use numbers::Series;
pub use pairs::{OpenPair, OpenReason, Pairs};
pub use part::{Part, PartName};
pub use report::{Completeness, Verdict};
pub use state::{SILENCE, State};
pub use status::Status;

use duplicates::Deduplicated;
use session::Session;

/// Judges a session by the deliveries of its events, in any order. `None` if none of them is an event of a session.
pub fn completeness(deliveries: &[Delivery], now: DateTime<Utc>) -> Option<Completeness> {
    let Deduplicated { events, duplicates } = Deduplicated::new(deliveries);
    if !events.iter().any(|event| event.is_of_session()) {
        return None;
    }
    let newest = *events.last()?;
    let count = events.len() as u64;
    let with_problems = events.iter().filter(|event| event.has_problems).count() as u64;
    let repeated = duplicates.total();
    let session = Session::new(events, duplicates, newest, now);
    let parts = session.parts();
    Some(Completeness {
        verdict: Verdict::of(&parts),
        state: session.state(),
        events: count,
        duplicates: repeated,
        with_problems,
        newest_event: newest.time,
        parts,
    })
}
