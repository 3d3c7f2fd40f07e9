//! The names that a statement can use: catalog `holdfast`, schema `archive`. Made anew for each statement, so that all
//! of its parts see one snapshot; a table is opened and a view planned when the statement first names it.

use crate::error::QueryError;
use crate::session::{Caller, Shared};
use crate::statement::Ledger;
use crate::table::ArchiveTable;
use crate::views::{VIEWS, View, text_of};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::common::config::Dialect;
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use holdfast_archive::Table;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::OnceCell;

pub(crate) const CATALOG: &str = "holdfast";
pub(crate) const SCHEMA: &str = "archive";
/// The tables whose rows are files.
pub(crate) const TABLES: [Table; 2] = [Table::Events, Table::DeadLetters];

/// The catalog of one statement.
#[derive(Clone)]
pub(crate) struct StatementCatalog(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    caller: Caller,
    ledger: Arc<Ledger>,
    tables: [OnceCell<Arc<ArchiveTable>>; TABLES.len()],
    views: [OnceCell<Arc<View>>; VIEWS.len()],
}

impl fmt::Debug for StatementCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementCatalog")
    }
}

impl StatementCatalog {
    pub(crate) fn new(shared: Arc<Shared>, caller: Caller) -> Self {
        let (ledger, tables, views) = Default::default();
        Self(Arc::new(Inner { shared, caller, ledger, tables, views }))
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.0.ledger
    }

    async fn base(&self, index: usize) -> Result<Arc<ArchiveTable>, QueryError> {
        let Inner { shared, caller, ledger, .. } = self.0.as_ref();
        let Shared { logs, archive, footers, .. } = shared.as_ref();
        let open = async { ArchiveTable::open(&logs[index], archive, caller, footers, ledger).await.map(Arc::new) };
        self.0.tables[index].get_or_try_init(|| open).await.cloned()
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
        let tables = TABLES.iter().map(|table| table.name());
        tables.chain(VIEWS.iter().map(|(name, _)| *name)).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(index) = TABLES.iter().position(|table| table.name() == name) {
            let table = self.base(index).await.map_err(QueryError::through_engine)?;
            return Ok(Some(table as Arc<dyn TableProvider>));
        }
        match VIEWS.iter().position(|(view, _)| *view == name) {
            Some(index) => Ok(Some(self.view(index).await? as Arc<dyn TableProvider>)),
            None => Ok(None),
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let base = TABLES.iter().any(|table| table.name() == name).then_some(TableType::Base);
        Ok(base.or_else(|| text_of(name).map(|_| TableType::View)))
    }

    fn table_exist(&self, name: &str) -> bool {
        text_of(name).is_some() || TABLES.iter().any(|table| table.name() == name)
    }
}

impl CatalogProvider for StatementCatalog {
    fn schema_names(&self) -> Vec<String> {
        let added = self.0.shared.schemas.get().into_iter().flatten();
        std::iter::once(SCHEMA).chain(added.map(|(name, _)| name.as_str())).map(str::to_owned).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SCHEMA {
            return Some(Arc::new(self.clone()));
        }
        let added = self.0.shared.schemas.get().into_iter().flatten();
        added.into_iter().find(|(added, _)| added == name).map(|(_, schema)| Arc::clone(schema))
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

/// The names without what is behind them, for who describes the catalog. It outlives statements.
pub(crate) struct Names {
    shared: Weak<Shared>,
    caller: Caller,
}

impl Names {
    pub(crate) fn new(shared: Weak<Shared>, caller: Caller) -> Self {
        Self { shared, caller }
    }

    fn now(&self) -> Option<StatementCatalog> {
        Some(StatementCatalog::new(self.shared.upgrade()?, self.caller.clone()))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl CatalogProviderList for Names {
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
