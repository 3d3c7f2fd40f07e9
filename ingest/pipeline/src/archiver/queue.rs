//! What passes between the intake and the writer: rows and commits one way, committed offsets the other.

use super::dead_letter::DeadLetter;
use arrow_array::RecordBatch;
use holdfast_archive::Advance;
use holdfast_archive::segment::Partition;
use holdfast_events::{Event, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Items that may wait for the writer. Each holds at most one batch of a few MiB.
pub(super) const QUEUE_LENGTH: usize = 6;

/// An item of the queue to the writer.
pub(super) enum Work {
    /// Rows of the next commit.
    Rows(Rows),
    /// The remaining rows, and the commit.
    Commit(PendingCommit),
}

/// Rows of one partition of the table.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) epoch: u64,
    pub(super) partition: Partition,
    pub(super) batch: RecordBatch,
}

/// Everything that a commit makes visible, except the rows that were sent before.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) epoch: u64,
    /// The commit's id, which is unique.
    pub(super) id: String,
    pub(super) rows: Vec<Rows>,
    pub(super) chunks: Vec<PendingChunk>,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) advances: Vec<Advance>,
    /// What Kafka did not deliver between the offsets of `advances`, in the same order.
    pub(super) gaps: Vec<Vec<Gap>>,
    /// Messages, dead letters included.
    pub(super) events: u64,
    /// When its first message was read.
    pub(super) since: Instant,
}

/// A recording chunk that waits for the commit.
#[derive(Debug)]
pub(super) struct PendingChunk {
    pub(super) partition: Partition,
    pub(super) session: String,
    pub(super) recording: String,
    pub(super) seq: i64,
    pub(super) bytes: Vec<u8>,
    /// The row that describes it.
    pub(super) row: Event<'static>,
    pub(super) topic: String,
    pub(super) kafka_partition: i32,
    pub(super) offset: i64,
    pub(super) archived_at: Timestamp,
    pub(super) implausible: bool,
}

/// Offsets `start..end` that Kafka did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Whether Kafka deleted them before the archiver first read the partition.
    pub(super) before_first: bool,
}

/// Offsets that were committed to the archive and not yet reported to Kafka.
#[derive(Debug, Default)]
pub(super) struct CommittedOffsets(Mutex<Option<Vec<Advance>>>);

impl CommittedOffsets {
    pub(super) fn take(&self) -> Option<Vec<Advance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn add(&self, advances: Vec<Advance>) {
        // Of several offsets of a partition Kafka keeps the last one in the list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().extend(advances);
    }
}
