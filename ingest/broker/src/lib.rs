//! The embedded Kafka-compatible broker. Holdfast runs it if no Kafka cluster is configured.
//!
//! ```text
//! librdkafka ──TCP, loopback─▶ connection ─▶ routes ─┬─ produce ─▶ encrypt ─▶ one row a batch ─▶ fsync ─▶ acknowledged
//!                              (server)              ├─ fetch ◀── decrypt ◀─ rows by offset ◀─ wake-up on produce
//!                                                    └─ groups, topics, offsets ─▶ tansu, unchanged
//! ```
//!
//! Protocol, groups and topics are those of `tansu`, over one SQLite database in WAL mode. This crate replaces
//! everything that processes a payload:
//! - A produced batch is stored whole, still compressed, as **one** AES-256-GCM envelope in one row. No part of a key,
//!   value or header is ever on disk in clear text, and a consumer receives the bytes that the producer sent, including
//!   the checksum.
//! - An acknowledgement waits for the fsync of the write-ahead log (tansu alone survives a killed process, but not a
//!   power failure). A consumer cannot read a batch before that.
//! - Fetches read by primary key and wake up when a batch arrives.
//!
//! Differences from Kafka:
//! - **Topics** are created through the admin API, with a positive partition count, and never on first use.
//! - **Transactions** are rejected, because tansu delivers aborted records to all consumers. Producers are idempotent
//!   with `acks=all`. `acks=0` is not supported (the broker responds nevertheless). A batch that is sent again after a
//!   lost response is recognised as a duplicate, and its delivery report has no offset.
//! - **Sizes**: a batch may have up to 64 MiB; the client's `message.max.bytes` is the effective limit. A fetch returns
//!   at least one batch, also beyond its limits, so a large message never blocks a partition.
//! - **Clients**: librdkafka 2.0 and later; Debian 12's `kcat` has 2.0.2.
//! - **Compression**: batches are stored and returned as the producer compressed them (none, gzip, lz4, snappy, zstd).
//! - **Groups** use the classic protocol. A member that crashes is removed after its session timeout. Members from
//!   before a restart of the broker are removed at the first write to their group.
//! - **Deletion** is explicit: `delete_records` deletes whole batches below an offset. A topic without `cleanup.policy`
//!   keeps all records. With `delete`, records are deleted after `retention.ms`, whether consumers have read them or
//!   not.
//! - **There is no authentication**: every process that can connect to this machine's loopback interface can read and
//!   write.
//! - **Logs**: the targets `tansu_*` log requests with their payload at level `debug`. Keep them at `warn`.

mod envelope;
mod error;
mod fetch;
mod key;
mod lock;
mod server;
mod spool;
mod storage;
mod versions;

pub use error::{BrokerError, KeyError};
pub use key::SpoolKey;
pub use server::{EmbeddedBroker, Settings};
