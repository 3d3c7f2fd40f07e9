//! PostgreSQL's SQL over DataFusion: the same rows, names and types as PostgreSQL gives, or an error with its SQLSTATE.
//!
//! ```text
//! text ─▶ parse ─▶ statement::rewrite: names of columns, constants, forms of syntax
//!      ─▶ plan  ─▶ Operators: operators; register: functions and aggregates, by PostgreSQL's types
//!      ─▶ types are coerced ─▶ Casts: casts ─▶ optimize, execute
//! ```
//!
//! Each module says which of PostgreSQL's behaviours it gives; `answers.tsv` beside it has what PostgreSQL 15 answers, and
//! the tests compare. [`VERSION`] changes when the meaning of any expression changes: rules that are compiled in this
//! dialect say by which version.

#![forbid(unsafe_code)]

mod adjacent;
mod aggregate;
mod array;
mod bags;
mod bounds;
mod call;
mod called;
mod cast;
mod cast_call;
mod coalesce;
mod common_types;
mod comparison;
mod correlated;
mod dependencies;
mod error;
mod function;
mod json;
mod number;
mod operator;
mod order;
mod parameters;
mod shown;
mod statement;
mod system;
mod text;
mod text_types;
mod time;
mod types;
mod unconstrained;
mod unequal;

pub use adjacent::joined_constants;
pub use bounds::unbounded;
pub use cast::recomputed;
pub use error::SqlError;
pub use parameters::parameter_types;
pub use shown::{shown_batch, shown_values};
pub use statement::{name_columns, rewrite, shown_name};
pub use types::{SHOWN_SCALE, TYPE_KEY};

use datafusion::common::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::Analyzer;
use function::Function;
use std::sync::Arc;

/// The version of the dialect.
pub const VERSION: u32 = 1;

/// The planners of expressions, which come before the engine's.
pub fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    let operators = [
        time::operators(),
        number::operators(),
        text::operators(),
        array::operators(),
        json::operators(),
        system::operators(),
    ];
    let mut planners: Vec<Arc<dyn ExprPlanner>> =
        vec![Arc::new(time::Chains), Arc::new(operator::Operators::new(operators.into_iter().flatten()))];
    planners.push(Arc::new(order::TextsBeside));
    planners.push(Arc::new(number::Compared));
    planners.insert(0, Arc::new(json::Marked::default()));
    planners.push(Arc::new(array::Subscripts::default()));
    planners.extend(aggregate::planners());
    planners
}

/// Adds the rules. To be called after the engine's features.
pub fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let others = builder.type_planner().take();
    let mut builder = builder.with_type_planner(Arc::new(time::Times::new(others)));
    let casts = [time::casts(), number::casts(), text::casts(), array::casts(), json::casts(), system::casts()];
    // Before the engine coerces types.
    let rules = &mut builder.analyzer().get_or_insert_with(Analyzer::new).rules;
    rules.insert(0, Arc::new(aggregate::GroupingArguments));
    rules.insert(0, Arc::new(number::Compared));
    rules.insert(0, Arc::new(order::CommonTypes));
    rules.insert(0, Arc::new(order::TextsBeside));
    rules.insert(0, Arc::new(common_types::OfParts));
    rules.insert(0, Arc::new(json::Branches::default()));
    let builder = builder.with_analyzer_rule(Arc::new(correlated::Correlated));
    let builder = builder.with_analyzer_rule(Arc::new(unequal::Unequal));
    let builder = builder.with_analyzer_rule(Arc::new(bags::Bags));
    let builder = builder.with_analyzer_rule(Arc::new(aggregate::SortedRows));
    let builder = builder.with_analyzer_rule(Arc::new(order::Pinned));
    let builder = builder.with_analyzer_rule(Arc::new(order::ByKey::default()));
    let builder = builder.with_analyzer_rule(Arc::new(cast::Casts::new(casts.into_iter().flatten())));
    let builder = builder.with_analyzer_rule(Arc::new(dependencies::Dependencies::default()));
    let builder = builder.with_relation_planners(vec![Arc::new(dependencies::RowsOfElements::default())]);
    aggregate::install(builder)
}

/// Registers the functions instead of those of the engine, which it takes away under all of their names: a state that is made of another one
/// registers each function by its own name, and one that is left under another name may come back so.
///
/// # Errors
/// The engine takes a function not.
pub fn register(state: &mut SessionState) -> Result<()> {
    let functions = [
        time::functions(),
        number::functions(),
        text::functions(),
        array::functions(),
        json::functions(),
        system::functions(),
        unconstrained::functions(),
        order::functions(),
    ];
    let functions = function::merged(functions.into_iter().flatten()).into_iter().map(Function::udf);
    for function in functions.chain(time::moments()).chain([coalesce::udf()]) {
        replace(state, function)?;
    }
    for aggregate in aggregate::aggregates() {
        for name in names(aggregate.name(), aggregate.aliases()) {
            let known = state.aggregate_functions().get(&name).map(|known| known.name().to_owned());
            for name in known.into_iter().chain([name]) {
                state.deregister_udaf(&name)?;
            }
        }
        state.register_udaf(Arc::new(aggregate))?;
    }
    for function in aggregate::window_functions() {
        for name in names(function.name(), function.aliases()) {
            let known = state.window_functions().get(&name).map(|known| known.name().to_owned());
            for name in known.into_iter().chain([name]) {
                state.deregister_udwf(&name)?;
            }
        }
        state.register_udwf(Arc::new(function))?;
    }
    Ok(())
}

fn names(name: &str, aliases: &[String]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).collect()
}

/// Registers a function instead of those that have one of its names.
fn replace(state: &mut SessionState, function: ScalarUDF) -> Result<()> {
    for name in names(function.name(), function.aliases()) {
        let known = state.scalar_functions().get(&name).map(|known| known.name().to_owned());
        for name in known.into_iter().chain([name]) {
            state.deregister_udf(&name)?;
        }
    }
    state.register_udf(Arc::new(function))?;
    Ok(())
}

#[cfg(test)]
mod testing;
