//! The tables of a CRM in SQL beside the archive. The parts of a statement that concern the CRM alone are pushed down to it.
//!
//! ```text
//!   settings ──▶ Crm::connect ──▶ schema `crm` ──▶ a plan ──▶ pushdown: the parts that concern the CRM alone
//!                                                               │
//!      rows ◀── remote (PostgreSQL, MySQL, SQLite, ODBC) ◀──────┘ one statement each, in the CRM's dialect
//!      rows ◀── files (CSV, Parquet)
//! ```
//!
//! - The CRM is queried only when a statement names one of its tables, and only with read-only statements.
//! - If a CRM is slow or down, only the statements on its tables fail, within the timeout.
//! - A result is the same wherever it is computed, except for the equality of text in a case-insensitive database.
//! - No message contains a credential or a value of a row.

mod error;
mod files;
mod name;
mod provider;
mod pushdown;
mod remote;
mod schema;
mod settings;
mod table;

pub use error::CrmError;
pub use remote::circuit_breaker::{Clock, SystemClock};
pub use settings::{
    CrmSettings, OdbcDialect, Secret, Server, Source, TICKET_COLUMNS, TICKETS, TableMapping, Tls, TlsMode,
};

use crate::files::{FileKind, FileTable};
use crate::pushdown::rule::PushToCrm;
use crate::remote::database::Database;
use crate::remote::permits::StatementUser;
use crate::schema::{Backing, CrmSchema};
use datafusion::catalog::SchemaProvider;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use datafusion_federation::FederatedQueryPlanner;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A CRM whose tables can be queried in SQL.
#[derive(Debug, Clone)]
pub struct Crm {
    schema: Arc<CrmSchema>,
}

impl Crm {
    /// Checks `settings`. Does not connect to the CRM: it may be down now, and up when it is needed.
    ///
    /// # Errors
    /// [`CrmError::Settings`] names the setting and the remedy.
    pub fn connect(settings: CrmSettings) -> Result<Self, CrmError> {
        Self::connect_with(settings, Arc::new(SystemClock))
    }

    /// [`connect`](Self::connect) with another clock for the circuit breaker.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(settings: CrmSettings, clock: Arc<dyn Clock>) -> Result<Self, CrmError> {
        check(&settings)?;
        let mappings: BTreeMap<String, TableMapping> =
            settings.tables.iter().map(|table| (table.name.clone(), table.clone())).collect();
        let files = |kind: FileKind| {
            let table = |mapping: &TableMapping| (mapping.name.clone(), FileTable::new(mapping.clone(), kind));
            Backing::Files(settings.tables.iter().map(table).collect())
        };
        let backing = match (&settings.source, Database::new(&settings, clock)?) {
            (_, Some(database)) => {
                let names = settings
                    .tables
                    .iter()
                    .map(|table| Ok((table.name.clone(), name::parse(&table.name, &table.from)?)));
                Backing::Database { database: Arc::new(database), names: names.collect::<Result<_, CrmError>>()? }
            }
            (Source::Csv { delimiter }, None) => files(FileKind::Csv { delimiter: *delimiter }),
            (_, None) => files(FileKind::Parquet),
        };
        Ok(Self { schema: Arc::new(CrmSchema { mappings, backing, is_reading_columns: Arc::default() }) })
    }

    /// The tables, to register as schema `crm`.
    #[must_use]
    pub fn schema(&self) -> Arc<dyn SchemaProvider> {
        Arc::clone(&self.schema) as Arc<dyn SchemaProvider>
    }
}

/// Adds the pushdown to the sessions of `builder`. Without it, each table is still scanned with its filters and limit. States
/// that are made from the built one keep it. Call it last: the rule runs after those that are registered before.
#[must_use]
pub fn install(builder: SessionStateBuilder) -> SessionStateBuilder {
    builder.with_optimizer_rule(Arc::new(PushToCrm)).with_query_planner(Arc::new(FederatedQueryPlanner::new()))
}

/// The configuration of statements of `user`, who shares the connections to the CRM with other users.
#[must_use]
pub fn for_user(config: SessionConfig, user: &str) -> SessionConfig {
    config.with_extension(Arc::new(StatementUser(user.to_owned())))
}

fn check(settings: &CrmSettings) -> Result<(), CrmError> {
    let wrong = |setting: String, reason: &str| Err(CrmError::Settings { setting, reason: reason.to_owned() });
    if settings.timeout.is_zero() {
        return wrong("timeout".to_owned(), "it must be more than 0; 10 seconds are usual");
    }
    if settings.connections == 0 {
        return wrong("connections".to_owned(), "at least one connection is needed");
    }
    let mut names = std::collections::BTreeSet::new();
    for table in &settings.tables {
        let setting = format!("table {:?}", table.name);
        if table.name.is_empty() || table.from.is_empty() {
            return wrong(setting, "it needs a name, and `from`: the table or file behind it");
        }
        if !names.insert(&table.name) {
            return wrong(setting, "more than one table has this name");
        }
        if table.name == TICKETS {
            if !table.columns.contains_key("ticket") {
                return wrong(setting, "columns.ticket must name the column with the ticket's number");
            }
            if let Some(other) = table.columns.keys().find(|name| !TICKET_COLUMNS.contains(&name.as_str())) {
                let known = TICKET_COLUMNS.join(", ");
                return wrong(setting, &format!("it has no column {other:?}; its columns are {known}"));
            }
        }
    }
    Ok(())
}
