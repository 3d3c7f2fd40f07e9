//! Counts of what was generated, for comparison with the results of queries on an archive.

use std::collections::BTreeMap;

use crate::timeline::Outcome;
use crate::{Message, Topic};

/// What a run has produced so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages of both topics.
    pub messages: u64,
    /// Messages by type of event.
    pub by_type: BTreeMap<String, u64>,
    /// Sessions that were requested, with any outcome.
    pub sessions: u64,
    /// Sessions that started.
    pub started: u64,
    /// Sessions that were abandoned, declined or failed.
    pub not_started: u64,
    /// Sessions that started and never ended.
    pub broken_off: u64,
    /// Tickets, with and without a session.
    pub tickets: u64,
    /// Tickets without a session.
    pub tickets_without_session: u64,
    /// Recordings that were started.
    pub recordings: u64,
    /// Chunks of all recordings.
    pub chunks: u64,
    /// Lines of chat.
    pub chat_lines: u64,
    /// Ratings, from one star to five.
    pub ratings: [u64; 5],
    /// Bytes of all event payloads.
    pub event_bytes: u64,
    /// Bytes of all chunks.
    pub recording_bytes: u64,
    /// Time of the earliest message, microseconds since 1970 UTC.
    pub first_time: Option<i64>,
    /// Time of the latest message, microseconds since 1970 UTC.
    pub last_time: Option<i64>,
}

impl Summary {
    pub(crate) fn count(&mut self, message: &Message) {
        self.messages += 1;
        match self.by_type.get_mut(message.kind) {
            Some(count) => *count += 1,
            None => drop(self.by_type.insert(message.kind.to_owned(), 1)),
        }
        let bytes = message.payload.len() as u64;
        match message.topic {
            Topic::Events => self.event_bytes += bytes,
            Topic::Recordings => self.recording_bytes += bytes,
        }
        match message.kind {
            "session.requested" => self.sessions += 1,
            "session.started" => self.started += 1,
            "ticket.opened" => self.tickets += 1,
            "recording.started" => self.recordings += 1,
            "recording.chunk" => self.chunks += 1,
            "chat.line" => self.chat_lines += 1,
            "survey.submitted" => self.count_rating(&message.payload),
            _ => {}
        }
        self.first_time = Some(self.first_time.map_or(message.time, |time| time.min(message.time)));
        self.last_time = Some(self.last_time.map_or(message.time, |time| time.max(message.time)));
    }

    /// The rating is the first field of the data, one digit.
    fn count_rating(&mut self, payload: &[u8]) {
        const BEFORE: &[u8] = b"\"data\":{\"rating\":";
        let rating =
            payload.windows(BEFORE.len()).position(|window| window == BEFORE).map(|at| payload[at + BEFORE.len()]);
        if let Some(digit @ b'1'..=b'5') = rating {
            self.ratings[usize::from(digit - b'1')] += 1;
        }
    }

    pub(crate) fn count_timeline(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Background | Outcome::Ended => {}
            Outcome::TicketOnly => self.tickets_without_session += 1,
            Outcome::NotStarted => self.not_started += 1,
            Outcome::BrokenOff => self.broken_off += 1,
        }
    }
}
