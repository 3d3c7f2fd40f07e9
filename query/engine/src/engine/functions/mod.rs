//! Bounds on what one call of a function takes: functions that make much out of little, and functions that take long.
//!
//! ```text
//! every scalar function of the engine ─▶ growth: by its name ─▶ BoundedFunction: need of the arguments? ─▶ the function
//! ```
//!
//! A call is one batch of rows, or a constant that is computed while the statement is planned. Its need is computed from
//! its arguments before the function runs, so nothing is allocated that is refused.
//!
//! The engine also plans calls of functions that it does not look up: operators (`@>`, `ARRAY[..]`), `= ANY(..)`, and
//! what it simplifies a call to. These get their bounds where they are planned, or in the plan before it is optimized.
//! Operators over texts (`||`, `~`, LIKE) become calls of bounded functions in the same places.

mod bounded;
mod bounded_operator;
mod constants;
mod counted;
mod growth;
mod need;
mod operators;
mod pattern;
mod search;
mod series_arguments;

pub(super) use bounded::bound_plan;
pub(super) use constants::check_constants;
pub(super) use operators::BoundedOperators;
pub(super) use series_arguments::check_series_arguments;

use bounded::bounded;
use datafusion::common::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// Puts the bounds around the scalar functions of `state`.
pub(super) fn bound_functions(state: &mut SessionState) -> Result<()> {
    let mut functions: Vec<Arc<ScalarUDF>> = state.scalar_functions().values().map(Arc::clone).collect();
    functions.sort_by(|one, other| one.name().cmp(other.name()));
    functions.dedup_by(|one, other| one.name() == other.name());
    for function in functions {
        if let Some(function) = bounded(&function) {
            state.register_udf(function)?;
        }
    }
    Ok(())
}

/// The class of a scalar function of the engine in `docs/functions.md`. `None` if it is not one.
#[cfg(test)]
pub(super) fn class_of(name: &str) -> Option<&'static str> {
    use growth::Growth;
    growth::growth_of(name).map(|growth| match growth {
        Growth::None | Growth::Cast => "constant",
        Growth::Copies
        | Growth::Bytes { .. }
        | Growth::Case { .. }
        | Growth::Elements { .. }
        | Growth::Trim
        | Growth::Split
        | Growth::JsonElements
        | Growth::Gather
        | Growth::GatherElements { .. } => "linear",
        _ => "bounded",
    })
}

#[cfg(test)]
pub(crate) use search::thread_time;

#[cfg(test)]
mod tests;
