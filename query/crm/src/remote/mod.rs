//! The databases behind schema `crm`.
//!
//! ```text
//!   statement ──▶ Database: circuit breaker, permit ──▶ Driver: connect, execute ──▶ values ──▶ batches ──▶ stream
//!                     ▲                                    │
//!                     └──── an outage opens the breaker ◀──┘
//! ```
//!
//! Every wait has a timeout: for a permit, for the connection, and for each batch of rows. Dropping a stream cancels its
//! statement. Credentials are removed from the messages of drivers.

mod batch;
pub(crate) mod circuit_breaker;
pub(crate) mod database;
pub(crate) mod dialect;
pub(crate) mod driver;
mod error;
mod mysql;
mod odbc;
pub(crate) mod permits;
mod postgres;
mod sqlite;
