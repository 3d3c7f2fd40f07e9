//! The pipeline from Kafka into the archive, against real brokers and real stores, and against stores that fail.
//!
//! ```text
//! Sent ──▶ broker: embedded, or Apache Kafka ──▶ Archiver ──▶ FaultyStore ──▶ store: memory, folder, or an S3 server
//!   │                                                                            │
//!   └──▶ Expectation ◀──────── compared, row by row and byte by byte ◀──── Contents, decrypted without SQL
//! ```
//!
//! One suite, [`conformance`], is written once and run against every pair of broker and store. What only one of them can
//! do (transactions, being killed) stands in [`apache`] and [`embedded`]; crashes after every single effect on the store
//! stand in [`crashes`].

mod apache;
mod bad_input;
mod conformance;
mod crashes;
mod embedded;
mod expectation;
mod faults;
mod groups;
mod proof;
mod readback;
mod sent;
mod world;
