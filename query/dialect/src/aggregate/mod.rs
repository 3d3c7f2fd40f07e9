//! Aggregates and window functions, with PostgreSQL's types.
//!
//! [`numbers`] has those of numbers, over what [`summary`] keeps of rows: [`sums`], [`moments`]. [`ordered`] has those of
//! sorted rows, [`medians`] one of them for many groups, [`jsons`] those of JSON, [`extremes`] `min` and `max`, [`collected`]
//! `array_agg` and `string_agg`, [`sorted_rows`] the order of the rows that these read, [`grouping`] the arguments of `grouping`. The engine's others have PostgreSQL's results: `count`, `bool_and` and the like.

mod collected;
mod different;
mod distinct;
mod distinct_rule;
mod extremes;
mod grouping;
mod intervals;
mod jsons;
mod medians;
mod moments;
mod numbers;
mod ordered;
mod ranks;
mod sorted_rows;
mod summary;
mod sums;

#[cfg(test)]
mod tests;

pub(crate) use grouping::GroupingArguments;
pub(crate) use sorted_rows::SortedRows;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions_aggregate::bool_and_or::bool_and_udaf;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, WindowUDF};
use datafusion::optimizer::Optimizer;
use std::sync::Arc;

/// The aggregates, which replace the engine's of the same name.
pub(crate) fn aggregates() -> Vec<AggregateUDF> {
    let mut all = numbers::aggregates();
    all.extend(ordered::aggregates());
    all.extend(jsons::aggregates());
    all.extend(extremes::aggregates());
    all.extend(collected::aggregates());
    all.push(bool_and_udaf().as_ref().clone().with_aliases(["every"]));
    all
}

/// The window functions, which replace the engine's of the same name.
pub(crate) fn window_functions() -> Vec<WindowUDF> {
    ranks::window_functions()
}

/// The planners of aggregates that are made of others.
pub(crate) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    jsons::Jsons::new().map(|planner| Arc::new(planner) as _).into_iter().collect()
}

/// Adds rules of the planner.
pub(crate) fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    distinct_rule::replace(builder.optimizer().get_or_insert_with(Optimizer::new));
    builder
}
