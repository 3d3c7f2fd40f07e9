//! PostgreSQL's SQL over DataFusion: the same rows, names and types as PostgreSQL gives, or an error with its SQLSTATE.

#![forbid(unsafe_code)]

mod error;

pub use error::SqlError;
