//! Merges the stories of a run by time.
//!
//! Beginnings are known in order, so a story is told only when nothing that is already told comes before it. The heap
//! holds the stories under way; its size is that of a busy day, not of the run.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::background::{SESSIONS_A_TICKET, ticket_alone, working_day};
use crate::clock::{Calendar, DAY, HOUR, MINUTE, is_working_day};
use crate::desk::{Desk, Setting};
use crate::dialogue::Library;
use crate::dice::Dice;
use crate::event::{Draft, Envelope};
use crate::session::{Story, tell};
use crate::video::cut::pieces;
use crate::{Message, Options, Summary, hash};

/// The stream of chance that spreads the beginnings.
const BEGINNINGS: u64 = 0;

/// A run: an iterator over its messages, in the order in which they would have been published.
pub struct Demo {
    setting: Setting,
    desk: Desk,
    calendar: Calendar,
    dice: Dice,
    /// Beginning and number of the next session.
    next_session: Option<(i64, u64)>,
    /// Midnight of the next day.
    next_day: i64,
    day: u64,
    told: u64,
    under_way: BinaryHeap<Reverse<Running>>,
    summary: Summary,
}

/// A story and how far it has come.
struct Running {
    /// Time of the next event, and the order of telling among equals.
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

/// Begins a run. Messages are made as they are asked for.
pub fn generate(options: Options) -> Demo {
    let end = options.end.div_euclid(1000);
    let begin = end - i64::from(options.days.max(1)) * DAY;
    let digest = hash(format!("run {} {}", options.seed, options.end).as_bytes());
    let run = digest[..10].to_owned();
    let number = u64::from_str_radix(&digest[10..18], 16).unwrap_or_default();
    let file = options.recording_bytes.map(|bytes| {
        let pieces = pieces(&bytes);
        (Arc::<[u8]>::from(bytes), pieces)
    });
    let setting = Setting {
        seed: options.seed,
        run,
        first_ticket: (1_000 + number % 9_000) * 10_000,
        sessions: options.sessions,
        end,
        customers: (options.sessions / 3).clamp(24, 90_000),
        record_every: options.record_every,
        recording_ms: options.recording_seconds.clamp(4, 600) * 1000,
        // An empty file has nothing to play.
        file: file.filter(|(_, pieces)| !pieces.is_empty()),
        library: Library::new(),
    };
    let mut demo = Demo {
        calendar: Calendar::new(begin, end - 45 * MINUTE),
        dice: Dice::new(options.seed, BEGINNINGS),
        desk: Desk::new(),
        next_session: None,
        next_day: begin.div_euclid(DAY) * DAY,
        day: 0,
        told: 0,
        under_way: BinaryHeap::new(),
        summary: Summary::default(),
        setting,
    };
    if options.sessions > 0 {
        demo.schedule(0);
    }
    demo
}

impl Demo {
    /// Counts of the messages that have been handed out so far; stories that never ended are counted when told.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn schedule(&mut self, index: u64) {
        let count = self.setting.sessions;
        self.next_session = (index < count).then(|| (self.calendar.beginning(index, count, &mut self.dice), index));
    }

    fn add(&mut self, story: Story) {
        self.summary.count_story(story.outcome);
        let Some(first) = story.drafts.first() else { return };
        self.told += 1;
        self.under_way.push(Reverse(Running {
            next: (first.time, self.told),
            envelope: story.envelope,
            drafts: story.drafts.into_iter(),
            number: 0,
        }));
    }

    /// Tells every story that may begin before the next event. True when one was told.
    fn tell_next(&mut self) -> bool {
        let due = self.under_way.peek().map_or(i64::MAX, |running| running.0.next.0);
        let day = if self.setting.sessions > 0 && self.next_day < self.setting.end { self.next_day } else { i64::MAX };
        let session = self.next_session.map_or(i64::MAX, |(begin, _)| begin);
        if day.min(session) == i64::MAX || day.min(session) > due {
            return false;
        }
        if day <= session {
            if is_working_day(day + 12 * HOUR) {
                let story = working_day(&self.setting, self.day, day);
                self.add(story);
            }
            self.day += 1;
            self.next_day += DAY;
        } else if let Some((begin, index)) = self.next_session {
            if index % SESSIONS_A_TICKET == 3 {
                let story = ticket_alone(&self.setting, index, begin);
                self.add(story);
            }
            let story = tell(&self.setting, &mut self.desk, index, begin);
            self.add(story);
            self.schedule(index + 1);
        }
        true
    }
}

impl Iterator for Demo {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        while self.tell_next() {}
        let Reverse(mut running) = self.under_way.pop()?;
        let draft = running.drafts.next()?;
        running.number += 1;
        let message = running.envelope.seal(running.number, draft);
        self.summary.count(&message);
        if let Some(next) = running.drafts.as_slice().first() {
            running.next.0 = next.time;
            self.under_way.push(Reverse(running));
        }
        Some(message)
    }
}
