//! How events come into Holdfast: the HTTP gateway, the Kafka clients, and the archiving consumer.
//!
//! ```text
//! client ──HTTP──▶ gateway ──▶ Publisher ──▶ Kafka: topics for events and for recording chunks
//!                     ▲            ▲
//!                  202 after    KafkaProducer (idempotent, acks=all); also used by import and demo
//!                  the acknowledgement
//! Kafka ──▶ archiver ──▶ archive
//! ```
//!
//! Invariants:
//! - An event is answered with success only after Kafka acknowledged it to all in-sync replicas.
//! - Nothing of a request is published unless every event in it is valid.
//! - Memory is bounded: what the gateway holds is counted in bytes and events before it is read.
//! - No log line and no metric carries payload, an attribute's value or a header's value.

pub mod archiver;
pub mod gateway;
pub mod kafka;
pub mod producer;
