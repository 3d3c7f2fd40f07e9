//! Totals of a bulk publisher: acknowledged messages, the first error, and the end of each partition.

use super::publisher::{Acknowledgement, PublishError};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Counts the delivery reports of a bulk publisher.
pub(super) struct Totals {
    /// One permit for each message that may still be sent.
    pub(super) in_flight: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    acknowledged: u64,
    error: Option<PublishError>,
    /// There are few, so a linear search is faster than a map, whose lookup needs an owned topic.
    partitions: Vec<Partition>,
}

/// The end of what was written to a partition.
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) number: i32,
    pub(super) next_offset: i64,
    /// Whether a message was acknowledged without its offset.
    pub(super) offset_unknown: bool,
}

impl Totals {
    pub(super) fn new(in_flight: u32) -> Self {
        Self { in_flight: Semaphore::new(in_flight as usize), state: Mutex::default() }
    }

    /// Counts a delivery report. Called on the client's thread.
    pub(super) fn report(&self, topic: &str, result: Result<Acknowledgement, PublishError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(acknowledgement) => state.acknowledge(topic, acknowledgement),
            Err(error) => drop(state.error.get_or_insert(error)),
        }
        drop(state);
        self.in_flight.add_permits(1);
    }

    /// How many messages are acknowledged by now.
    pub(super) fn acknowledged(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).acknowledged
    }

    /// Takes out the totals: the number of acknowledged messages, and the partitions that they are in.
    ///
    /// # Errors
    /// The first error.
    pub(super) fn take(&self) -> Result<(u64, Vec<Partition>), PublishError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.error {
            Some(error) => Err(error),
            None => Ok((state.acknowledged, std::mem::take(&mut state.partitions))),
        }
    }

    /// The first error.
    pub(super) fn failed(&self) -> Option<PublishError> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).error
    }
}

impl State {
    fn acknowledge(&mut self, topic: &str, acknowledgement: Acknowledgement) {
        self.acknowledged += 1;
        let number = acknowledgement.partition;
        let found = self.partitions.iter().position(|known| known.number == number && known.topic == topic);
        let partition = match found {
            Some(index) => &mut self.partitions[index],
            None => {
                let topic = topic.to_owned();
                self.partitions.push(Partition { topic, number, next_offset: 0, offset_unknown: false });
                self.partitions.last_mut().expect("it was just pushed")
            }
        };
        match acknowledgement.offset {
            Some(offset) => partition.next_offset = partition.next_offset.max(offset + 1),
            None => partition.offset_unknown = true,
        }
    }
}
