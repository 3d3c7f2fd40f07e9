//! Aggregates and window functions.

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, WindowUDF};
use std::sync::Arc;

/// The aggregates, which replace the engine's of the same name.
pub(crate) fn aggregates() -> Vec<AggregateUDF> {
    Vec::new()
}

/// The window functions, which replace the engine's of the same name.
pub(crate) fn window_functions() -> Vec<WindowUDF> {
    Vec::new()
}

/// The planners of aggregates that are made of others.
pub(crate) fn planners() -> Vec<Arc<dyn datafusion::logical_expr::planner::ExprPlanner>> {
    Vec::new()
}

/// Adds rules of the planner.
pub(crate) fn install(builder: SessionStateBuilder) -> SessionStateBuilder {
    builder
}
