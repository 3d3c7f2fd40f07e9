//! Publishes messages to Kafka and reports their acknowledgements.
//!
//! ```text
//! Record ──publish──▶ librdkafka's queue ──▶ broker ──▶ delivery report ──▶ the future that `publish` returned
//!    │ BulkPublisher: many in flight, bounded                  └──▶ totals of a BulkPublisher
//!    ▼
//!  Busy if the queue is full: nothing was queued, publish again
//! ```
//!
//! An idempotent producer that has lost its sequence fails every message with a fatal error. It is then replaced by a
//! new one. The messages in its queue are reported as unavailable, and the sender sends them again with the same ids.

mod bulk;
mod client;
mod delivery;
mod publisher;
mod totals;

pub use bulk::{BulkPublisher, BulkReport};
pub use client::KafkaProducer;
pub use publisher::{Acknowledgement, Delivery, PublishError, Publisher, Record};

#[cfg(test)]
mod tests;
