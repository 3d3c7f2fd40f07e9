//! What others add to the engine: schemas beside `archive`, functions, rules of the planner.

use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::execution::session_state::SessionStateBuilder;
use std::sync::Arc;

/// An addition to the engine. It is asked once, when the engine is made.
pub trait Extension: Send + Sync {
    /// Adds functions, rules and planners.
    fn install(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        builder
    }

    /// Schemas by their names. `names` tells the tables and views of the archive and their columns, for who describes them;
    /// nothing can be read through it.
    fn schemas(&self, _names: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        Vec::new()
    }
}
