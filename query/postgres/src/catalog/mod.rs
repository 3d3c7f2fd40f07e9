//! The schema `pg_catalog` and its functions, for PostgreSQL clients.

mod answer;
mod functions;
mod provider;
mod tables;

pub(crate) use answer::CatalogQuery;
pub(crate) use functions::NAME_OF_SESSION;
pub use provider::PostgresCatalog;
pub(crate) use tables::{TYPE, is_encoded};
