//! Whether all of a session is there: which parts are expected, and which of them are missing. Pure.
//!
//! ```text
//! facts (deliveries, in any order) ─▶ each event once ─▶ how the session stands ─▶ one part after the other ─▶ verdict
//!                                                        (ended, open, broken off)   (recordings: recordings.rs)
//! ```
//!
//! What an event's absence can be seen by is a number that is skipped, an announcement that is not kept, or a partner that
//! is not there. Where there is none of them nothing is seen: the last lines of a chat may be missing without a trace.

mod numbers;
mod recordings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::render::text::{counted, duration};
use numbers::{Numbers, Range, listed};
use recordings::{Gap, Recording};

/// A session without an end that has been silent for longer has broken off.
const SILENCE: TimeDelta = TimeDelta::hours(1);

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

/// The events of a session, each once and in order.
struct Story<'f> {
    facts: Vec<&'f Fact>,
    repetitions: Repetitions<'f>,
    newest: &'f Fact,
    /// What has passed since the newest event.
    silent: TimeDelta,
    state: State,
}

impl<'f> Story<'f> {
    fn new(facts: Vec<&'f Fact>, repetitions: Repetitions<'f>, newest: &'f Fact, now: DateTime<Utc>) -> Self {
        // A source whose clock is ahead has spoken just now.
        let silent = (now - newest.time).max(TimeDelta::zero());
        let has = |kind: &str| facts.iter().any(|fact| fact.kind == kind);
        let state = if has("session.ended") {
            State::Ended
        } else if has("session.failed") {
            State::Failed
        } else if has("session.abandoned") {
            State::Abandoned
        } else if has("session.declined") {
            State::Declined
        } else if silent < SILENCE {
            State::Open
        } else {
            State::BrokenOff
        };
        Self { facts, repetitions, newest, silent, state }
    }

    fn of<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'f Fact> + 's {
        self.facts.iter().copied().filter(move |fact| fact.kind == kind)
    }

    fn count(&self, kind: &str) -> u64 {
        self.of(kind).count() as u64
    }

    fn has(&self, kind: &str) -> bool {
        self.of(kind).next().is_some()
    }

    /// Whether it is known to have begun.
    fn went_on(&self) -> bool {
        self.state == State::Ended
            || self.facts.iter().any(|fact| fact.kind == "session.started" || fact.implies_start())
    }

    /// The status of what is not there and may come as long as the session is open.
    fn absent(&self) -> Status {
        if self.state == State::Open { Status::Open } else { Status::Missing }
    }

    /// A part that is one event.
    fn single(&self, part: &'static str, kind: &str) -> Option<Part> {
        let first = self.of(kind).next()?;
        let count = self.count(kind);
        let detail = match count {
            1 => moment(first.time),
            _ => format!("{}; told by {count} events", moment(first.time)),
        };
        Some(Part::new(part, Status::Present, count, detail))
    }

    fn request(&self) -> Part {
        let part = "request";
        self.single(part, "session.requested").unwrap_or_else(|| {
            let follows =
                ["session.queued", "session.declined", "session.abandoned"].into_iter().find(|kind| self.has(kind));
            match follows {
                Some(kind) => Part::new(part, Status::Missing, 0, format!("there is {kind}, which follows a request")),
                None => Part::new(part, Status::NotExpected, 0, "nothing tells of one"),
            }
        })
    }

    fn queue(&self) -> Part {
        match self.count("session.queued") {
            0 => Part::new("queue", Status::NotExpected, 0, "nothing tells of one"),
            count => Part::new("queue", Status::Present, count, counted(count, "place told", "places told")),
        }
    }

    fn start(&self) -> Part {
        let part = "start";
        self.single(part, "session.started").unwrap_or_else(|| match self.state {
            State::Declined | State::Abandoned | State::Failed => {
                Part::new(part, Status::NotExpected, 0, format!("the session was {}", self.state.words()))
            }
            _ if self.went_on() => {
                Part::new(part, Status::Missing, 0, "the session went on, and session.started is not there")
            }
            State::Open => Part::new(part, Status::Open, 0, "not yet"),
            _ => Part::new(part, Status::Missing, 0, "neither a start nor a refusal"),
        })
    }

    fn consent(&self) -> Part {
        let count = self.count("consent.recorded");
        if count == 0 {
            return match self.state {
                State::Declined | State::Abandoned | State::Failed => {
                    Part::new("consent", Status::NotExpected, 0, format!("the session was {}", self.state.words()))
                }
                _ if self.went_on() => {
                    Part::new("consent", self.absent(), 0, "the session went on, and no consent was recorded")
                }
                _ => Part::new("consent", Status::NotExpected, 0, "the session has not started"),
            };
        }
        let mut told: Vec<String> = Vec::new();
        for fact in self.of("consent.recorded") {
            let what = fact.what.as_deref().unwrap_or("something").replace('_', " ");
            let answer = match fact.granted {
                Some(true) => "granted",
                Some(false) => "refused",
                None => "unclear",
            };
            let words = format!("{what} {answer}");
            if !told.contains(&words) {
                told.push(words);
            }
        }
        Part::new("consent", Status::Present, count, told.join(", "))
    }

    fn participants(&self) -> Part {
        let mut people: BTreeMap<&str, Pairs> = BTreeMap::new();
        let mut count = 0;
        for fact in &self.facts {
            let is_joining = match fact.kind.as_str() {
                "session.joined" => true,
                "session.left" => false,
                _ => continue,
            };
            count += 1;
            people.entry(fact.participant.as_deref().unwrap_or("somebody")).or_default().take(is_joining, fact.time);
        }
        if count == 0 {
            return Part::new("participants", Status::NotExpected, 0, "nobody was seen joining or leaving");
        }
        let staying: Vec<&str> = people.iter().filter(|(_, pairs)| pairs.open.is_some()).map(|(who, _)| *who).collect();
        let staying = staying.join(", ");
        let mut told = vec![counted(people.len() as u64, "participant", "participants")];
        let mut broken = Vec::new();
        for (who, pairs) in &people {
            if pairs.unclosed > 0 {
                broken.push(format!("{who} joined again without having left"));
            }
            if pairs.unopened > 0 {
                broken.push(format!("{who} left without having joined"));
            }
        }
        match self.state {
            _ if staying.is_empty() => {}
            // The end of a session is the leaving of all who are still there.
            State::Ended | State::Failed | State::Abandoned | State::Declined => {
                told.push(format!("until the end {staying}"));
            }
            State::Open => told.push(format!("still there {staying}")),
            State::BrokenOff => broken.push(format!("not seen leaving {staying}")),
        }
        let status = if broken.is_empty() { Status::Present } else { Status::Broken };
        told.extend(broken);
        Part::new("participants", status, count, told.join("; "))
    }

    /// What is opened by one type of event and closed by another. `noun` is what lies between.
    fn pairs(&self, part: &'static str, noun: &str, opening: &str, closing: &str) -> Part {
        let mut pairs = Pairs::default();
        let mut count = 0;
        for fact in self.facts.iter().filter(|fact| fact.kind == opening || fact.kind == closing) {
            pairs.take(fact.kind == opening, fact.time);
            count += 1;
        }
        if count == 0 {
            return Part::new(part, Status::NotExpected, 0, "nothing tells of any");
        }
        let done = closing.rsplit('.').next().unwrap_or_default();
        let mut told = vec![format!("{}, {} {done}", plural(pairs.opened, noun), pairs.closed)];
        let mut status = Status::Present;
        if pairs.unclosed > 0 {
            status = Status::Broken;
            told.push(format!("{} missing before the next {opening}", each(pairs.unclosed, closing)));
        }
        if pairs.unopened > 0 {
            status = Status::Broken;
            told.push(format!("{} missing before {closing}", each(pairs.unopened, opening)));
        }
        if let Some(since) = pairs.open {
            let went_on = self.facts.iter().any(|fact| fact.time > since && fact.is_work());
            match self.state {
                State::Open => {
                    status = if status == Status::Broken { status } else { Status::Open };
                    told.push(format!("open since {}", moment(since)));
                }
                State::BrokenOff => {
                    status = Status::Broken;
                    told.push(format!("no {closing} after {}", moment(since)));
                }
                _ if went_on => {
                    status = Status::Broken;
                    told.push(format!("no {closing} after {}, although the session went on", moment(since)));
                }
                _ => told.push(format!("the last one lasted until the end, from {}", moment(since))),
            }
        }
        Part::new(part, status, count, told.join("; "))
    }

    fn chat(&self) -> Part {
        let lines = Numbers::new(self.of("chat.line"), &self.repetitions);
        let redacted = Numbers::new(self.of("chat.redacted"), &Repetitions::new());
        let count = self.count("chat.line");
        // A line that was redacted was there, whatever became of it.
        let Some(highest) = lines.highest().max(redacted.highest()) else {
            return match lines.without {
                0 => Part::new("chat", Status::NotExpected, 0, "no line"),
                without => {
                    Part::new("chat", Status::Broken, count, format!("{} without a number", plural(without, "line")))
                }
            };
        };
        let missing = lines.missing(highest.saturating_add(1));
        let repeated = lines.repeated();
        let mut told = vec![match lines.span() {
            Some(span) => format!("{}, {span}", plural(count, "line")),
            None => "no line".to_owned(),
        }];
        if !missing.is_empty() {
            told.push(format!("missing {}", listed(&missing)));
        }
        if missing == [Range { first: 0, last: 0 }] {
            told.push("unless its source counts from 1".to_owned());
        }
        if lines.without > 0 {
            told.push(format!("{} without a number", plural(lines.without, "line")));
        }
        if !repeated.is_empty() {
            told.push(format!("more than once {}", listed(&repeated)));
        }
        let status = if count == 0 {
            Status::Missing
        } else if missing.is_empty() && lines.without == 0 {
            Status::Present
        } else {
            Status::Broken
        };
        Part { missing, repeated, ..Part::new("chat", status, count, told.join("; ")) }
    }

    fn recordings(&self) -> Vec<Part> {
        let ids: BTreeSet<&str> = self
            .facts
            .iter()
            .filter(|fact| fact.family() == "recording")
            .filter_map(|fact| fact.recording.as_deref())
            .collect();
        ids.into_iter().flat_map(|id| Recording::new(id, &self.facts, &self.repetitions).parts(self.absent())).collect()
    }

    fn end(&self) -> Part {
        let part = "end";
        match self.state {
            State::Ended => self.single(part, "session.ended").expect("an ended session has an end"),
            State::Declined | State::Abandoned | State::Failed => {
                let words = self.state.words();
                let mut end = self.single(part, &format!("session.{words}")).expect("its event gave the state");
                end.detail = format!("{words} {}", end.detail);
                end
            }
            State::Open | State::BrokenOff => {
                let silent = duration(self.silent.as_seconds_f64());
                let limit = duration(SILENCE.as_seconds_f64());
                let newest = &self.newest.kind;
                let (told, status) = match self.state {
                    State::Open => (format!("still open: {newest} was {silent} ago, less than {limit}"), Status::Open),
                    _ => (
                        format!("it broke off: nothing since {newest} {silent} ago, more than {limit}"),
                        Status::Missing,
                    ),
                };
                Part::new(part, status, 0, told)
            }
        }
    }

    fn survey(&self) -> Part {
        self.single("survey", "survey.submitted").unwrap_or_else(|| match self.state {
            State::Ended => Part::new("survey", Status::NotGiven, 0, "the customer did not answer"),
            _ => Part::new("survey", Status::NotExpected, 0, "it follows session.ended"),
        })
    }

    fn diagnostics(&self) -> Part {
        match self.count("diagnostics.collected") {
            0 => Part::new("diagnostics", Status::NotExpected, 0, "none"),
            count => Part::new("diagnostics", Status::Present, count, plural(count, "report")),
        }
    }

    fn files(&self) -> Part {
        let (sent, received) = (self.count("file.sent"), self.count("file.received"));
        match sent + received {
            0 => Part::new("files", Status::NotExpected, 0, "none"),
            count => Part::new("files", Status::Present, count, format!("{sent} sent, {received} received")),
        }
    }
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

/// Openings and closings, in order.
#[derive(Debug, Default)]
struct Pairs {
    opened: u64,
    closed: u64,
    /// Openings that were followed by another one.
    unclosed: u64,
    /// Closings of nothing.
    unopened: u64,
    /// Since when it is open.
    open: Option<DateTime<Utc>>,
}

impl Pairs {
    fn take(&mut self, is_opening: bool, time: DateTime<Utc>) {
        if is_opening {
            self.opened += 1;
            self.unclosed += u64::from(self.open.replace(time).is_some());
        } else {
            self.closed += 1;
            self.unopened += u64::from(self.open.take().is_none());
        }
    }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ").replace('Z', " UTC")
}

fn plural(number: u64, noun: &str) -> String {
    let ending = if noun.ends_with('s') { "es" } else { "s" };
    counted(number, noun, &format!("{noun}{ending}"))
}

fn each(number: u64, kind: &str) -> String {
    format!("{number} {kind} {}", if number == 1 { "is" } else { "are" })
}
