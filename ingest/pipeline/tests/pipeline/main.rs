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
//! store, [`deaths`] threads and processes that die at a message, [`lost`] an archiver that its group has lost,
//! [`generated`] messages that no broker has to store.

mod apache;
mod bad_input;
mod conformance;
mod crashes;
mod deaths;
mod embedded;
mod expectation;
mod faults;
mod fixture;
mod generated;
mod groups;
mod lost;
mod proof;
mod readback;
mod sent;
mod trial;
