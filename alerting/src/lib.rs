//! Alerting rules: pure functions decide which events cause an alert.
//!
//! ```text
//! Event ─▶ Rules::evaluate ─▶ Alert (id = hash of rule, source and event) ─▶ Silences::allows ─▶ delivery
//! ```
//!
//! Invariants:
//! - The same event and the same rule give the same alert with the same id, on every machine and after every restart.
//! - A silence is for one rule and one group. It never hides the alert of another agent, customer or queue. An alert with an
//!   unknown value in its group is never silenced.
//! - An alert has attributes of the tier operational and nothing of `data`.
//!
//! No clock and no I/O: the caller passes the time and delivers the alerts.

mod rule;
mod silence;

pub use rule::{Alert, Attribute, Condition, Rule, RuleError, Rules, Severity, negative_rating};
pub use silence::Silences;
