//! What the statements of all callers share.

use super::names::TABLES;
use super::views::{KeptView, VIEWS};
use crate::error::QueryError;
use crate::scan::FooterCache;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use holdfast_archive::{Archive, TableLog};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The archive and DataFusion's state without a catalog.
pub(crate) struct Shared {
    pub(crate) archive: Archive,
    /// The logs of [`TABLES`]. They cache what they have read.
    pub(crate) logs: [TableLog; TABLES.len()],
    pub(crate) footers: Arc<FooterCache>,
    /// The schemas that extensions add, by name.
    pub(crate) schemas: OnceLock<Vec<(String, Arc<dyn SchemaProvider>)>>,
    /// For each view its plans, one for each set of tiers that callers may read.
    views: [Mutex<Vec<Arc<KeptView>>>; VIEWS.len()],
    base: SessionState,
    memory_limit: usize,
}

/// Plans of a view that are kept.
const PLANS_OF_A_VIEW: usize = 8;

impl Shared {
    /// `base` is the state of every statement. Its memory pool has `memory_limit` bytes.
    pub(crate) fn new(archive: Archive, footers: Arc<FooterCache>, base: SessionState, memory_limit: usize) -> Self {
        let logs = TABLES.map(|table| archive.table(table));
        Self { archive, logs, footers, schemas: OnceLock::new(), views: Default::default(), base, memory_limit }
    }

    /// The state for a statement that starts now and can name what is in `catalogs`.
    pub(crate) fn state(&self, catalogs: Arc<dyn CatalogProviderList>) -> SessionState {
        let mut state = SessionStateBuilder::new_from_existing(self.base.clone()).with_catalog_list(catalogs).build();
        // now() is this moment.
        let options = Arc::clone(state.config_options());
        state.execution_props_mut().mark_start_execution(options);
        state
    }

    /// The kept plans of a view.
    pub(super) fn kept_views(&self, index: usize) -> Vec<Arc<KeptView>> {
        self.views[index].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a plan of a view for the next statements.
    pub(super) fn keep_view(&self, index: usize, view: KeptView) {
        let mut kept = self.views[index].lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.read() != view.read());
        kept.truncate(PLANS_OF_A_VIEW - 1);
        kept.insert(0, Arc::new(view));
    }

    pub(crate) fn classify(&self, error: DataFusionError) -> QueryError {
        QueryError::classify(error, self.memory_limit).with_nearest_relation(|| self.relations())
    }

    /// The names of the tables and views, as a statement writes them.
    fn relations(&self) -> Vec<String> {
        let of_archive = VIEWS.iter().map(|(view, _)| *view).chain(["events", "dead_letters"]).map(str::to_owned);
        let of_extensions = self.schemas.get().into_iter().flatten().flat_map(|(schema, tables)| {
            tables.table_names().into_iter().map(move |table| format!("{schema}.{table}"))
        });
        of_archive.chain(of_extensions).collect()
    }
}
