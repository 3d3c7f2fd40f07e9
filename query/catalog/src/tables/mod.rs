//! The tables of the catalog in memory.
//!
//! ```text
//! data/*.tsv (PostgreSQL's own objects) ──┐
//! Facts (relations, schemas, roles) ──────┴─▶ Catalog ─▶ Table: columns, rows made on first use, indexes on first look-up
//! Session (user, settings) ─────────────────▶ rows of one statement (pg_settings, pg_roles, pg_stat_activity)
//! ```
//!
//! A table of PostgreSQL whose rows are not known here is not served: a statement over it is refused.

mod catalog;
mod entry;
mod information;
mod objects;
mod oids;
mod rows;
mod sessions;
mod stored;

pub use catalog::Catalog;
pub(crate) use entry::{Entry, PG_CATALOG, Row, parse_rows};
pub(crate) use objects::rule_oid;
pub(crate) use oids::role_oid;
pub(crate) use rows::{Rows, key_of};

use crate::error::{CatalogError, Result};
use crate::facts::Session;
use crate::types::{self, Oid};
use crate::value::Datum;
use std::sync::Arc;

impl Catalog {
    pub(crate) fn functions(&self) -> Result<Arc<Rows>> {
        self.rows_of("pg_proc")
    }

    fn rows_of(&self, name: &str) -> Result<Arc<Rows>> {
        let place = self.find(Some("pg_catalog"), name).ok_or_else(|| unserved("pg_catalog", name))?;
        self.rows(place, &Session::default())
    }

    /// The rows of the relation at `place`.
    pub(crate) fn rows(&self, place: usize, session: &Session) -> Result<Arc<Rows>> {
        let unknown = || CatalogError::new("42P01", "relation does not exist");
        let entry = self.entries.get(place).ok_or_else(unknown)?;
        if !entry.is_system {
            return Err(CatalogError::unsupported(format!("the relation {}.{}", entry.schema, entry.name)));
        }
        if let Some(rows) = sessions::rows(self, entry, session) {
            return Ok(Arc::new(Rows::new(rows)));
        }
        let cell = self.rows.get(place).ok_or_else(unknown)?;
        let rows = cell.get_or_init(|| {
            let rows = match &*entry.schema {
                "information_schema" => information::rows(self, entry),
                _ => stored::rows(entry).or_else(|| objects::rows(self, entry)),
            };
            rows.map(|rows| Arc::new(Rows::new(rows)))
        });
        rows.clone().ok_or_else(|| unserved(&entry.schema, &entry.name))
    }

    /// The names of the schemas and tables that are served, with their columns and their types.
    pub fn served(&self) -> impl Iterator<Item = (&str, &str, Vec<(&str, Oid)>)> {
        self.entries.iter().filter(|entry| entry.is_system).map(|entry| {
            let columns = entry.attributes.iter().map(|column| (&*column.name, types::base(column.type_oid)));
            (&*entry.schema, &*entry.name, columns.collect())
        })
    }

    /// All rows of a table.
    ///
    /// # Errors
    /// If it is unknown, or not served.
    pub fn all_rows(&self, schema: &str, name: &str, session: &Session) -> Result<Vec<Vec<Datum>>> {
        let place = self.find(Some(schema), name).ok_or_else(|| unserved(schema, name))?;
        Ok(self.rows(place, session)?.all.clone())
    }
}

fn unserved(schema: &str, name: &str) -> CatalogError {
    CatalogError::unsupported(format!("the table {schema}.{name}"))
}

#[cfg(test)]
mod tests;
