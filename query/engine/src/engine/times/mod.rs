//! Times in microseconds where the engine would make nanoseconds of them.
//!
//! An event keeps the time that its source claims, be it of the year 1 or 10000. Nanoseconds reach from 1677 to 2262, and
//! one time outside would fail a statement for everybody. What is computed of times is in the crate of the dialect.
//!
//! ```text
//! types are coerced ─▶ rule: comparisons and casts of times
//! optimize          ─▶ filter: a view's time that is NULL if implausible still selects files
//! ```

mod filter;
mod rounded;
mod rule;
mod series;

use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use std::sync::Arc;

/// Adds the rules. To be called after the extensions.
pub(super) fn install(builder: SessionStateBuilder) -> SessionStateBuilder {
    builder
        .with_analyzer_rule(Arc::new(rule::Microseconds::default()))
        .with_optimizer_rule(Arc::new(filter::FilterOfCase))
}

/// Makes table functions take microseconds.
pub(super) fn register(state: &mut SessionState) {
    series::accept_microseconds(state);
}

#[cfg(test)]
mod tests;
