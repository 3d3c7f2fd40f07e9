//! The schema `pg_catalog` and its functions, for PostgreSQL clients.

mod functions;
mod provider;

pub use provider::PostgresCatalog;
