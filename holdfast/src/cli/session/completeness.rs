//! Whether all of a session is there: which parts are expected, and which of them are missing. Pure.
//!
//! ```text
//! facts (deliveries, in any order) ─▶ each event once ─▶ how the session stands ─▶ one part after the other ─▶ verdict
//!                                                        (ended, open, broken off)  (story.rs, recordings.rs)
//! ```
//!
//! What an event's absence can be seen by is a number that is skipped, an announcement that is not kept, or a partner that
//! is not there. Where there is none of them nothing is seen: the last lines of a chat may be missing without a trace.

mod numbers;
mod pairs;
mod recordings;
mod story;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use numbers::Range;
use recordings::Gap;
use story::Story;

/// Families of types whose subject is a session, as in `archive.sessions`.
const FAMILIES: [&str; 14] = [
    "session",
    "consent",
    "connection",
    "reboot",
    "code",
    "chat",
    "diagnostics",
    "file",
    "control",
    "whiteboard",
    "url",
    "clipboard",
    "recording",
    "survey",
];

/// One delivery of one event, as far as it is operational.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fact {
    /// When it happened; when it was archived, if its own time is implausible.
    pub(super) time: DateTime<Utc>,
    /// Topic, partition and offset.
    pub(super) place: (String, i64, i64),
    pub(super) source: String,
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) seq: Option<i64>,
    pub(super) recording: Option<String>,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
    pub(super) last: bool,
    pub(super) participant: Option<String>,
    /// What `recording.ended` announces.
    pub(super) chunks: Option<i64>,
    /// Where in the recording it was paused or resumed.
    pub(super) at_ms: Option<i64>,
    /// What was consented to, and whether it was granted.
    pub(super) what: Option<String>,
    pub(super) granted: Option<bool>,
    /// Whether it breaks the rules of its type.
    pub(super) has_problems: bool,
}

/// How often events were delivered again.
type Repetitions<'f> = BTreeMap<(&'f str, &'f str), u64>;

impl Fact {
    /// What makes it the event that it is.
    fn name(&self) -> (&str, &str) {
        (&self.source, &self.id)
    }

    fn family(&self) -> &str {
        self.kind.split('.').next().unwrap_or_default()
    }

    /// Whether it can happen only in a session that goes on.
    fn is_work(&self) -> bool {
        matches!(self.family(), "recording" | "control" | "file" | "whiteboard" | "url" | "clipboard" | "diagnostics")
            || matches!(self.kind.as_str(), "chat.line" | "session.transferred" | "reboot.requested")
            // A recording's end may be told after the connection is gone.
            && self.kind != "recording.ended"
    }

    /// Whether it can happen only after a start.
    fn implies_start(&self) -> bool {
        matches!(self.family(), "recording" | "control" | "file" | "connection")
            || matches!(
                self.kind.as_str(),
                "session.joined" | "session.left" | "session.paused" | "session.resumed" | "session.transferred"
            )
    }
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Completeness {
    pub(super) verdict: Verdict,
    pub(super) state: State,
    /// Events, each counted once.
    pub(super) events: u64,
    /// Deliveries beyond the first of each event.
    pub(super) repetitions: u64,
    /// Events that break the rules of their type.
    pub(super) with_problems: u64,
    pub(super) newest_event: DateTime<Utc>,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Complete,
    /// It is still going on, and nothing is missing so far.
    Open,
    /// Something is missing or broken.
    Incomplete,
}

/// How the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ended,
    Declined,
    Abandoned,
    Failed,
    /// It has no end, and was heard of a short time ago.
    Open,
    /// It has no end, and nothing more was heard of it.
    BrokenOff,
}

impl State {
    fn words(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Declined => "declined",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
            Self::Open => "open",
            Self::BrokenOff => "broken off",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Present,
    Missing,
    /// It is there, with gaps.
    Broken,
    NotExpected,
    /// It was up to somebody, who did not.
    NotGiven,
    /// It may still come.
    Open,
}

impl Status {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::NotExpected => "not expected",
            Self::NotGiven => "not given",
            Self::Open => "open",
        }
    }

    pub(super) fn is_found(self) -> bool {
        matches!(self, Self::Missing | Self::Broken)
    }
}

/// A part of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    pub(super) part: &'static str,
    /// For the parts of a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recording_id: Option<String>,
    pub(super) status: Status,
    /// In words; may quote ids as they came.
    pub(super) detail: String,
    /// Events that make it up, each counted once.
    pub(super) events: u64,
    /// Numbers of lines or chunks that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) missing: Vec<Range>,
    /// Numbers that came more than once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) repeated: Vec<Range>,
    /// Time of a recording that no chunk covers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<Gap>,
    /// The same, while it was paused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) paused: Vec<Gap>,
}

impl Part {
    fn new(part: &'static str, status: Status, events: u64, detail: impl Into<String>) -> Self {
        Self {
            part,
            recording_id: None,
            status,
            detail: detail.into(),
            events,
            missing: Vec::new(),
            repeated: Vec::new(),
            gaps: Vec::new(),
            paused: Vec::new(),
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        match &self.recording_id {
            Some(recording) => format!("{} of {recording}", self.part.trim_start_matches("recording_")),
            None => self.part.to_owned(),
        }
    }
}

/// Judges a session by the deliveries of its events. `None` when none of them is an event of a session.
pub(super) fn completeness(facts: &[Fact], now: DateTime<Utc>) -> Option<Completeness> {
    let mut delivered: Vec<&Fact> = facts.iter().collect();
    delivered.sort();
    let mut known = BTreeSet::new();
    let (once, again): (Vec<&Fact>, Vec<&Fact>) = delivered.into_iter().partition(|fact| known.insert(fact.name()));
    if !once.iter().any(|fact| FAMILIES.contains(&fact.family())) {
        return None;
    }
    let newest = *once.last()?;
    let mut repetitions = Repetitions::new();
    for fact in &again {
        *repetitions.entry(fact.name()).or_default() += 1;
    }
    let story = Story::new(once, repetitions, newest, now);
    let mut parts = vec![
        story.request(),
        story.queue(),
        story.start(),
        story.consent(),
        story.participants(),
        story.pairs("pauses", "pause", "session.paused", "session.resumed"),
        story.pairs("connection", "loss", "connection.lost", "connection.restored"),
        story.chat(),
    ];
    parts.extend(story.recordings());
    parts.extend([story.end(), story.survey(), story.diagnostics(), story.files()]);
    let any = |wanted: fn(Status) -> bool| parts.iter().any(|part| wanted(part.status));
    Some(Completeness {
        verdict: if any(Status::is_found) {
            Verdict::Incomplete
        } else if any(|status| status == Status::Open) {
            Verdict::Open
        } else {
            Verdict::Complete
        },
        state: story.state,
        events: story.facts.len() as u64,
        repetitions: again.len() as u64,
        with_problems: story.facts.iter().filter(|fact| fact.has_problems).count() as u64,
        newest_event: newest.time,
        parts,
    })
}
