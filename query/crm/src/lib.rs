//! The tables of a CRM beside the archive, with what concerns them alone sent there.
//!
//! ```text
//!   settings ──▶ Crm::connect ──▶ schema `crm` ──▶ a plan ──▶ push: what concerns the CRM alone
//!                                                               │
//!      rows ◀── cells ◀── remote (Postgres, MySQL, SQLite, ODBC) ◀── statement: one, in its own SQL
//!      rows ◀── files (CSV, Parquet)
//! ```
//!
//! - Nothing is asked of the CRM before a statement names one of its tables, and nothing but questions ever.
//! - A CRM that is slow or down fails the statements that need it, within the time limit; the others do not notice.
//! - An answer is the same wherever it is computed, but for the equality of text in a database that ignores the case.
//! - No credential and no value of a row stands in a message.

mod breaker;
mod cells;
mod dialect;
mod error;
mod execute;
mod files;
mod gate;
mod name;
mod push;
mod remote;
mod schema;
mod settings;
mod statement;
mod table;

pub use breaker::{Clock, SystemClock};
pub use error::CrmError;
pub use settings::{
    CrmSettings, OdbcDialect, Secret, Server, Source, TICKET_COLUMNS, TICKETS, TableMapping, Tls, TlsMode,
};

use crate::files::{FileKind, FileTable};
use crate::push::PushToCrm;
use crate::remote::Database;
use crate::schema::{Backing, CrmSchema};
use datafusion::catalog::SchemaProvider;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion_federation::FederatedQueryPlanner;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A CRM whose tables can be named in SQL.
#[derive(Debug, Clone)]
pub struct Crm {
    schema: Arc<CrmSchema>,
}

impl Crm {
    /// Checks `settings`. The CRM itself is not asked: it may be down now, and up when it is needed.
    ///
    /// # Errors
    /// [`CrmError::Settings`] names the setting and what to do.
    pub fn connect(settings: CrmSettings) -> Result<Self, CrmError> {
        Self::connect_with(settings, Arc::new(SystemClock))
    }

    /// [`connect`](Self::connect) with another clock, which says when a CRM that was down is tried again.
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
        Ok(Self { schema: Arc::new(CrmSchema { mappings, backing, learning: Arc::default() }) })
    }

    /// The tables, to be registered as schema `crm`.
    #[must_use]
    pub fn schema(&self) -> Arc<dyn SchemaProvider> {
        Arc::clone(&self.schema) as Arc<dyn SchemaProvider>
    }
}

/// Lets the sessions of `builder` send to the CRM what concerns it alone. Without, each table is still asked for its own
/// rows, filtered and limited. States that are made from the built one keep this. Call it last: the rule runs after
/// those that are there.
#[must_use]
pub fn install(builder: SessionStateBuilder) -> SessionStateBuilder {
    builder.with_optimizer_rule(Arc::new(PushToCrm)).with_query_planner(Arc::new(FederatedQueryPlanner::new()))
}

fn check(settings: &CrmSettings) -> Result<(), CrmError> {
    let wrong = |setting: String, reason: &str| Err(CrmError::Settings { setting, reason: reason.to_owned() });
    if settings.timeout.is_zero() {
        return wrong("timeout".to_owned(), "a statement needs some time; 10 seconds are usual");
    }
    if settings.connections == 0 {
        return wrong("connections".to_owned(), "at least one connection is needed");
    }
    let mut names = std::collections::BTreeSet::new();
    for table in &settings.tables {
        let setting = format!("table {:?}", table.name);
        if table.name.is_empty() || table.from.is_empty() {
            return wrong(setting, "it needs a name, and `from`: the table or file that it shows");
        }
        if !names.insert(&table.name) {
            return wrong(setting, "there is more than one table of this name");
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
