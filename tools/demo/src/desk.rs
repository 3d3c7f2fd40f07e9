//! Which agent is free when.

use crate::clock::{MINUTE, SECOND};
use crate::data::agents::AGENTS;
use crate::random::Random;

/// The service desk: the agents' occupation by the sessions so far.
pub(crate) struct Desk {
    free_at: [i64; AGENTS.len()],
    /// Sessions that have been started.
    pub(crate) started: u64,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { free_at: [i64::MIN; AGENTS.len()], started: 0 }
    }

    /// The agent for a customer who waits since `time`, and the start of the session.
    pub(crate) fn assign(&self, random: &mut Random, time: i64, language: &str, skill: &str) -> (usize, i64) {
        let able: Vec<usize> = (0..AGENTS.len())
            .filter(|agent| AGENTS[*agent].languages.contains(&language) && AGENTS[*agent].skills.contains(&skill))
            .collect();
        let free: Vec<usize> = able.iter().copied().filter(|agent| self.free_at[*agent] <= time).collect();
        if !free.is_empty() {
            return (*random.pick(&free), time + random.mostly_small(4 * SECOND, 50 * SECOND));
        }
        // No agent is free: the next one who is, after a limited time. Then an agent handles two sessions.
        let agent = able.iter().copied().min_by_key(|agent| self.free_at[*agent]).unwrap_or(0);
        let longest = time + random.between(6 * MINUTE, 22 * MINUTE);
        (agent, (self.free_at[agent] + random.between(5 * SECOND, 40 * SECOND)).min(longest))
    }

    /// Agents who could take a session now.
    pub(crate) fn available(&self, time: i64, skill: &str) -> i64 {
        let ready = |agent: &usize| AGENTS[*agent].skills.contains(&skill) && self.free_at[*agent] <= time;
        (0..AGENTS.len()).filter(ready).count() as i64
    }

    /// Another agent for a transfer.
    pub(crate) fn colleague(&self, random: &mut Random, not: usize, language: &str) -> usize {
        let others: Vec<usize> =
            (0..AGENTS.len()).filter(|agent| *agent != not && AGENTS[*agent].languages.contains(&language)).collect();
        if others.is_empty() { not } else { *random.pick(&others) }
    }

    /// Marks an agent as busy until `time`.
    pub(crate) fn occupy(&mut self, agent: usize, time: i64) {
        self.free_at[agent] = self.free_at[agent].max(time);
    }
}
