//! The real servers and tools that Holdfast's tests run against, and fault injection for them.
//!
//! ```text
//!            .ci/install ──▶ tools folder ──▶ tools ─┐
//!                                                    ▼
//!   test ──▶ require!(...) ──▶ kafka::Kafka    a real Apache Kafka, which tests kill and restart
//!     │        │ missing:      s3::S3Server    a real S3 server with conditional writes and Object Lock
//!     │        │               postgres::Postgres, mariadb::MariaDb   real databases
//!     │        │ prints why,   chitchat::fetch a real chat corpus as CloudEvents
//!     │        ▼ skips         tools::age      the stock age command
//!     │      (fails in CI)
//!     ├──▶ process::Holdfast   the program itself, as its user starts it
//!     ├──▶ faults::FaultyStore any object store, with injected faults
//!     ├──▶ secrets::scan       secrets in plain text in the bytes on disk
//!     ├──▶ sql, messages       generated statements and Kafka messages, also for the fuzz targets: choices
//!     ├──▶ differential        statements on a real PostgreSQL and on Holdfast, compared
//!     └──▶ trial               a running server under generated statements, and while its processes are killed
//! ```
//!
//! Servers listen on loopback only, store their data in a temporary folder and are killed when the value that started them is
//! dropped.

#![forbid(unsafe_code)]

mod child;
pub mod chitchat;
pub mod choices;
pub mod differential;
mod error;
pub mod faults;
pub mod kafka;
pub mod mariadb;
pub mod messages;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod s3;
pub mod secrets;
pub mod skip;
pub mod sql;
pub mod tools;
pub mod trial;
mod watchdog;

pub use child::Signal;
pub use error::Error;
