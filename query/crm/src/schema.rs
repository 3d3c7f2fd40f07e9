//! Schema `crm`: the names, and the tables behind them.
//!
//! Listing the names never queries the CRM, so a client that lists all tables does not wait for it. `tickets` is always listed.
//! Another table of a database is listed once its columns are cached; listing the names starts reading them in the background.
//! A statement on such a table reads its columns.

use crate::error::CrmError;
use crate::files::FileTable;
use crate::remote::database::Database;
use crate::settings::{TICKETS, TableMapping};
use crate::table::RemoteTable;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, TableReference};
use datafusion::datasource::TableType;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

pub(crate) enum Backing {
    Database { database: Arc<Database>, names: BTreeMap<String, TableReference> },
    Files(BTreeMap<String, FileTable>),
}

/// The tables of the CRM.
pub(crate) struct CrmSchema {
    pub(crate) mappings: BTreeMap<String, TableMapping>,
    pub(crate) backing: Backing,
    /// Whether the columns of tables are being read in the background.
    pub(crate) is_reading_columns: Arc<AtomicBool>,
}

impl fmt::Debug for CrmSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.mappings.keys()).finish()
    }
}

impl CrmSchema {
    async fn remote(&self, name: &str) -> Result<Option<RemoteTable>, CrmError> {
        let Backing::Database { database, names } = &self.backing else { return Ok(None) };
        let (Some(mapping), Some(from)) = (self.mappings.get(name), names.get(name)) else { return Ok(None) };
        let database = Arc::clone(database);
        if name == TICKETS {
            return Ok(Some(RemoteTable::tickets(database, mapping, from.clone())));
        }
        let columns = database.columns(name, from).await?;
        RemoteTable::other(database, mapping, from.clone(), &columns).map(Some)
    }

    /// Reads the columns of `unknown` tables in the background, unless a read is running.
    fn read_columns(&self, unknown: Vec<(String, TableReference)>, database: &Arc<Database>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if unknown.is_empty() || self.is_reading_columns.swap(true, Ordering::AcqRel) {
            return;
        }
        let (database, is_reading) = (Arc::clone(database), Arc::clone(&self.is_reading_columns));
        runtime.spawn(async move {
            for (name, from) in unknown {
                if let Err(error) = database.columns(&name, &from).await {
                    tracing::debug!(%error, "read the columns of a table of the CRM");
                }
            }
            is_reading.store(false, Ordering::Release);
        });
    }

    /// Boxed in a function without where-clauses, as for `RemoteTable`.
    fn provider<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Arc<dyn TableProvider>>>> {
        Box::pin(async move {
            match &self.backing {
                Backing::Database { .. } => {
                    let table = self.remote(name).await.map_err(CrmError::into_engine)?;
                    Ok(table.map(|table| Arc::new(table) as Arc<dyn TableProvider>))
                }
                Backing::Files(files) => match files.get(name) {
                    Some(file) => Ok(Some(Arc::new(file.opened().await?) as Arc<dyn TableProvider>)),
                    None => Ok(None),
                },
            }
        })
    }
}

#[async_trait]
impl SchemaProvider for CrmSchema {
    fn table_names(&self) -> Vec<String> {
        let Backing::Database { database, names } = &self.backing else {
            return self.mappings.keys().cloned().collect();
        };
        let known = |name: &str, from: &TableReference| name == TICKETS || database.cached_columns(from).is_some();
        let (known, unknown): (Vec<_>, Vec<_>) = names.iter().partition(|(name, from)| known(name, from));
        self.read_columns(unknown.into_iter().map(|(name, from)| (name.clone(), from.clone())).collect(), database);
        known.into_iter().map(|(name, _)| name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.provider(name).await
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.mappings.contains_key(name)
    }
}
