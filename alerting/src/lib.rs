//! Alerts: which events are worth waking somebody, decided by pure functions.
//!
//! ```text
//! Event ─▶ Rules::evaluate ─▶ Alert (id = hash of rule, source and event) ─▶ Silences::admits ─▶ to be delivered
//! ```
//!
//! Invariants:
//! - The same event and the same rule give the same alert with the same id, on every machine and after every restart.
//! - A silence holds for one rule and one group. It never hides the alert of another agent, customer or queue, and an
//!   alert whose group is not fully known is never silenced.
//! - An alert carries attributes of the tier operational and nothing of `data`.
//!
//! No clock and no I/O: the time comes from the caller, delivery is the caller's.

mod rule;
mod silence;

pub use rule::{Alert, Attribute, Condition, Rule, RuleError, Rules, Severity, negative_rating};
pub use silence::Silences;
