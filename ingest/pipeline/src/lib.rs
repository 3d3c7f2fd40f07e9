//! Ingestion: the HTTP gateway, the Kafka clients, and the archiving consumer.
//!
//! ```text
//! client ──HTTP──▶ gateway ──▶ Publisher ──▶ Kafka: topics for events and for recording chunks
//!                     ▲            ▲
//!                  202 after    KafkaProducer (idempotent, acks=all); import and demo use it too
//!                  the acknowledgement
//! Kafka ──▶ archiver ──▶ archive
//! ```
//!
//! Invariants:
//! - The gateway reports success only after all in-sync replicas of Kafka acknowledged the event.
//! - A request is published only if every event in it is valid.
//! - Memory is bounded: the gateway reserves bytes and events of its budget before it reads them.
//! - No log line and no metric contains payload, the value of a header, or the value of an attribute other than the name
//!   of a sender, which its certificate gives.

pub mod archiver;
mod clock;
pub mod gateway;
pub mod kafka;
pub mod producer;
