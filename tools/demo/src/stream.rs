//! Merges the time lines of a run by time.
//!
//! The start times are generated in order, so a time line is simulated only when it may start before the next event. The heap
//! contains the running time lines; its size is that of a busy day, not of the run.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::background::{SESSIONS_A_TICKET, ticket_without_session, working_day};
use crate::clock::{Calendar, DAY, HOUR, MINUTE, is_working_day};
use crate::desk::Desk;
use crate::dialogue::Library;
use crate::event::{Draft, Envelope};
use crate::random::Random;
use crate::run::Run;
use crate::session::simulate;
use crate::timeline::Timeline;
use crate::video::cut::pieces;
use crate::{Message, Options, Summary, hash};

/// The random stream of the start times.
const STARTS: u64 = 0;

/// A run: an iterator over its messages, in the order in which they would have been published.
pub struct Demo {
    run: Run,
    desk: Desk,
    calendar: Calendar,
    random: Random,
    /// Start and number of the next session.
    next_session: Option<(i64, u64)>,
    /// Midnight of the next day.
    next_day: i64,
    day: u64,
    simulated: u64,
    running_timelines: BinaryHeap<Reverse<Running>>,
    summary: Summary,
}

/// A time line and the position in it.
struct Running {
    /// Time of the next event, and the order of simulation among equal times.
    next: (i64, u64),
    envelope: Envelope,
    drafts: std::vec::IntoIter<Draft>,
    number: usize,
}

impl PartialEq for Running {
    fn eq(&self, other: &Self) -> bool {
        self.next == other.next
    }
}

impl Eq for Running {}

impl PartialOrd for Running {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Running {
    fn cmp(&self, other: &Self) -> Ordering {
        self.next.cmp(&other.next)
    }
}

/// Starts a run. The iterator generates each message when it is requested.
pub fn generate(options: Options) -> Demo {
    let end = options.end.div_euclid(1000);
    let begin = end - i64::from(options.days.max(1)) * DAY;
    let digest = hash(format!("run {} {}", options.seed, options.end).as_bytes());
    let id = digest[..10].to_owned();
    let number = u64::from_str_radix(&digest[10..18], 16).unwrap_or_default();
    let file = options.recording_bytes.map(|bytes| {
        let pieces = pieces(&bytes);
        (Arc::<[u8]>::from(bytes), pieces)
    });
    let run = Run {
        seed: options.seed,
        id,
        first_ticket: (1_000 + number % 9_000) * 10_000,
        sessions: options.sessions,
        end,
        customers: (options.sessions / 3).clamp(24, 90_000),
        record_every: options.record_every,
        recording_ms: options.recording_seconds.clamp(4, 600) * 1000,
        // An empty file has no chunk.
        file: file.filter(|(_, pieces)| !pieces.is_empty()),
        library: Library::new(),
    };
    let mut demo = Demo {
        calendar: Calendar::new(begin, end - 45 * MINUTE),
        random: Random::new(options.seed, STARTS),
        desk: Desk::new(),
        next_session: None,
        next_day: begin.div_euclid(DAY) * DAY,
        day: 0,
        simulated: 0,
        running_timelines: BinaryHeap::new(),
        summary: Summary::default(),
        run,
    };
    if options.sessions > 0 {
        demo.schedule(0);
    }
    demo
}

impl Demo {
    /// Counts of the messages returned so far. Sessions that did not start or broke off count when they are simulated.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn schedule(&mut self, index: u64) {
        let count = self.run.sessions;
        self.next_session = (index < count).then(|| (self.calendar.start(index, count, &mut self.random), index));
    }

    fn add(&mut self, timeline: Timeline) {
        self.summary.count_timeline(timeline.outcome);
        let Some(first) = timeline.drafts.first() else { return };
        self.simulated += 1;
        self.running_timelines.push(Reverse(Running {
            next: (first.time, self.simulated),
            envelope: timeline.envelope,
            drafts: timeline.drafts.into_iter(),
            number: 0,
        }));
    }

    /// Simulates the next time line if it may start before the next event. Returns whether it did.
    fn start_next(&mut self) -> bool {
        let due = self.running_timelines.peek().map_or(i64::MAX, |running| running.0.next.0);
        let day = if self.run.sessions > 0 && self.next_day < self.run.end { self.next_day } else { i64::MAX };
        let session = self.next_session.map_or(i64::MAX, |(begin, _)| begin);
        if day.min(session) == i64::MAX || day.min(session) > due {
            return false;
        }
        if day <= session {
            if is_working_day(day + 12 * HOUR) {
                let timeline = working_day(&self.run, self.day, day);
                self.add(timeline);
            }
            self.day += 1;
            self.next_day += DAY;
        } else if let Some((begin, index)) = self.next_session {
            if index % SESSIONS_A_TICKET == 3 {
                let timeline = ticket_without_session(&self.run, index, begin);
                self.add(timeline);
            }
            let timeline = simulate(&self.run, &mut self.desk, index, begin);
            self.add(timeline);
            self.schedule(index + 1);
        }
        true
    }
}

impl Iterator for Demo {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        while self.start_next() {}
        let Reverse(mut running) = self.running_timelines.pop()?;
        let draft = running.drafts.next()?;
        running.number += 1;
        let message = running.envelope.message(running.number, draft);
        self.summary.count(&message);
        if let Some(next) = running.drafts.as_slice().first() {
            running.next.0 = next.time;
            self.running_timelines.push(Reverse(running));
        }
        Some(message)
    }
}
