//! An object store with faults on demand, around any other.
//!
//! ```text
//! the code under test ──▶ FaultyStore ──(call, path)──▶ Faults: which rule fires?
//!                             │                            │ none       the call goes through
//!                             │                            │ before     it does not, and fails
//!                             │                            │ after      it does, and fails all the same
//!                             │                            │ delay/hold it goes through later
//!                             ▼                            │ crash      from here on nothing goes through
//!                        the real store  ◀─────────────────┘
//! ```
//!
//! Nothing is left to chance: a rule fires by the number of the call among those that it matches, also where it fires "at
//! random", which is a function of a seed and that number. [`Faults`] is the handle that a test keeps.

mod plan;
mod store;

pub use plan::{Call, Failure, Fault, Faults, Gate, Injection, Operation, Rule, RuleId, When};
pub use store::FaultyStore;

#[cfg(test)]
mod tests;
