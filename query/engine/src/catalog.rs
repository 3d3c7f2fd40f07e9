//! The names that a statement can use: catalog `holdfast`, schema `archive`. Made anew for each statement, so that all
//! of its parts see one snapshot; a table is opened and a view planned when the statement first names it.

use crate::error::QueryError;
use crate::membership::Ids;
use crate::row_security::RowSecurityTable;
use crate::session::{Caller, Shared};
use crate::sessions::{self, SessionsTable};
use crate::table::ArchiveTable;
use crate::trace::StatementTrace;
use crate::views::{VIEWS, View, text_of};
use crate::visibility::{Rows, Scope};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::common::config::Dialect;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::collect;
use holdfast_archive::Table;
use holdfast_sessions::Current;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::OnceCell;

pub(crate) const CATALOG: &str = "holdfast";
pub(crate) const SCHEMA: &str = "archive";
/// The schema with the tables of the CRM.
const CRM: &str = "crm";
const TICKETS: &str = "tickets";
/// The tables whose rows are files.
/// In SQL the last goes by another name: `sessions` is the view that people ask.
pub(crate) const TABLES: [Table; 3] = [Table::Events, Table::DeadLetters, Table::Sessions];
const NAMES: [&str; TABLES.len()] = ["events", "dead_letters", "session_states"];
/// Events that are folded for one statement at most, when nobody keeps the sessions up to date.
const MOST_EVENTS_BEHIND: u64 = 2_000_000;

/// The catalog of one statement.
#[derive(Clone)]
pub(crate) struct StatementCatalog(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    caller: Caller,
    trace: Arc<StatementTrace>,
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
        let (trace, tables, current, views) = Default::default();
        Self(Arc::new(Inner { shared, caller, trace, tables, current, views }))
    }

    pub(crate) fn trace(&self) -> &Arc<StatementTrace> {
        &self.0.trace
    }

    async fn base(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        self.0.tables[index].get_or_try_init(|| self.open(index)).await.cloned()
    }

    /// A table, as far as the caller sees its rows.
    async fn open(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        let subject = TABLES[index].subject_column();
        let table = self.whole(index).await?;
        Ok(match self.0.caller.visibility.rows() {
            Rows::All => table,
            Rows::None => Arc::new(RowSecurityTable::new(NAMES[index], table, None, Arc::default())),
            Rows::Sessions(scope) => {
                let seen = if subject.is_some() { self.seen(scope).await? } else { Arc::default() };
                Arc::new(RowSecurityTable::new(NAMES[index], table, subject, seen))
            }
        })
    }

    /// A table with all of its rows.
    async fn whole(&self, index: usize) -> Result<Arc<dyn TableProvider>, QueryError> {
        let Inner { shared, caller, trace, .. } = self.0.as_ref();
        let Shared { logs, archive, footers, .. } = shared.as_ref();
        if TABLES[index] != Table::Sessions {
            return Ok(Arc::new(ArchiveTable::open(&logs[index], archive, caller, footers, trace).await?));
        }
        let current = self.current().await?;
        let (base, events) = (current.base.clone(), &current.events);
        let base = ArchiveTable::over(Table::Sessions, base, events, archive, caller, footers, trace).await?;
        let rights = base.rights();
        let table = SessionsTable::new(base, &current, rights, Arc::clone(trace));
        Ok(Arc::new(table.map_err(|error| QueryError::Statement(error.strip_backtrace()))?))
    }

    async fn current(&self) -> Result<Arc<Current>, QueryError> {
        // Who sees no row needs none to be worked out, and has no key to what they are worked out from.
        if *self.0.caller.visibility.rows() == Rows::None {
            let (base, events) = (Vec::new(), Vec::new());
            let overlay = RecordBatch::new_empty(Table::Sessions.schema());
            return Ok(Arc::new(Current { base, superseded: Arc::default(), overlay, events }));
        }
        let read = async { self.0.caller.projection.lock().await.current(MOST_EVENTS_BEHIND).await };
        self.0.current.get_or_try_init(|| read).await.cloned().map_err(QueryError::from)
    }

    /// The sessions that the caller sees. Worked out once a moment, for all statements of the caller.
    async fn seen(&self, scope: &Scope) -> Result<Ids, QueryError> {
        let current = self.current().await?;
        let mut known = self.0.caller.seen.lock().await;
        if let Some((moment, seen)) = known.as_ref()
            && Arc::ptr_eq(moment, &current)
        {
            return Ok(Arc::clone(seen));
        }
        let index = TABLES.iter().position(|table| *table == Table::Sessions).unwrap_or_default();
        let table = self.whole(index).await?;
        let state = self.0.shared.state(self);
        let columns = vec![sessions::SESSION, sessions::PORTAL, sessions::AGENTS];
        let read = async {
            let plan = table.scan(&state, Some(&columns), &[], None).await?;
            let plan = FilterPushdown::new().optimize(plan, state.config_options())?;
            collect(plan, state.task_ctx()).await
        };
        let batches = read.await.map_err(|error| self.0.shared.classify(error))?;
        let mut seen = HashSet::new();
        for batch in &batches {
            let [sessions, portals, agents] = [0, 1, 2].map(|column| batch.column(column).as_string_view());
            for row in 0..batch.num_rows() {
                let portal = portals.is_valid(row).then(|| portals.value(row));
                let agents: Vec<String> = match agents.is_valid(row) {
                    true => serde_json::from_str(agents.value(row)).unwrap_or_default(),
                    false => Vec::new(),
                };
                if scope.covers(portal, agents.iter().map(String::as_str)) {
                    seen.insert(sessions.value(row).to_owned());
                }
            }
        }
        let seen = Arc::new(seen);
        *known = Some((current, Arc::clone(&seen)));
        Ok(seen)
    }

    async fn view(&self, index: usize) -> Result<Arc<View>> {
        let (_, text) = VIEWS[index];
        let plan = async {
            let state = self.0.shared.state(self);
            let statement = state.sql_to_statement(text, &Dialect::Generic)?;
            View::new(text, state.statement_to_plan(statement).await?).map(Arc::new)
        };
        self.0.views[index].get_or_try_init(|| plan).await.cloned()
    }
}

#[async_trait]
impl SchemaProvider for StatementCatalog {
    fn table_names(&self) -> Vec<String> {
        let tables = NAMES.into_iter();
        tables.chain(VIEWS.iter().map(|(name, _)| *name)).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(index) = NAMES.iter().position(|table| *table == name) {
            let table = self.base(index).await.map_err(QueryError::through_engine)?;
            return Ok(Some(table));
        }
        match VIEWS.iter().position(|(view, _)| *view == name) {
            Some(index) => Ok(Some(self.view(index).await? as Arc<dyn TableProvider>)),
            None => Ok(None),
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let base = NAMES.contains(&name).then_some(TableType::Base);
        Ok(base.or_else(|| text_of(name).map(|_| TableType::View)))
    }

    fn table_exist(&self, name: &str) -> bool {
        text_of(name).is_some() || NAMES.contains(&name)
    }
}

impl CatalogProvider for StatementCatalog {
    fn schema_names(&self) -> Vec<String> {
        let added = self.0.shared.schemas.get().into_iter().flatten();
        let added = added.map(|(name, _)| name.as_str()).filter(|name| *name != CRM);
        [SCHEMA, CRM].into_iter().chain(added).map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SCHEMA {
            return Some(Arc::new(self.clone()));
        }
        if name == CRM && *self.0.caller.visibility.rows() != Rows::All {
            // Tickets of the CRM do not say whose sessions they had: who sees some sessions sees the archive's own tickets.
            return Some(Arc::new(OwnTickets(self.clone())));
        }
        let mut added = self.0.shared.schemas.get().into_iter().flatten();
        match added.find(|(added, _)| added == name) {
            Some((_, schema)) => Some(Arc::clone(schema)),
            None => (name == CRM).then(|| Arc::new(OwnTickets(self.clone())) as Arc<dyn SchemaProvider>),
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

/// The schema `crm` where no CRM is configured: its tickets are those that events of the archive tell of.
#[derive(Debug)]
struct OwnTickets(StatementCatalog);

#[async_trait]
impl SchemaProvider for OwnTickets {
    fn table_names(&self) -> Vec<String> {
        vec![TICKETS.to_owned()]
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if name == TICKETS { self.0.table(TICKETS).await } else { Ok(None) }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok((name == TICKETS).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        name == TICKETS
    }
}

/// The names without what is behind them, for who describes the catalog. It outlives statements.
pub(crate) struct MetadataCatalog {
    shared: Weak<Shared>,
    caller: Caller,
}

impl MetadataCatalog {
    pub(crate) fn new(shared: Weak<Shared>, caller: Caller) -> Self {
        Self { shared, caller }
    }

    fn now(&self) -> Option<StatementCatalog> {
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
        self.now()?.catalog(name)
    }
}
