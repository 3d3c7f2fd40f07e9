//! How long events are kept: retention classes as data, with the rules that they cite.
//!
//! ```text
//! packs/*.toml ─▶ Policy ─┬─ classify(event) ─▶ RetentionClass (always one: `general` when no other fits)
//!                         └─ disposal_date(class, filing date) ─▶ the first date on which it may be disposed of
//! ```
//!
//! A pack states what a rule requires, with its citation, and nothing else. A class without a citation has a default period of
//! Holdfast and is marked as such. If several classes match, the one with the longest period applies.
//!
//! Pure: no clock, no file. A policy decides; it deletes nothing.

mod pack;
mod policy;

pub use pack::{Pack, PackError, PackProblem, RetentionClass};
pub use policy::{BUILT_IN_PACKS, GENERAL_CLASS, Policy, PolicyError, disposal_date};
