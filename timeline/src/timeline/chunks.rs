//! Chunks of a recording that follow each other, as one entry.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::row::EventRow;
use crate::range::Range;

/// Chunks of one recording with consecutive numbers, between which nothing else happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChunkRun {
    /// The time of the first chunk.
    pub time: DateTime<Utc>,
    /// The recording.
    pub recording_id: Option<String>,
    /// The numbers of the chunks; absent for a chunk without a number, which is a run of its own.
    pub numbers: Option<Range>,
    /// How many they are.
    pub chunks: u64,
    /// Their size together.
    pub bytes: u64,
    /// Deliveries beyond the first of each chunk.
    pub duplicates: u64,
    /// Chunks that break the rules of their type.
    pub with_problems: u64,
}

impl ChunkRun {
    /// A run of one chunk.
    pub(super) fn new(row: &EventRow) -> Self {
        Self {
            time: row.time,
            recording_id: row.recording_id.clone(),
            numbers: row.seq.map(|seq| Range { first: seq, last: seq }),
            chunks: 1,
            bytes: row.size.unwrap_or(0),
            duplicates: row.duplicates(),
            with_problems: u64::from(row.problems.is_some()),
        }
    }

    /// Whether `row` is the next chunk of the same recording.
    pub(super) fn is_followed_by(&self, row: &EventRow) -> bool {
        let next = self.numbers.and_then(|numbers| numbers.last.checked_add(1));
        row.recording_id == self.recording_id && next.is_some() && row.seq == next
    }

    /// Adds the chunk to the run, whose next one it is.
    pub(super) fn append(&mut self, row: &EventRow) {
        let Self { numbers, chunks, bytes, duplicates, with_problems, .. } = self;
        if let (Some(numbers), Some(seq)) = (numbers, row.seq) {
            numbers.last = seq;
        }
        *chunks += 1;
        *bytes = bytes.saturating_add(row.size.unwrap_or(0));
        *duplicates = duplicates.saturating_add(row.duplicates());
        *with_problems += u64::from(row.problems.is_some());
    }
}
