//! Folds the events of a session into its state, one event after the other.
//!
//! Invariants:
//! - An event counts once: a duplicate, with the same type, source and id, changes nothing.
//! - Events of one partition are applied in the order of their offsets, events of different partitions in any order.
//!   Values that depend on the order are stored with their position in Kafka, so the result is the same.
//! - Times are the minimum or maximum of all events, in any order. A time that is implausible counts as unknown: the event
//!   has happened, and when is not known.

use crate::event::{EventRow, is_duration, text_member};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The position of an event in Kafka. The fold numbers the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Position {
    partition: i32,
    offset: i64,
    topic: u32,
}

/// A value and the position of its event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Positioned<T> {
    position: Position,
    value: T,
}

/// The value of the first event that has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct First<T>(Option<Positioned<T>>);

/// The value of the last event that has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Last<T>(Option<Positioned<T>>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> First<T> {
    fn offer(&mut self, position: Position, value: Option<T>) {
        if let Some(value) = value
            && self.0.as_ref().is_none_or(|known| position < known.position)
        {
            self.0 = Some(Positioned { position, value });
        }
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|known| &known.value)
    }
}

impl<T> Last<T> {
    /// Returns whether the value replaced the known one.
    fn offer(&mut self, position: Position, value: Option<T>) -> bool {
        let Some(value) = value else { return false };
        let is_later = self.0.as_ref().is_none_or(|known| position > known.position);
        if is_later {
            self.0 = Some(Positioned { position, value });
        }
        is_later
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|known| &known.value)
    }
}

/// The earliest time of the events of a kind, in microseconds since 1970; `i64::MAX` if none of them has a plausible one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Earliest(Option<i64>);

/// The latest time of the events of a kind, in microseconds since 1970; `i64::MIN` if none of them has a plausible one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latest(Option<i64>);

impl Earliest {
    fn offer(&mut self, time: Option<i64>) {
        let time = time.unwrap_or(i64::MAX);
        self.0 = Some(self.0.map_or(time, |known| known.min(time)));
    }

    fn has_happened(self) -> bool {
        self.0.is_some()
    }

    /// `None` if there is no event, or its time is implausible.
    pub(crate) fn time(self) -> Option<i64> {
        self.0.filter(|time| *time != i64::MAX)
    }
}

impl Latest {
    fn offer(&mut self, time: Option<i64>) {
        let time = time.unwrap_or(i64::MIN);
        self.0 = Some(self.0.map_or(time, |known| known.max(time)));
    }

    fn has_happened(self) -> bool {
        self.0.is_some()
    }

    /// `None` if there is no event, or its time is implausible.
    pub(crate) fn time(self) -> Option<i64> {
        self.0.filter(|time| *time != i64::MIN)
    }
}

/// How a session ended that was never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Failure {
    Declined,
    Abandoned,
    Failed,
}

/// The number of events of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) events: i64,
    pub(crate) chat_lines: i64,
    pub(crate) files: i64,
    pub(crate) reboots: i64,
    pub(crate) transfers: i64,
    pub(crate) diagnostics: i64,
}

/// The state of a session after some of its events. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fold {
    topics: Vec<String>,
    portal: First<String>,
    mode: First<String>,
    queue: First<String>,
    customer: First<String>,
    ticket: Last<String>,
    agent: Last<String>,
    handled_by: Last<String>,
    /// All agents who handled it, each once, in order of their first event.
    agents: Vec<Positioned<String>>,
    /// The earliest filing time of its events.
    pub(crate) filed: Option<i64>,
    /// The first and the last filing time. Folds of earlier versions have the times that the events claim.
    pub(crate) first_time: Option<i64>,
    pub(crate) last_time: Option<i64>,
    pub(crate) requested_at: Earliest,
    pub(crate) queued_at: Earliest,
    pub(crate) started_at: Earliest,
    pub(crate) ended_at: Latest,
    waited: Option<f64>,
    duration: Last<f64>,
    resolution: Last<String>,
    resolved: Last<String>,
    rating: Last<i32>,
    ended_by: Last<String>,
    failure: Last<Failure>,
    /// The position of the feedback, which is stored outside the fold because it belongs to another tier.
    feedback: Last<()>,
    pub(crate) counts: Counts,
    recordings: BTreeSet<u64>,
    /// Hashes of the events that were applied.
    applied: BTreeSet<u64>,
}

/// 48 bits of a SHA-256 hash. The probability that two of the thousand events of a large session collide is one in half
/// a billion.
fn short_hash(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    digest[..6].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

fn earliest(known: &mut Option<i64>, time: i64) {
    *known = Some(known.map_or(time, |known| known.min(time)));
}

fn latest(known: &mut Option<i64>, time: i64) {
    *known = Some(known.map_or(time, |known| known.max(time)));
}

impl Fold {
    /// Applies an event. Returns whether its feedback, if it has any, replaces the known feedback.
    pub(crate) fn apply(&mut self, event: &EventRow<'_>) -> bool {
        if !self.applied.insert(short_hash(&[event.event_type, event.source, event.id])) {
            return false;
        }
        let position = Position { topic: self.topic(event.topic), partition: event.partition, offset: event.offset };
        let own = |text: Option<&str>| text.map(str::to_owned);
        let operational = |name: &str| event.operational.and_then(|json| text_member(json, name));

        self.counts.events += 1;
        earliest(&mut self.filed, event.filed);
        earliest(&mut self.first_time, event.filed);
        latest(&mut self.last_time, event.filed);
        if let Some(waited) = event.waited {
            self.waited = Some(self.waited.map_or(waited, |known| known.max(waited)));
        }
        self.mode.offer(position, own(event.mode));
        self.queue.offer(position, own(event.queue));
        self.agent.offer(position, own(event.agent));
        self.resolution.offer(position, own(event.resolution));
        self.resolved.offer(position, own(event.resolved));
        self.rating.offer(position, event.rating);
        if let Some(recording) = event.recording {
            self.recordings.insert(short_hash(&[recording]));
        }
        let (mut portal, mut customer, mut ticket) = (own(event.portal), own(event.customer), own(event.ticket));
        let mut handled_by = None;
        match event.event_type {
            "session.requested" => {
                self.requested_at.offer(event.time);
                portal = operational("portal").or(portal);
                customer = customer.or_else(|| operational("account"));
            }
            "session.queued" => self.queued_at.offer(event.time),
            "session.started" => {
                self.started_at.offer(event.time);
                customer = customer.or_else(|| operational("customer_id"));
                handled_by = operational("agent_id").or_else(|| own(event.agent));
            }
            "session.transferred" => {
                self.counts.transfers += 1;
                handled_by = operational("to_agent").or_else(|| own(event.agent));
            }
            "session.linked" => ticket = operational("ticket").or(ticket),
            "session.ended" => {
                self.ended_at.offer(event.time);
                self.duration.offer(position, event.duration);
                self.ended_by.offer(position, own(event.ended_by));
            }
            "session.declined" => _ = self.failure.offer(position, Some(Failure::Declined)),
            "session.abandoned" => _ = self.failure.offer(position, Some(Failure::Abandoned)),
            "session.failed" => _ = self.failure.offer(position, Some(Failure::Failed)),
            "chat.line" => self.counts.chat_lines += 1,
            "file.sent" | "file.received" => self.counts.files += 1,
            "reboot.requested" => self.counts.reboots += 1,
            "diagnostics.collected" => self.counts.diagnostics += 1,
            _ => {}
        }
        self.portal.offer(position, portal);
        self.customer.offer(position, customer);
        self.ticket.offer(position, ticket);
        if let Some(agent) = handled_by {
            self.add_agent(position, &agent);
            self.handled_by.offer(position, Some(agent));
        }
        event.feedback.is_some() && self.feedback.offer(position, Some(()))
    }

    fn topic(&mut self, name: &str) -> u32 {
        let known = self.topics.iter().position(|topic| topic == name);
        let index = known.unwrap_or_else(|| {
            self.topics.push(name.to_owned());
            self.topics.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    fn add_agent(&mut self, position: Position, agent: &str) {
        match self.agents.iter_mut().find(|known| known.value == agent) {
            Some(known) => known.position = known.position.min(position),
            None => self.agents.push(Positioned { position, value: agent.to_owned() }),
        }
        self.agents.sort_by_key(|known| known.position);
    }

    pub(crate) fn portal(&self) -> Option<&str> {
        self.portal.get().map(String::as_str)
    }

    pub(crate) fn mode(&self) -> Option<&str> {
        self.mode.get().map(String::as_str)
    }

    pub(crate) fn queue(&self) -> Option<&str> {
        self.queue.get().map(String::as_str)
    }

    pub(crate) fn customer(&self) -> Option<&str> {
        self.customer.get().map(String::as_str)
    }

    pub(crate) fn ticket(&self) -> Option<&str> {
        self.ticket.get().map(String::as_str)
    }

    /// The last agent who handled it, or else the last agent in an event.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.handled_by.get().or(self.agent.get()).map(String::as_str)
    }

    /// All agents who handled it, in order, as a JSON array. `None` if there are none.
    pub(crate) fn agents(&self) -> Option<String> {
        let names: Vec<&str> = self.agents.iter().map(|agent| agent.value.as_str()).collect();
        (!names.is_empty()).then(|| serde_json::json!(names).to_string())
    }

    pub(crate) fn resolution(&self) -> Option<&str> {
        self.resolution.get().map(String::as_str)
    }

    pub(crate) fn resolved(&self) -> Option<&str> {
        self.resolved.get().map(String::as_str)
    }

    pub(crate) fn rating(&self) -> Option<i32> {
        self.rating.get().copied()
    }

    pub(crate) fn ended_by(&self) -> Option<&str> {
        self.ended_by.get().map(String::as_str)
    }

    pub(crate) fn recordings(&self) -> i64 {
        i64::try_from(self.recordings.len()).unwrap_or(i64::MAX)
    }

    /// Seconds until it was started: from an event, or else from the times. `None` if these contradict each other.
    pub(crate) fn waited(&self) -> Option<f64> {
        let between = || seconds_between(self.requested_at.time()?, self.started_at.time()?);
        self.waited.filter(is_duration).or_else(between)
    }

    /// Seconds from the start to the end: from the end event, or else from the times. `None` if these contradict each
    /// other.
    pub(crate) fn handled(&self) -> Option<f64> {
        let between = || seconds_between(self.started_at.time()?, self.ended_at.time()?);
        self.duration.get().copied().filter(is_duration).or_else(between)
    }

    /// Its latest state.
    pub(crate) fn state(&self) -> Option<&'static str> {
        let failure = self.failure.get().map(|failure| match failure {
            Failure::Declined => "declined",
            Failure::Abandoned => "abandoned",
            Failure::Failed => "failed",
        });
        let ended = self.ended_at.has_happened().then_some("ended");
        let started = self.started_at.has_happened().then_some("started");
        let queued = self.queued_at.has_happened().then_some("queued");
        let requested = self.requested_at.has_happened().then_some("requested");
        ended.or(started).or(failure).or(queued).or(requested)
    }
}

/// `None` if the clocks of the two events contradict each other.
fn seconds_between(from: i64, to: i64) -> Option<f64> {
    let micros = to.checked_sub(from).filter(|micros| *micros >= 0)?;
    Some(micros as f64 / 1e6)
}

#[cfg(test)]
mod tests;
