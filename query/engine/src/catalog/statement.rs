//! The catalog of one statement: catalog `holdfast`, schema `archive`, and the schemas of extensions.
//!
//! Each statement has a catalog of its own, so that all parts of the statement read one snapshot. A table is opened and
//! a view is planned when the statement first names it.

use super::caller::Caller;
use super::names::{CATALOG, CRM_SCHEMA, SCHEMA, TABLE_NAMES, TABLES, TICKETS};
use super::shared::Shared;
use super::snapshots::Snapshots;
use super::unbound::{TablesRead, bound};
use super::views::{KeptView, VIEWS, View, text_of};
use crate::error::QueryError;
use crate::scan::{
    AGENTS, ArchiveTable, Ids, PORTAL, RowSecurityTable, SESSION, ScanContext, SessionsTable, StatementTrace,
    archive_table,
};
use crate::visibility::{Rows, Scope};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::common::config::Dialect;
use datafusion::datasource::TableType;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::collect;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use holdfast_archive::Table;
use holdfast_sessions::Current;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::OnceCell;

/// Events that are folded for one statement at most, if no process maintains the sessions.
const MAX_EVENTS_BEHIND: u64 = 2_000_000;

/// The catalog of one statement.
#[derive(Clone)]
pub(crate) struct StatementCatalog(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    caller: Caller,
    context: ScanContext,
    tables: [OnceCell<Arc<dyn TableProvider>>; TABLES.len()],
    current: OnceCell<Arc<Current>>,
    views: [OnceCell<Arc<View>>; VIEWS.len()],
}

impl fmt::Debug for StatementCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementCatalog")
    }
}

impl StatementCatalog {
    pub(crate) fn new(shared: Arc<Shared>, caller: Caller) -> Self {
        let context = ScanContext {
            archive: shared.archive.clone(),
            unlocker: Arc::clone(&caller.unlocker),
            visible: caller.visibility.tiers(),
            footers: Arc::clone(&shared.footers),
            trace: Arc::default(),
        };
        let (tables, current, views) = Default::default();
        Self(Arc::new(Inner { shared, caller, context, tables, current, views }))
    }

    pub(crate) fn trace(&self) -> &Arc<StatementTrace> {
        &self.0.context.trace
    }

    /// The state for a statement that can name what is in this catalog.
    pub(crate) fn state(&self) -> SessionState {
        self.0.shared.state(Arc::new(self.clone()))
    }

    /// A table with the rows that are visible to the caller. Opened once.
    async fn base(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        self.0.tables[index].get_or_try_init(|| self.open(index)).await.cloned()
    }

    async fn open(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        let subject = TABLES[index].subject_column();
        let table = self.unrestricted(index).await?;
        Ok(match self.0.caller.visibility.rows() {
            Rows::All => table,
            Rows::None => Arc::new(RowSecurityTable::new(TABLE_NAMES[index], table, None, Arc::default())),
            Rows::Sessions(scope) => {
                let visible = if subject.is_some() { self.visible_sessions(scope).await? } else { Arc::default() };
                Arc::new(RowSecurityTable::new(TABLE_NAMES[index], table, subject, visible))
            }
        })
    }

    /// A table with all of its rows.
    async fn unrestricted(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        let Inner { shared, context, .. } = self.0.as_ref();
        if TABLES[index] != Table::Sessions {
            return Ok(Arc::new(ArchiveTable::open(&shared.logs[index], context).await?));
        }
        let current = self.current().await?;
        let base = ArchiveTable::over(Table::Sessions, Arc::clone(&current.base), &current.events, context).await?;
        let readable = base.readable_tiers();
        let table = SessionsTable::new(base, &current, readable, Arc::clone(&context.trace));
        Ok(Arc::new(table.map_err(|error| shared.classify(error))?))
    }

    /// All sessions at this moment. Read once.
    async fn current(&self) -> Result<Arc<Current>, QueryError> {
        // If no row is visible, none needs to be computed, and the caller has no key of the events.
        if *self.0.caller.visibility.rows() == Rows::None {
            let overlay = RecordBatch::new_empty(Table::Sessions.schema());
            return Ok(Arc::new(Current {
                base: Arc::default(),
                superseded: Arc::default(),
                overlay,
                events: Arc::default(),
            }));
        }
        let read = async { self.0.caller.projection.lock().await.current(MAX_EVENTS_BEHIND).await };
        self.0.current.get_or_try_init(|| read).await.cloned().map_err(QueryError::from)
    }

    /// The ids of the sessions in `scope`. Computed once for each state of the sessions, for all statements of the
    /// caller.
    async fn visible_sessions(&self, scope: &Scope) -> Result<Ids, QueryError> {
        let current = self.current().await?;
        let mut cached = self.0.caller.visible_sessions.lock().await;
        if let Some((of, visible)) = cached.as_ref()
            && Arc::ptr_eq(of, &current)
        {
            return Ok(Arc::clone(visible));
        }
        let index = TABLES.iter().position(|table| *table == Table::Sessions).unwrap_or_default();
        let table = self.unrestricted(index).await?;
        let state = self.state();
        let columns = vec![SESSION, PORTAL, AGENTS];
        let read = async {
            let plan = table.scan(&state, Some(&columns), &[], None).await?;
            let plan = FilterPushdown::new().optimize(plan, state.config_options())?;
            collect(plan, state.task_ctx()).await
        };
        let batches = read.await.map_err(|error| self.0.shared.classify(error))?;
        let mut visible = HashSet::new();
        for batch in &batches {
            let [sessions, portals, agents] = [0, 1, 2].map(|column| batch.column(column).as_string_view());
            for row in 0..batch.num_rows() {
                let portal = portals.is_valid(row).then(|| portals.value(row));
                let agents: Vec<String> = match agents.is_valid(row) {
                    true => serde_json::from_str(agents.value(row)).unwrap_or_default(),
                    false => Vec::new(),
                };
                if scope.covers(portal, agents.iter().map(String::as_str)) {
                    visible.insert(sessions.value(row).to_owned());
                }
            }
        }
        let visible = Arc::new(visible);
        *cached = Some((current, Arc::clone(&visible)));
        Ok(visible)
    }

    /// Boxed in a function without bounds: there the compiler proves quickly, and once, that the future is `Send`.
    fn boxed_provider<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Arc<dyn TableProvider>>>> {
        self.provider(name).boxed()
    }

    /// The table or view with this name.
    async fn provider(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(index) = TABLE_NAMES.iter().position(|table| *table == name) {
            let table = self.base(index).await.map_err(QueryError::through_engine)?;
            return Ok(Some(table));
        }
        match VIEWS.iter().position(|(view, _)| *view == name) {
            Some(index) => Ok(Some(self.view(index).await? as Arc<dyn TableProvider>)),
            None => Ok(None),
        }
    }

    /// A view with its plan. Planned once for all statements whose callers may read the same.
    async fn view(&self, index: usize) -> Result<Arc<View>> {
        let (_, text) = VIEWS[index];
        let plan = async {
            for kept in self.0.shared.kept_views(index) {
                if self.may_read(kept.read()).await.map_err(QueryError::through_engine)? {
                    return kept.bound(|table| self.opened(table)).map(Arc::new);
                }
            }
            let state = self.state();
            let statement = state.sql_to_statement(text, &Dialect::Generic)?;
            let view = View::new(text, state.statement_to_plan(statement).await?)?;
            if let Some(kept) = KeptView::of(&view)? {
                self.0.shared.keep_view(index, kept);
            }
            Ok(Arc::new(view))
        };
        self.0.views[index].get_or_try_init(|| plan).await.cloned()
    }

    /// Opens the tables, and returns whether the caller may read these tiers, and no others, in every file of them.
    pub(crate) async fn may_read(&self, tables: &TablesRead) -> Result<bool, QueryError> {
        for (index, tiers) in tables {
            let provider = self.base(*index).await?;
            let provider: &dyn std::any::Any = provider.as_ref();
            if archive_table(provider).is_none_or(|table| table.readable_tiers() != *tiers) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `plan`, which is kept, with the tables of this statement. They are open.
    pub(crate) fn bound(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        bound(plan, |index| self.opened(index))
    }

    /// The state of the tables that are open.
    pub(crate) fn snapshots(&self) -> Snapshots {
        let files = self.0.tables.iter().map(|table| {
            let provider: &dyn std::any::Any = table.get()?.as_ref();
            archive_table(provider).map(|table| Arc::clone(table.files()))
        });
        Snapshots::new(files.collect(), self.0.current.get().cloned())
    }

    /// A table that was opened before.
    fn opened(&self, index: usize) -> Option<Arc<dyn TableProvider>> {
        self.0.tables.get(index)?.get().cloned()
    }
}

impl SchemaProvider for StatementCatalog {
    fn table_names(&self) -> Vec<String> {
        let tables = TABLE_NAMES.into_iter();
        tables.chain(VIEWS.iter().map(|(name, _)| *name)).map(str::to_owned).collect()
    }

    fn table<'schema, 'name, 'future>(
        &'schema self,
        name: &'name str,
    ) -> BoxFuture<'future, Result<Option<Arc<dyn TableProvider>>>>
    where
        'schema: 'future,
        'name: 'future,
        Self: 'future,
    {
        self.boxed_provider(name)
    }

    fn table_type<'schema, 'name, 'future>(
        &'schema self,
        name: &'name str,
    ) -> BoxFuture<'future, Result<Option<TableType>>>
    where
        'schema: 'future,
        'name: 'future,
        Self: 'future,
    {
        let base = TABLE_NAMES.contains(&name).then_some(TableType::Base);
        Box::pin(ready(Ok(base.or_else(|| text_of(name).map(|_| TableType::View)))))
    }

    fn table_exist(&self, name: &str) -> bool {
        text_of(name).is_some() || TABLE_NAMES.contains(&name)
    }
}

impl CatalogProvider for StatementCatalog {
    fn schema_names(&self) -> Vec<String> {
        let added = self.0.shared.schemas.get().into_iter().flatten();
        let added = added.map(|(name, _)| name.as_str()).filter(|name| *name != CRM_SCHEMA);
        [SCHEMA, CRM_SCHEMA].into_iter().chain(added).map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SCHEMA {
            return Some(Arc::new(self.clone()));
        }
        if name == CRM_SCHEMA && *self.0.caller.visibility.rows() != Rows::All {
            // The CRM's tickets do not name their sessions. A caller with some of the sessions gets the archive's
            // tickets.
            return Some(Arc::new(ArchivedTickets(self.clone())));
        }
        let mut added = self.0.shared.schemas.get().into_iter().flatten();
        match added.find(|(added, _)| added == name) {
            Some((_, schema)) => Some(Arc::clone(schema)),
            None => (name == CRM_SCHEMA).then(|| Arc::new(ArchivedTickets(self.clone())) as Arc<dyn SchemaProvider>),
        }
    }
}

impl CatalogProviderList for StatementCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(self.clone()) as Arc<dyn CatalogProvider>)
    }
}

/// The schema `crm` if no CRM is configured. Its tickets come from the archive's ticket events.
#[derive(Debug)]
struct ArchivedTickets(StatementCatalog);

impl SchemaProvider for ArchivedTickets {
    fn table_names(&self) -> Vec<String> {
        vec![TICKETS.to_owned()]
    }

    fn table<'schema, 'name, 'future>(
        &'schema self,
        name: &'name str,
    ) -> BoxFuture<'future, Result<Option<Arc<dyn TableProvider>>>>
    where
        'schema: 'future,
        'name: 'future,
        Self: 'future,
    {
        if name == TICKETS { self.0.boxed_provider(TICKETS) } else { Box::pin(ready(Ok(None))) }
    }

    fn table_type<'schema, 'name, 'future>(
        &'schema self,
        name: &'name str,
    ) -> BoxFuture<'future, Result<Option<TableType>>>
    where
        'schema: 'future,
        'name: 'future,
        Self: 'future,
    {
        Box::pin(ready(Ok((name == TICKETS).then_some(TableType::View))))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == TICKETS
    }
}

/// The catalog for clients that describe it: names and columns, and no rows. It outlives statements.
pub(crate) struct MetadataCatalog {
    shared: Weak<Shared>,
    caller: Caller,
}

impl MetadataCatalog {
    pub(crate) fn new(shared: Weak<Shared>, caller: Caller) -> Self {
        Self { shared, caller }
    }

    /// A catalog of the current snapshot.
    fn current(&self) -> Option<StatementCatalog> {
        Some(StatementCatalog::new(self.shared.upgrade()?, self.caller.clone()))
    }
}

impl fmt::Debug for MetadataCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetadataCatalog")
    }
}

impl CatalogProviderList for MetadataCatalog {
    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        self.current()?.catalog(name)
    }
}
