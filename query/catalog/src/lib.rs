//! PostgreSQL's system catalog: the tables of `pg_catalog` and `information_schema` in memory, and the statements over them.
//!
//! Drivers and tools ask the catalog in forms that an engine for analysis does not plan: correlated subqueries among the
//! selected columns, `ARRAY(SELECT ...)`, `unnest` of keys, `LATERAL`, casts to `regclass`. The tables are small, so such a
//! statement is answered here, with PostgreSQL's types.
//!
//! ```text
//! Facts (relations, roles, settings) ─▶ Catalog: tables in memory, made once for each version of the relations
//!                                          │
//! statement ─▶ parsed ─▶ bind: names, types ─▶ Plan: columns with their OIDs ─▶ execute ─▶ rows ─▶ encode (text, binary)
//! ```
//!
//! Invariants:
//! - Pure: no I/O, no clock but the one that is given, nothing of the archive's rows.
//! - What is not known here is an error with PostgreSQL's SQLSTATE, never an empty or NULL answer.
//! - A statement has a bound of steps and of values, and checks them as it goes.

#![forbid(unsafe_code)]

mod bind;
mod builtin;
mod encode;
mod error;
mod execute;
mod facts;
mod format;
mod parse;
mod plan;
mod tables;
mod types;
mod value;

pub use bind::plan;
pub use builtin::is_catalog_function;
pub use encode::{binary, text, text_of_binary};
pub use error::CatalogError;
pub use execute::{Bounds, parameter};
pub use facts::{Column, Facts, Relation, RelationKind, Session};
pub use plan::{OutputColumn, Plan};
pub use tables::Catalog;
pub use types::{Oid, oid_of_type, type_name, type_size};
pub use value::{ArrayValue, Datum};
