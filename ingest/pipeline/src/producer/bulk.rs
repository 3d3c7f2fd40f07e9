//! Many messages: up to a number of them under way, errors told with the next message, totals at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Acknowledgement, KafkaProducer, PublishError, Record, Ticket};

/// How long to wait when librdkafka's own queue is full.
const PAUSE: Duration = Duration::from_millis(5);

/// Publishes many messages, bounded in number; bytes are bounded by the producer's queue.
pub struct BulkPublisher {
    producer: KafkaProducer,
    totals: Arc<Totals>,
    in_flight: u32,
}

/// What became of a [`BulkPublisher`]'s messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkReport {
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// By topic and partition, one past the last offset that was written: archived is all of it once the archive's own
    /// offsets have come so far.
    pub next_offsets: BTreeMap<(String, i32), i64>,
}

/// Shared with the delivery reports.
pub struct Totals {
    room: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acknowledged: u64,
    error: Option<PublishError>,
    /// A handful, so a search beats a map that wants an owned topic for every look-up.
    places: Vec<Place>,
}

struct Place {
    topic: String,
    partition: i32,
    next_offset: i64,
    /// Whether a message was acknowledged without its offset.
    offset_unknown: bool,
}

impl Totals {
    /// Takes a delivery report; called by the client's thread.
    pub(super) fn report(&self, topic: &str, result: Result<Acknowledgement, PublishError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(acknowledgement) => state.acknowledge(topic, acknowledgement),
            Err(error) => drop(state.error.get_or_insert(error)),
        }
        drop(state);
        self.room.add_permits(1);
    }

    fn failed(&self) -> Option<PublishError> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).error
    }
}

impl State {
    fn acknowledge(&mut self, topic: &str, acknowledgement: Acknowledgement) {
        self.acknowledged += 1;
        let partition = acknowledgement.partition;
        let found = self.places.iter().position(|place| place.partition == partition && place.topic == topic);
        let place = match found {
            Some(place) => &mut self.places[place],
            None => {
                let topic = topic.to_owned();
                self.places.push(Place { topic, partition, next_offset: 0, offset_unknown: false });
                self.places.last_mut().expect("it was just pushed")
            }
        };
        match acknowledgement.offset {
            Some(offset) => place.next_offset = place.next_offset.max(offset + 1),
            None => place.offset_unknown = true,
        }
    }
}

impl BulkPublisher {
    pub(super) fn new(producer: KafkaProducer, in_flight: usize) -> Self {
        let in_flight = u32::try_from(in_flight.max(1)).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        let totals = Totals { room: Semaphore::new(in_flight as usize), state: Mutex::default() };
        Self { producer, totals: Arc::new(totals), in_flight }
    }

    /// Queues a message, waiting for room. An error speaks of this message or of any before it; after one, nothing more
    /// should be sent.
    ///
    /// # Errors
    /// A message was too large or not acknowledged. Never [`PublishError::Busy`].
    pub async fn send(&self, record: Record<'_>) -> Result<(), PublishError> {
        if let Some(error) = self.totals.failed() {
            return Err(error);
        }
        let permit = self.totals.room.acquire().await.map_err(|_| stopping())?;
        loop {
            match self.producer.enqueue(record, Ticket::Bulk(Arc::clone(&self.totals))) {
                Ok(()) => break,
                Err(PublishError::Busy) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        // The delivery report gives it back.
        permit.forget();
        Ok(())
    }

    /// How many messages are acknowledged by now.
    pub fn acknowledged(&self) -> u64 {
        self.totals.state.lock().unwrap_or_else(PoisonError::into_inner).acknowledged
    }

    /// Waits for all acknowledgements.
    ///
    /// # Errors
    /// At least one message was not acknowledged.
    pub async fn finish(self) -> Result<BulkReport, PublishError> {
        // All room is free when nothing is under way. Every message is reported on, at the latest after its timeout.
        let _all = self.totals.room.acquire_many(self.in_flight).await.map_err(|_| stopping())?;
        let (report, unknown) = {
            let mut state = self.totals.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = state.error {
                return Err(error);
            }
            let mut report = BulkReport { acknowledged: state.acknowledged, next_offsets: BTreeMap::new() };
            let mut unknown = Vec::new();
            for place in state.places.drain(..) {
                if place.offset_unknown {
                    unknown.push((place.topic.clone(), place.partition));
                }
                report.next_offsets.insert((place.topic, place.partition), place.next_offset);
            }
            (report, unknown)
        };
        let mut report = report;
        for (topic, partition) in unknown {
            // Somewhere before the end of the partition is all that is known, so its end it is.
            let end = self.producer.high_watermark(topic.clone(), partition).await?;
            report.next_offsets.insert((topic, partition), end);
        }
        Ok(report)
    }
}

fn stopping() -> PublishError {
    PublishError::Unavailable { reason: "stopping" }
}
