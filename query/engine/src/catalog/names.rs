//! The names of the catalog, of its schemas and of its tables.

use holdfast_archive::Table;

pub(crate) const CATALOG: &str = "holdfast";
pub(crate) const SCHEMA: &str = "archive";
/// The schema with the tables of the CRM.
pub(super) const CRM_SCHEMA: &str = "crm";
/// The view of tickets, in both schemas.
pub(super) const TICKETS: &str = "tickets";

/// The tables whose rows are in files.
pub(super) const TABLES: [Table; 3] = [Table::Events, Table::DeadLetters, Table::Sessions];
/// The names of [`TABLES`] in SQL. `sessions` is the name of the view over `session_states`.
pub(super) const TABLE_NAMES: [&str; TABLES.len()] = ["events", "dead_letters", "session_states"];
