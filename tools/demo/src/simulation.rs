//! The state of one session during its simulation. The modules `session`, `talk`, `closing` and `recording` advance it.

use crate::customer::Customer;
use crate::data::issues::Issue;
use crate::event::Draft;
use crate::json::Object;
use crate::random::Random;
use crate::run::Run;

/// The state of a session during its simulation.
pub(crate) struct Simulation<'s> {
    pub(crate) run: &'s Run,
    pub(crate) index: u64,
    pub(crate) random: Random,
    pub(crate) customer: Customer,
    pub(crate) issue: &'static Issue,
    pub(crate) language: &'static str,
    /// Index of the current agent.
    pub(crate) agent: usize,
    /// The simulated time in milliseconds. It only increases.
    pub(crate) now: i64,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) session_id: String,
    pub(crate) ticket: Option<String>,
    /// The values of `{name}` in texts.
    pub(crate) placeholders: Vec<(&'static str, String)>,
    pub(crate) lines: i64,
    /// Whether the last optional action happened.
    pub(crate) action_happened: bool,
    pub(crate) control_since: Option<i64>,
    /// From when until when a card number was visible in the chat.
    pub(crate) card: Option<(i64, i64)>,
    pub(crate) colleague: usize,
}

impl Simulation<'_> {
    pub(crate) fn push(&mut self, kind: &'static str, fields: Object) {
        self.drafts.push(Draft::new(self.now, kind, Some(self.agent), fields));
    }

    /// Advances the time by between `low` and `high` milliseconds.
    pub(crate) fn wait(&mut self, low: i64, high: i64) {
        self.now += self.random.between(low, high);
    }
}
