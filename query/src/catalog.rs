//! The names that a statement can use: catalog `holdfast`, schema `archive`. Made anew for each statement, so that all
//! of its parts see one snapshot; a table is opened and a view planned when the statement first names it.

use crate::error::QueryError;
use crate::session::Shared;
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
use std::sync::Arc;
use tokio::sync::OnceCell;

pub(crate) const CATALOG: &str = "holdfast";
pub(crate) const SCHEMA: &str = "archive";
/// The tables whose rows are files.
pub(crate) const TABLES: [Table; 2] = [Table::Events, Table::DeadLetters];

/// The catalog of one statement.
#[derive(Clone)]
pub(crate) struct StatementCatalog(Arc<Names>);

struct Names {
    shared: Arc<Shared>,
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
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Names { shared, ledger: Arc::default(), tables: Default::default(), views: Default::default() }))
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.0.ledger
    }

    async fn base(&self, index: usize) -> Result<Arc<ArchiveTable>, QueryError> {
        let Shared { logs, archive, unlocker, footers, .. } = self.0.shared.as_ref();
        let open =
            async { ArchiveTable::open(&logs[index], archive, unlocker, footers, self.ledger()).await.map(Arc::new) };
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
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        (name == SCHEMA).then(|| Arc::new(self.clone()) as Arc<dyn SchemaProvider>)
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
