//! What other crates add to the engine: schemas beside `archive`, functions, and rules of the planner.

use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use std::sync::Arc;

/// An addition to the engine. Schemas and rules are asked for once, when the engine is set up.
pub trait Extension: Send + Sync {
    /// Adds functions, rules and planners.
    fn install(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        builder
    }

    /// The configuration with which statements of `user` are executed.
    fn for_user(&self, config: SessionConfig, _user: &str) -> SessionConfig {
        config
    }

    /// Schemas by their names. `metadata` has the archive's tables, views and columns, for schemas that describe them,
    /// and no rows.
    fn schemas(&self, _metadata: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        Vec::new()
    }
}
