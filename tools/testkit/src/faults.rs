//! Fault injection: an object store that wraps another one.
//!
//! ```text
//! the code under test ──▶ FaultyStore ──(call, path)──▶ Faults: which rule fires?
//!                             │                            │ none       the call is executed
//!                             │                            │ before     it is not executed, and fails
//!                             │                            │ after      it is executed, and fails nevertheless
//!                             │                            │ delay/hold it is executed later
//!                             ▼                            │ crash      from now on no call is executed
//!                        the real store  ◀─────────────────┘
//! ```
//!
//! Everything is deterministic: a rule fires by the number of the call among those that it matches. [`When::Percent`] is a
//! function of a seed and that number. [`Faults`] is the handle for the test.

mod plan;
mod store;

pub use plan::{Call, Failure, Fault, Faults, Gate, Injection, Operation, Rule, RuleId, When};
pub use store::FaultyStore;

#[cfg(test)]
mod tests;
