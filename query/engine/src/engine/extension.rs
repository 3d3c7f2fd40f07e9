//! What other crates add to the engine: schemas beside `archive`, functions, and rules of the planner.

use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::execution::session_state::SessionStateBuilder;
use std::sync::Arc;

/// An addition to the engine. Each method is called once, when the engine is set up.
pub trait Extension: Send + Sync {
    /// Adds functions, rules and planners.
    fn install(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        builder
    }

    /// Schemas by their names. `metadata` has the archive's tables, views and columns, for schemas that describe them,
    /// and no rows.
    fn schemas(&self, _metadata: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        Vec::new()
    }
}
