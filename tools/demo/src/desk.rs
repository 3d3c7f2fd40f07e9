//! What a whole run shares: the options in working form, and which agent is free when.

use std::sync::Arc;

use crate::clock::{MINUTE, SECOND};
use crate::data::agents::AGENTS;
use crate::dialogue::Library;
use crate::dice::Dice;
use crate::video::cut::Piece;

/// How a ticket came about.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    /// The session came from it.
    Before = 0,
    /// It never got a session.
    Alone = 1,
    /// It was opened during the session.
    During = 2,
}

/// What does not change during a run.
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// Short text that differs between runs of other seed or end, for ids.
    pub(crate) run: String,
    /// First of this run's ticket numbers.
    pub(crate) first_ticket: u64,
    /// How many sessions there will be.
    pub(crate) sessions: u64,
    /// Nothing happens later; milliseconds.
    pub(crate) end: i64,
    /// Size of the pool that customers come from.
    pub(crate) customers: u64,
    /// Every how many started sessions one is recorded; 0 is none.
    pub(crate) record_every: u64,
    /// Length of a generated recording.
    pub(crate) recording_ms: u32,
    /// The user's own recording and its pieces.
    pub(crate) file: Option<(Arc<[u8]>, Vec<Piece>)>,
    pub(crate) library: Library,
}

impl Setting {
    /// A ticket number. Each origin has its own range, so that no two tickets share one.
    pub(crate) fn ticket(&self, origin: Origin, index: u64) -> String {
        format!("HD-{}", self.first_ticket + self.sessions * origin as u64 + index)
    }
}

/// The agents' day, as far as it has been told.
pub(crate) struct Desk {
    free_at: [i64; AGENTS.len()],
    /// Sessions that have been started.
    pub(crate) started: u64,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { free_at: [i64::MIN; AGENTS.len()], started: 0 }
    }

    /// Who takes a customer that waits since `time`, and when.
    pub(crate) fn assign(&self, dice: &mut Dice, time: i64, language: &str, skill: &str) -> (usize, i64) {
        let able: Vec<usize> = (0..AGENTS.len())
            .filter(|agent| AGENTS[*agent].languages.contains(&language) && AGENTS[*agent].skills.contains(&skill))
            .collect();
        let free: Vec<usize> = able.iter().copied().filter(|agent| self.free_at[*agent] <= time).collect();
        if !free.is_empty() {
            return (*dice.pick(&free), time + dice.mostly_small(4 * SECOND, 50 * SECOND));
        }
        // Nobody is free: the one who is done first, but nobody waits for ever; then an agent takes a second chat.
        let agent = able.iter().copied().min_by_key(|agent| self.free_at[*agent]).unwrap_or(0);
        let longest = time + dice.between(6 * MINUTE, 22 * MINUTE);
        (agent, (self.free_at[agent] + dice.between(5 * SECOND, 40 * SECOND)).min(longest))
    }

    /// Agents who could take a session now.
    pub(crate) fn available(&self, time: i64, skill: &str) -> i64 {
        let ready = |agent: &usize| AGENTS[*agent].skills.contains(&skill) && self.free_at[*agent] <= time;
        (0..AGENTS.len()).filter(ready).count() as i64
    }

    /// Another agent for a transfer.
    pub(crate) fn colleague(&self, dice: &mut Dice, not: usize, language: &str) -> usize {
        let others: Vec<usize> =
            (0..AGENTS.len()).filter(|agent| *agent != not && AGENTS[*agent].languages.contains(&language)).collect();
        if others.is_empty() { not } else { *dice.pick(&others) }
    }

    /// An agent is busy until `time`.
    pub(crate) fn occupy(&mut self, agent: usize, time: i64) {
        self.free_at[agent] = self.free_at[agent].max(time);
    }
}
