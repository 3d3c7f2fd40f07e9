//! How long events are kept: retention classes as data, with the rules that they cite.
//!
//! ```text
//! packs/*.toml ─▶ Policy ─┬─ classify(event) ─▶ RetentionClass (always one: `general` when no other fits)
//!                         └─ disposal_date(class, filing date) ─▶ the first date on which it may be disposed of
//! ```
//!
//! A pack says what a rule says, with its citation, and nothing beyond. A class without a citation has a default of
//! Holdfast's, and says so. Where several classes fit, the longest period wins.
//!
//! Pure: no clock, no file. A policy decides; it deletes nothing.

mod pack;
mod policy;

pub use pack::{Pack, PackError, PackProblem, RetentionClass};
pub use policy::{BUILT_IN_PACKS, GENERAL_CLASS, Policy, PolicyError, disposal_date};
