//! What there is of a part, or why it is absent.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::gap::Gap;
use super::numbers::Series;
use super::pairs::Pairs;
use super::state::State;

/// What there is of a part, or why it is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// No event shows that the part was due.
    NoEvent,
    /// It is absent, and may still arrive.
    NotYet,
    /// An event is absent.
    Absent {
        /// The event's type.
        event: &'static str,
    },
    /// It is absent, and an event is there that follows it.
    Followed {
        /// The type of the event that is there.
        by: &'static str,
    },
    /// The session ended before it started.
    Refused {
        /// How it ended.
        state: State,
    },
    /// It is absent, and events show that the session started.
    WentOn,
    /// No event shows that the session started.
    NotStarted,
    /// The customer did not answer.
    NotAnswered,
    /// The part is a number of events.
    Counted,
    /// When its first event happened.
    At {
        /// The time.
        time: DateTime<Utc>,
    },
    /// What the customer consented to.
    Consents {
        /// The consents, in order, each once.
        consents: Vec<Consent>,
    },
    /// Who took part.
    Participants {
        /// The participants, by id.
        participants: Vec<Participant>,
    },
    /// Pauses, or losses of the connection.
    Pairs(Pairs),
    /// Chat lines.
    Lines(Series),
    /// Chunks of a recording.
    Chunks(Chunks),
    /// The session has no end.
    Silence(Silence),
    /// Files.
    Files {
        /// How many `file.sent`.
        sent: u64,
        /// How many `file.received`.
        received: u64,
    },
}

impl Detail {
    /// The numbers of chat lines or of chunks.
    pub fn numbers(&self) -> Option<&Series> {
        match self {
            Self::Lines(lines) => Some(lines),
            Self::Chunks(chunks) => Some(&chunks.numbers),
            _ => None,
        }
    }
}

/// A recorded consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// What it is about, such as `remote_view`.
    pub what: Option<String>,
    /// Whether it was granted; absent if the event does not state it.
    pub granted: Option<bool>,
}

/// A participant of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// Who it is; absent for those whose events have no id.
    pub participant_id: Option<String>,
    /// How often they joined again without having left.
    pub joined_again: u64,
    /// How often they left without having joined.
    pub left_unjoined: u64,
    /// They joined last, and have not left.
    pub remains: bool,
}

/// The chunks of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Chunks {
    /// Their numbers.
    #[serde(flatten)]
    pub numbers: Series,
    /// How many `recording.ended` announces.
    pub announced: Option<i64>,
    /// The lowest number of a chunk that is marked as the last one.
    pub marked_last: Option<i64>,
    /// Nothing states how many there are, and more may arrive.
    pub is_growing: bool,
    /// Chunks without a first or a last millisecond.
    pub without_times: u64,
    /// Time that no chunk covers.
    pub gaps: Vec<Gap>,
    /// Time that no chunk covers because the recording was paused.
    pub paused: Vec<Gap>,
}

impl Chunks {
    /// Whether an event states how many chunks there are.
    pub fn has_end(&self) -> bool {
        self.announced.is_some() || self.marked_last.is_some()
    }

    /// The number that is announced, if there are chunks beyond it.
    pub fn too_few_announced(&self) -> Option<i64> {
        let highest = self.numbers.highest()?;
        self.announced.filter(|announced| *announced < highest.saturating_add(1))
    }

    /// The chunk that is marked as the last one, if there are chunks behind it.
    pub fn marked_too_early(&self) -> Option<i64> {
        self.marked_last.filter(|last| Some(*last) < self.numbers.highest())
    }

    /// Whether something of them is missing, or they contradict each other.
    pub(super) fn is_broken(&self) -> bool {
        !self.numbers.missing.is_empty()
            || self.numbers.without_number > 0
            || self.without_times > 0
            || !self.gaps.is_empty()
            || self.too_few_announced().is_some()
            || self.marked_too_early().is_some()
    }
}

/// A session without an end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Silence {
    /// The type of the newest event.
    pub newest: String,
    /// Seconds since the newest event.
    pub seconds: f64,
    /// Seconds after which a session breaks off.
    pub limit_seconds: f64,
}
