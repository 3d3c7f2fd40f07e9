//! The Kafka-compatible broker that runs inside Holdfast when no other is configured.
//!
//! ```text
//! librdkafka ──TCP, loopback──▶ connection ──▶ routes ─┬─ produce ─▶ seal ─▶ one row a batch ─▶ fsync ─▶ acknowledged
//!                               (server)               ├─ fetch ◀── open ◀─ rows by offset ◀─ wake-up on produce
//!                                                      └─ groups, topics, offsets ─▶ tansu, untouched
//! ```
//!
//! Protocol, groups and topics are `tansu`'s, over one SQLite database in WAL mode. Ours is everything that touches a payload:
//! - a produced batch is stored whole, still compressed, as **one** AES-256-GCM envelope in one row, so nothing of a key, value
//!   or header is ever on disk in clear, and the bytes a consumer gets are the bytes the producer sent, checksum included;
//! - an acknowledgement waits for the write-ahead log to be on the disk (tansu alone survives a killed process, not a power
//!   cut), and a consumer sees nothing before that;
//! - fetches read by primary key and wake up when something arrives.
//!
//! What a client must know:
//! - **Topics** are made through the admin API, with a positive partition count; nothing is created on first use.
//! - **Transactions** are refused: tansu shows aborted records to everybody. Idempotent producers and `acks=all` are the rule;
//!   `acks=0` is not supported (a reply is sent all the same). A batch sent again after a lost reply is recognised, and its
//!   delivery report then bears no offset.
//! - **Sizes**: a batch may have up to 64 MiB, so a client decides by its `message.max.bytes`. A fetch returns at least one batch
//!   whatever its limits say, so a large message never blocks a partition.
//! - **Compression**: whatever the producer uses is stored and returned as it is (none, gzip, lz4, snappy, zstd).
//! - **Groups** are of the classic protocol. A member that dies without leaving is noticed after its session timeout;
//!   those of a process before are forgotten when the group is first written to.
//! - **Deleting** is explicit: `delete_records` takes away whole batches below an offset. A topic without `cleanup.policy`
//!   keeps everything; with `delete` it forgets after `retention.ms` whether it was read or not.
//! - **There is no authentication**: whoever can open a socket on this machine's loopback can read and write.
//! - **Logs**: `tansu_*` at level `debug` writes requests with their payload. Keep those targets at `warn`.

mod envelope;
mod error;
mod fetch;
mod key;
mod lock;

mod server;
mod spool;
mod storage;

pub use error::{BrokerError, KeyError};
pub use key::SpoolKey;
pub use server::{EmbeddedBroker, Settings};
