//! Publishes many messages: a bounded number in flight, errors reported with the next message, totals at the end.

use super::client::KafkaProducer;
use super::delivery::Recipient;
use super::publisher::{PublishError, Record};
use super::totals::{Partition, Totals};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long to wait before the next attempt when librdkafka's queue is full.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);

/// Publishes many messages. Bounds the messages in flight; the producer's queue bounds their bytes.
pub struct BulkPublisher {
    producer: KafkaProducer,
    totals: Arc<Totals>,
    in_flight: u32,
}

/// The totals of a [`BulkPublisher`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkReport {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// By topic and partition, one past the last offset that was written. Everything is archived once the archive's
    /// offsets have reached these.
    pub next_offsets: BTreeMap<(String, i32), i64>,
}

impl KafkaProducer {
    /// A publisher of many messages, of which up to `in_flight` are in flight at a time.
    pub fn bulk(&self, in_flight: usize) -> BulkPublisher {
        BulkPublisher::new(self.clone(), in_flight)
    }
}

impl BulkPublisher {
    fn new(producer: KafkaProducer, in_flight: usize) -> Self {
        let in_flight = u32::try_from(in_flight.max(1)).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        Self { producer, totals: Arc::new(Totals::new(in_flight)), in_flight }
    }

    /// Queues a message, after waiting for a free permit. An error concerns this message or an earlier one. Send no
    /// more after an error.
    ///
    /// # Errors
    /// A message was too large or not acknowledged. Never [`PublishError::Busy`].
    pub async fn send(&self, record: Record<'_>) -> Result<(), PublishError> {
        if let Some(error) = self.totals.failed() {
            return Err(error);
        }
        let permit = self.totals.in_flight.acquire().await.map_err(|_| stopping())?;
        loop {
            match self.producer.enqueue(record, Recipient::Bulk(Arc::clone(&self.totals))) {
                Ok(()) => break,
                Err(PublishError::Busy) => tokio::time::sleep(QUEUE_FULL_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        // The delivery report releases it.
        permit.forget();
        Ok(())
    }

    /// How many messages are acknowledged by now.
    pub fn acknowledged(&self) -> u64 {
        self.totals.acknowledged()
    }

    /// Waits for all acknowledgements.
    ///
    /// # Errors
    /// At least one message was not acknowledged.
    pub async fn finish(self) -> Result<BulkReport, PublishError> {
        // All permits are free when no message is in flight. Every message has a report, at the latest after its
        // timeout.
        let _all = self.totals.in_flight.acquire_many(self.in_flight).await.map_err(|_| stopping())?;
        let (acknowledged, partitions) = self.totals.take()?;
        let mut next_offsets = BTreeMap::new();
        for Partition { topic, number, next_offset, offset_unknown } in partitions {
            // The message without an offset is before the end of the partition, so the end is the safe answer.
            let end =
                if offset_unknown { self.producer.high_watermark(topic.clone(), number).await? } else { next_offset };
            next_offsets.insert((topic, number), end);
        }
        Ok(BulkReport { acknowledged, next_offsets })
    }
}

fn stopping() -> PublishError {
    PublishError::Unavailable { reason: "stopping" }
}
