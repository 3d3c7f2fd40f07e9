//! The pipeline from Kafka into the archive, with real brokers and real stores, and with stores that fail.
//!
//! ```text
//! Sent ──▶ broker: embedded, or Apache Kafka ──▶ Archiver ──▶ FaultyStore ──▶ store: memory, folder, or an S3 server
//!   │                                                                            │
//!   └──▶ Expectation ◀──────── compared, row by row and byte by byte ◀──── Contents, decrypted without SQL
//! ```
//!
//! The suite [`conformance`] runs against every pair of broker and store. [`apache`] and [`embedded`] test what only
//! one broker has (transactions, SIGKILL of the broker). [`crashes`] tests a crash after every single write to the
//! store.

mod apache;
mod bad_input;
mod conformance;
mod crashes;
mod embedded;
mod expectation;
mod faults;
mod fixture;
mod groups;
mod proof;
mod readback;
mod sent;
