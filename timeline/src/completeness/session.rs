//! The parts of a session, judged one by one.
//!
//! ```text
//! each event once, in order ─▶ State ─▶ request, queue, start, consent, ... chat ─▶ recordings ─▶ end, survey, ...
//! ```
//!
//! A part is judged by the events and by the state, and by no other part. A part that is absent is missing only if an
//! event shows that it was there or was due. While the session is open, a part that may still arrive is open.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::delivery::Delivery;
use super::detail::{Consent, Detail, Participant, Silence};
use super::duplicates::Duplicates;
use super::numbers::Numbers;
use super::pairs::{OpenReason, PairCounter};
use super::part::{Part, PartName};
use super::recording::Recording;
use super::state::{SILENCE, State};
use super::status::Status;

/// The events of a session, each once and in order.
pub(super) struct Session<'d> {
    events: Vec<&'d Delivery>,
    duplicates: Duplicates<'d>,
    newest: &'d Delivery,
    /// What has passed since the newest event.
    silence: TimeDelta,
    state: State,
}

impl<'d> Session<'d> {
    pub(super) fn new(
        events: Vec<&'d Delivery>,
        duplicates: Duplicates<'d>,
        newest: &'d Delivery,
        now: DateTime<Utc>,
    ) -> Self {
        // The clock of a source may be ahead of ours.
        let silence = (now - newest.time).max(TimeDelta::zero());
        let state = State::new(&events, silence);
        Self { events, duplicates, newest, silence, state }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// All parts, in the order of the report.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![
            self.request(),
            self.queue(),
            self.start(),
            self.consent(),
            self.participants(),
            self.pairs(PartName::Pauses, "session.paused", "session.resumed"),
            self.pairs(PartName::Connection, "connection.lost", "connection.restored"),
            self.chat(),
        ];
        parts.extend(self.recordings());
        parts.extend([self.end(), self.survey(), self.diagnostics(), self.files()]);
        parts
    }

    fn of<'s>(&'s self, type_: &'s str) -> impl Iterator<Item = &'d Delivery> + 's {
        self.events.iter().copied().filter(move |event| event.type_ == type_)
    }

    fn count(&self, type_: &str) -> u64 {
        self.of(type_).count() as u64
    }

    /// Whether events show that it started.
    fn went_on(&self) -> bool {
        self.state == State::Ended
            || self.events.iter().any(|event| event.type_ == "session.started" || event.implies_start())
    }

    /// A part that is one event. Several are as good as one.
    fn single(&self, part: PartName, type_: &str) -> Option<Part> {
        let first = self.of(type_).next()?;
        Some(Part::new(part, Status::Present, self.count(type_), Detail::At { time: first.time }))
    }

    /// A part that is a number of events.
    fn counted(&self, part: PartName, type_: &str) -> Part {
        match self.count(type_) {
            0 => Part::absent(part, Status::NotExpected, Detail::NoEvent),
            count => Part::new(part, Status::Present, count, Detail::Counted),
        }
    }

    fn request(&self) -> Part {
        let part = PartName::Request;
        self.single(part, "session.requested").unwrap_or_else(|| {
            let followers = ["session.queued", "session.declined", "session.abandoned"];
            match followers.into_iter().find(|type_| self.count(type_) > 0) {
                Some(by) => Part::absent(part, Status::Missing, Detail::Followed { by }),
                None => Part::absent(part, Status::NotExpected, Detail::NoEvent),
            }
        })
    }

    fn queue(&self) -> Part {
        self.counted(PartName::Queue, "session.queued")
    }

    fn start(&self) -> Part {
        let part = PartName::Start;
        self.single(part, "session.started").unwrap_or_else(|| match self.state {
            state if state.is_refused() => Part::absent(part, Status::NotExpected, Detail::Refused { state }),
            _ if self.went_on() => Part::absent(part, Status::Missing, Detail::WentOn),
            State::Open => Part::absent(part, Status::Open, Detail::NotYet),
            _ => Part::absent(part, Status::Missing, Detail::NotStarted),
        })
    }

    fn consent(&self) -> Part {
        let part = PartName::Consent;
        let count = self.count("consent.recorded");
        if count == 0 {
            return match self.state {
                state if state.is_refused() => Part::absent(part, Status::NotExpected, Detail::Refused { state }),
                state if self.went_on() => Part::absent(part, state.absent(), Detail::WentOn),
                _ => Part::absent(part, Status::NotExpected, Detail::NotStarted),
            };
        }
        let mut consents: Vec<Consent> = Vec::new();
        for event in self.of("consent.recorded") {
            let consent = Consent { what: event.what.clone(), granted: event.granted };
            if !consents.contains(&consent) {
                consents.push(consent);
            }
        }
        Part::new(part, Status::Present, count, Detail::Consents { consents })
    }

    fn participants(&self) -> Part {
        let part = PartName::Participants;
        let mut attendance: BTreeMap<Option<&str>, PairCounter> = BTreeMap::new();
        for event in &self.events {
            let is_joining = match event.type_.as_str() {
                "session.joined" => true,
                "session.left" => false,
                _ => continue,
            };
            attendance.entry(event.participant_id.as_deref()).or_default().add(is_joining, event.time);
        }
        if attendance.is_empty() {
            return Part::absent(part, Status::NotExpected, Detail::NoEvent);
        }
        // The end of a session is the leaving of all participants who remain.
        let must_leave = self.state == State::BrokenOff;
        let is_broken = attendance
            .values()
            .any(|pairs| pairs.unclosed > 0 || pairs.unopened > 0 || (must_leave && pairs.open.is_some()));
        let events = attendance.values().map(PairCounter::events).sum();
        let participants = attendance
            .into_iter()
            .map(|(id, pairs)| Participant {
                participant_id: id.map(str::to_owned),
                joined_again: pairs.unclosed,
                left_unjoined: pairs.unopened,
                remains: pairs.open.is_some(),
            })
            .collect();
        let status = if is_broken { Status::Broken } else { Status::Present };
        Part::new(part, status, events, Detail::Participants { participants })
    }

    /// What is opened by one type of event and closed by another.
    fn pairs(&self, part: PartName, opening: &'static str, closing: &'static str) -> Part {
        let mut counter = PairCounter::default();
        for event in self.events.iter().filter(|event| event.type_ == opening || event.type_ == closing) {
            counter.add(event.type_ == opening, event.time);
        }
        if counter.events() == 0 {
            return Part::absent(part, Status::NotExpected, Detail::NoEvent);
        }
        let pairs = counter.pairs(opening, closing, |since| match self.state {
            State::Open => OpenReason::StillOpen,
            State::BrokenOff => OpenReason::BrokenOff,
            _ if self.events.iter().any(|event| event.time > since && event.is_work()) => OpenReason::WentOn,
            _ => OpenReason::UntilEnd,
        });
        Part::new(part, pairs.status(), counter.events(), Detail::Pairs(pairs))
    }

    fn chat(&self) -> Part {
        let part = PartName::Chat;
        let lines = Numbers::new(self.of("chat.line"), &self.duplicates);
        let redacted = Numbers::new(self.of("chat.redacted"), &Duplicates::default());
        let count = self.count("chat.line");
        // A line that was redacted was there, also if it is missing now.
        let highest = lines.highest().max(redacted.highest());
        if highest.is_none() && count == 0 {
            return Part::absent(part, Status::NotExpected, Detail::NoEvent);
        }
        let series = lines.series(highest.map_or(0, |highest| highest.saturating_add(1)));
        let status = if count == 0 {
            Status::Missing
        } else if series.missing.is_empty() && series.without_number == 0 {
            Status::Present
        } else {
            Status::Broken
        };
        Part::new(part, status, count, Detail::Lines(series))
    }

    fn recordings(&self) -> Vec<Part> {
        let ids: BTreeSet<&str> = self
            .events
            .iter()
            .filter(|event| event.family() == "recording")
            .filter_map(|event| event.recording_id.as_deref())
            .collect();
        let recording = |id| Recording::new(id, &self.events, &self.duplicates);
        ids.into_iter().flat_map(|id| recording(id).parts(self.state.absent())).collect()
    }

    fn end(&self) -> Part {
        let part = PartName::End;
        self.state.end().and_then(|type_| self.single(part, type_)).unwrap_or_else(|| {
            let silence = Silence {
                newest: self.newest.type_.clone(),
                seconds: self.silence.as_seconds_f64(),
                limit_seconds: SILENCE.as_seconds_f64(),
            };
            Part::absent(part, self.state.absent(), Detail::Silence(silence))
        })
    }

    fn survey(&self) -> Part {
        let part = PartName::Survey;
        self.single(part, "survey.submitted").unwrap_or_else(|| match self.state {
            State::Ended => Part::absent(part, Status::NotGiven, Detail::NotAnswered),
            _ => Part::absent(part, Status::NotExpected, Detail::NoEvent),
        })
    }

    fn diagnostics(&self) -> Part {
        self.counted(PartName::Diagnostics, "diagnostics.collected")
    }

    fn files(&self) -> Part {
        let part = PartName::Files;
        let (sent, received) = (self.count("file.sent"), self.count("file.received"));
        match sent + received {
            0 => Part::absent(part, Status::NotExpected, Detail::NoEvent),
            count => Part::new(part, Status::Present, count, Detail::Files { sent, received }),
        }
    }
}
