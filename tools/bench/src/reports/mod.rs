//! The benchmark of queries: the built-in reports over sealed, encrypted events, beside DuckDB on the same rows in
//! plain Parquet.
//!
//! ```text
//! generated service desk ─▶ Apache Kafka ─▶ archiver ─▶ sealer ─▶ sessions      each in a process of its own
//!                                                         │
//!                        ┌────────────────────────────────┴─ export: the same rows in the same files, unencrypted
//!                        ▼                                ▼
//!                      DuckDB                         Holdfast: reports, one session, a sort that does not fit, 50 clients
//! ```
//!
//! Both engines have the same number of threads, and both may cache in memory between statements. The results of the
//! two are compared row by row.

mod clients;
mod compare;
mod duckdb;
mod export;
mod fill;
mod folders;
mod limits;
mod profile;
mod serve;
mod session;
mod sort;
mod statement;
mod suite;

pub(crate) use compare::child as compare;
pub(crate) use export::child as export;
pub(crate) use fill::project;
pub(crate) use profile::profile;
pub(crate) use serve::child as serve;
pub(crate) use sort::child as sort;
pub(crate) use suite::measure;
