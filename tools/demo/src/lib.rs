//! A simulated service desk: the support sessions that `holdfast demo` publishes.
//!
//! ```text
//! Options ─▶ calendar ─▶ time lines: session (talk, closing, recording), ticket without session, working day
//!                            │        ▲ data/: names, companies, dialogues   ▲ video/: VP8 in WebM
//!                            ▼
//!                     merge by time ─▶ Message, Message, ... ─▶ Summary
//! ```
//!
//! Pure: no clock, no file, no global. The same options give the same bytes, on every machine and in every build. A time line is
//! simulated when its first event is due and dropped after its last, so memory does not grow with the length of the run.

mod background;
mod clock;
mod closing;
mod customer;
mod data;
mod desk;
mod dialogue;
mod event;
mod json;
mod random;
mod recording;
mod run;
mod session;
mod simulation;
mod stream;
mod summary;
mod talk;
mod ticket;
mod timeline;
mod video;

pub use event::SOURCE;
pub use stream::{Demo, generate};
pub use summary::Summary;

use sha2::{Digest, Sha256};

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The seed of all random numbers.
    pub seed: u64,
    /// Number of sessions, including those that never start.
    pub sessions: u64,
    /// The end of the run, in microseconds since 1970 UTC. The last session ends about then, and no event is later.
    pub end: i64,
    /// Days before the end over which the sessions are spread, most of them in business hours. At least one.
    pub days: u32,
    /// One of this many started sessions is recorded, beginning with the first; 0 for no recording.
    pub record_every: u64,
    /// The approximate length of a generated recording, in seconds.
    pub recording_seconds: u32,
    /// A WebM file that replaces the generated recordings. It is cut at its clusters into chunks of at most 512 KiB; a session
    /// uses the chunks up to its length.
    pub recording_bytes: Option<Vec<u8>>,
}

impl Options {
    /// `sessions` sessions over the 14 days before `end` (microseconds since 1970 UTC), every sixth of them recorded.
    pub fn new(seed: u64, sessions: u64, end: i64) -> Self {
        Self { seed, sessions, end, days: 14, record_every: 6, recording_seconds: 40, recording_bytes: None }
    }
}

/// The topic of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Structured JSON CloudEvents.
    Events,
    /// Binary mode CloudEvents: the attributes are headers, the payload is the chunk.
    Recordings,
}

/// One message, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: Topic,
    /// The event's type.
    pub kind: &'static str,
    /// The event's subject.
    pub key: String,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// JSON, or the bytes of a chunk.
    pub payload: Vec<u8>,
    /// The session of the event; empty for tickets, queues and agents.
    pub session: String,
    /// The event's time, microseconds since 1970 UTC.
    pub time: i64,
}

/// SHA-256, in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

#[cfg(test)]
mod tests;
