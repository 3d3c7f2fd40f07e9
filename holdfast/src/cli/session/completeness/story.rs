//! The events of a session, how it stands by them, and its parts judged one by one.
//!
//! ```text
//! each event once, in order ─▶ state ─▶ request, queue, start, consent, ... chat ─▶ recordings ─▶ end, survey, ...
//!                              (an end, or the silence since)                       (recordings.rs)
//! ```
//!
//! A part is judged by the events and by the state, and by no other part. What is not there is missing only if
//! something tells that it was there or had to come; while the session is open, what may still come is open.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::numbers::{Numbers, Range, listed};
use super::pairs::Pairs;
use super::recordings::Recording;
use super::words::{each, moment, plural};
use super::{Fact, Part, Repetitions, State, Status};
use crate::render::text::{counted, duration};

/// A session without an end that has been silent for longer has broken off.
const SILENCE: TimeDelta = TimeDelta::hours(1);

/// The events of a session, each once and in order.
pub(super) struct Story<'f> {
    pub(super) facts: Vec<&'f Fact>,
    repetitions: Repetitions<'f>,
    newest: &'f Fact,
    /// What has passed since the newest event.
    silent: TimeDelta,
    pub(super) state: State,
}

impl<'f> Story<'f> {
    pub(super) fn new(
        facts: Vec<&'f Fact>,
        repetitions: Repetitions<'f>,
        newest: &'f Fact,
        now: DateTime<Utc>,
    ) -> Self {
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

    pub(super) fn request(&self) -> Part {
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

    pub(super) fn queue(&self) -> Part {
        match self.count("session.queued") {
            0 => Part::new("queue", Status::NotExpected, 0, "nothing tells of one"),
            count => Part::new("queue", Status::Present, count, counted(count, "place told", "places told")),
        }
    }

    pub(super) fn start(&self) -> Part {
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

    pub(super) fn consent(&self) -> Part {
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

    pub(super) fn participants(&self) -> Part {
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
    pub(super) fn pairs(&self, part: &'static str, noun: &str, opening: &str, closing: &str) -> Part {
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

    pub(super) fn chat(&self) -> Part {
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

    pub(super) fn recordings(&self) -> Vec<Part> {
        let ids: BTreeSet<&str> = self
            .facts
            .iter()
            .filter(|fact| fact.family() == "recording")
            .filter_map(|fact| fact.recording.as_deref())
            .collect();
        ids.into_iter().flat_map(|id| Recording::new(id, &self.facts, &self.repetitions).parts(self.absent())).collect()
    }

    pub(super) fn end(&self) -> Part {
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

    pub(super) fn survey(&self) -> Part {
        self.single("survey", "survey.submitted").unwrap_or_else(|| match self.state {
            State::Ended => Part::new("survey", Status::NotGiven, 0, "the customer did not answer"),
            _ => Part::new("survey", Status::NotExpected, 0, "it follows session.ended"),
        })
    }

    pub(super) fn diagnostics(&self) -> Part {
        match self.count("diagnostics.collected") {
            0 => Part::new("diagnostics", Status::NotExpected, 0, "none"),
            count => Part::new("diagnostics", Status::Present, count, plural(count, "report")),
        }
    }

    pub(super) fn files(&self) -> Part {
        let (sent, received) = (self.count("file.sent"), self.count("file.received"));
        match sent + received {
            0 => Part::new("files", Status::NotExpected, 0, "none"),
            count => Part::new("files", Status::Present, count, format!("{sent} sent, {received} received")),
        }
    }
}
