//! What was read and is not yet committed: columns by date, chunks, dead letters, and the offsets behind them.

use crate::archiver::dead_letter::DeadLetter;
use crate::archiver::queue::{Gap, PendingChunk, PendingCommit, Rows};
use holdfast_archive::Advance;
use holdfast_archive::segment::Partition;
use holdfast_events::{
    Chunk, DecodeError, Decoder, Event, EventBatchBuilder, FilingBounds, OffsetSpan, Position, SpanError, Timestamp,
};
use std::collections::BTreeMap;
use std::time::Instant;

/// Rows after which a date's columns are sent to the writer. About 3 MiB of chat lines: large enough to encode well,
/// small enough to stay in the processor's cache.
const BATCH_ROWS: usize = 16 * 1024;

/// The offset at which reading a partition starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartOffset {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The next offset in the log; `None` if the log has no offset of the partition.
    pub(super) next: Option<i64>,
    /// If `next` is `None`, the first offset that Kafka still has.
    pub(super) earliest: i64,
}

/// One partition's progress.
#[derive(Debug)]
struct Progress {
    topic: String,
    partition: i32,
    /// The next offset in the log once everything that was sent to the writer is committed.
    expected: Option<i64>,
    span: OffsetSpan,
    gaps: Vec<Gap>,
}

/// Collects what is read between two commits.
#[derive(Debug)]
pub(super) struct Collector {
    class: String,
    bounds: FilingBounds,
    epoch: u64,
    builders: BTreeMap<i32, EventBatchBuilder>,
    /// Full batches that could not be sent.
    full: Vec<Rows>,
    chunks: Vec<PendingChunk>,
    dead_letters: Vec<DeadLetter>,
    progress: Vec<Progress>,
    events: u64,
    bytes: usize,
    since: Option<Instant>,
}

impl Collector {
    pub(super) fn new(class: String) -> Self {
        Self {
            class,
            bounds: FilingBounds::default(),
            epoch: 0,
            builders: BTreeMap::new(),
            full: Vec::new(),
            chunks: Vec::new(),
            dead_letters: Vec::new(),
            progress: Vec::new(),
            events: 0,
            bytes: 0,
            since: None,
        }
    }

    /// Drops everything and begins a new epoch at `starts`.
    pub(super) fn begin(&mut self, epoch: u64, starts: impl IntoIterator<Item = StartOffset>) {
        *self = Self { epoch, ..Self::new(std::mem::take(&mut self.class)) };
        self.progress = starts
            .into_iter()
            .map(|StartOffset { topic, partition, next, earliest }| {
                let deleted = Gap { start: 0, end: earliest, before_first: true };
                Progress {
                    topic,
                    partition,
                    expected: next,
                    span: OffsetSpan::at(next.unwrap_or(earliest)),
                    gaps: if next.is_none() && earliest > 0 { vec![deleted] } else { Vec::new() },
                }
            })
            .collect();
    }

    /// Moves a partition's offset over a message. `None` if the partition is not assigned: the message was in flight
    /// when it was revoked.
    pub(super) fn advance(&mut self, topic: &str, partition: i32, offset: i64) -> Option<Result<(), SpanError>> {
        let known = |progress: &&mut Progress| progress.partition == partition && progress.topic == topic;
        let progress = self.progress.iter_mut().find(known)?;
        let start = progress.span.end();
        let extended = progress.span.extend_over(offset);
        if extended.is_ok() && start < offset {
            progress.gaps.push(Gap { start, end: offset, before_first: false });
        }
        Some(extended)
    }

    /// Adds an event. Returns a batch when one is full.
    pub(super) fn event(
        &mut self,
        event: &Event<'_>,
        position: Position<'_>,
        now: Timestamp,
        size: usize,
    ) -> Option<Rows> {
        self.count(size);
        let filed = self.bounds.file(event.time, now);
        let date = filed.days as i32;
        let builder = self.builders.entry(date).or_default();
        builder.append(event, position, now, filed.implausible, None);
        if builder.rows() < BATCH_ROWS {
            return None;
        }
        let batch = builder.finish();
        Some(Rows { epoch: self.epoch, partition: Partition { class: self.class.clone(), date }, batch })
    }

    /// Adds a recording chunk.
    pub(super) fn chunk(
        &mut self,
        decoder: &mut Decoder,
        event: Event<'_>,
        position: Position<'_>,
        now: Timestamp,
    ) -> Result<(), DecodeError> {
        let Some(chunk) = Chunk::of(&event)? else { return Ok(()) };
        let filed = self.bounds.file(event.time, now);
        let (recording, seq, bytes) = (chunk.recording_id.to_owned(), chunk.seq, chunk.bytes.to_vec());
        let session = event.subject.clone().into_owned();
        let row = event.describing_chunk(decoder)?.into_owned();
        self.count(bytes.len() + 256);
        self.chunks.push(PendingChunk {
            partition: Partition { class: self.class.clone(), date: filed.days as i32 },
            session,
            recording,
            seq,
            bytes,
            row,
            topic: position.topic.to_owned(),
            kafka_partition: position.partition,
            offset: position.offset,
            archived_at: now,
            implausible: filed.implausible,
        });
        Ok(())
    }

    /// Adds a message that is not an event.
    pub(super) fn dead_letter(&mut self, letter: DeadLetter) {
        self.count(letter.bytes());
        self.dead_letters.push(letter);
    }

    fn count(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Keeps a batch that cannot be sent now for the commit.
    pub(super) fn put_back(&mut self, rows: Rows) {
        self.full.push(rows);
    }

    /// The next offset of each partition in the log, once everything that was sent is committed.
    pub(super) fn positions(&self) -> impl Iterator<Item = (String, i32, Option<i64>)> {
        self.progress.iter().map(|progress| (progress.topic.clone(), progress.partition, progress.expected))
    }

    /// Messages since the last commit.
    pub(super) fn events(&self) -> usize {
        self.events as usize
    }

    /// Their bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first of them was read.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Takes everything for one commit; `None` if nothing was collected.
    pub(super) fn take(&mut self, id: String) -> Option<PendingCommit> {
        let since = self.since.take()?;
        let mut advances = Vec::new();
        let mut gaps = Vec::new();
        for progress in self.progress.iter_mut().filter(|progress| !progress.span.is_empty()) {
            let next = progress.span.end();
            let (topic, partition, expected) = (progress.topic.clone(), progress.partition, progress.expected);
            advances.push(Advance { topic, partition, expected, next });
            gaps.push(std::mem::take(&mut progress.gaps));
            progress.expected = Some(next);
            progress.span = OffsetSpan::at(next);
        }
        let (epoch, class) = (self.epoch, self.class.clone());
        let rest = std::mem::take(&mut self.builders).into_iter().filter(|(_, builder)| builder.rows() > 0).map(
            |(date, mut builder)| Rows {
                epoch,
                partition: Partition { class: class.clone(), date },
                batch: builder.finish(),
            },
        );
        let rows = std::mem::take(&mut self.full).into_iter().chain(rest).collect();
        self.bytes = 0;
        Some(PendingCommit {
            epoch,
            id,
            rows,
            chunks: std::mem::take(&mut self.chunks),
            dead_letters: std::mem::take(&mut self.dead_letters),
            advances,
            gaps,
            events: std::mem::take(&mut self.events),
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::decode_structured;

    const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

    fn collector(starts: &[(i32, Option<i64>)]) -> Collector {
        let mut collector = Collector::new("general".to_owned());
        collector.begin(7, starts.iter().map(|(partition, next)| start(*partition, *next, 0)));
        collector
    }

    fn start(partition: i32, next: Option<i64>, earliest: i64) -> StartOffset {
        StartOffset { topic: "t".to_owned(), partition, next, earliest }
    }

    #[test]
    fn deleted_offsets_are_distinguished_from_undelivered_ones() {
        let mut collector = Collector::new("general".to_owned());
        collector.begin(1, [start(0, None, 5), start(1, Some(9), 7)]);
        add_line(&mut collector, 0, 8, "2026-11-18T00:00:00Z");
        add_line(&mut collector, 1, 9, "2026-11-18T00:00:00Z");
        let commit = collector.take("one".to_owned()).unwrap();
        let gap = |start, end, before_first| Gap { start, end, before_first };
        assert_eq!(commit.gaps, [vec![gap(0, 5, true), gap(5, 8, false)], Vec::new()]);
        assert_eq!(commit.advances[0].expected, None);
    }

    fn add_line(collector: &mut Collector, partition: i32, offset: i64, time: &str) -> Option<Rows> {
        let json = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"{time}"}}"#);
        let event = decode_structured(json.as_bytes()).unwrap();
        collector.advance("t", partition, offset).unwrap().unwrap();
        collector.event(&event, Position { topic: "t", partition, offset }, NOW, json.len())
    }

    #[test]
    fn a_commit_names_the_offsets_at_which_it_starts_and_ends() {
        let mut collector = collector(&[(0, None), (1, Some(40)), (2, Some(9))]);
        assert!(collector.take("nothing".to_owned()).is_none());
        add_line(&mut collector, 0, 3, "2026-11-18T00:00:00Z");
        add_line(&mut collector, 1, 40, "2026-11-17T00:00:00Z");
        add_line(&mut collector, 1, 45, "1970-01-01T00:00:00Z");
        let commit = collector.take("one".to_owned()).unwrap();
        let advance = |partition, expected, next| Advance { topic: "t".to_owned(), partition, expected, next };
        assert_eq!(commit.advances, [advance(0, None, 4), advance(1, Some(40), 46)]);
        let gap = |start, end, before_first| Gap { start, end, before_first };
        assert_eq!(commit.gaps, [vec![gap(0, 3, false)], vec![gap(41, 45, false)]]);
        assert_eq!((commit.epoch, commit.events), (7, 3));
        let dates: Vec<_> =
            commit.rows.iter().map(|rows| (rows.partition.date_text(), rows.batch.num_rows())).collect();
        assert_eq!(dates, [("2026-11-17".to_owned(), 1), ("2026-11-18".to_owned(), 2)]);
        add_line(&mut collector, 1, 46, "2026-11-17T00:00:00Z");
        let commit = collector.take("two".to_owned()).unwrap();
        assert_eq!((commit.advances, commit.gaps), (vec![advance(1, Some(46), 47)], vec![Vec::new()]));
    }

    #[test]
    fn duplicate_offsets_and_unassigned_partitions_are_reported() {
        let mut collector = collector(&[(0, Some(5))]);
        assert_eq!(collector.advance("t", 1, 0), None);
        assert_eq!(collector.advance("t", 0, 4), Some(Err(SpanError::Disjoint { expected: 5, found: 4 })));
        assert_eq!(collector.advance("t", 0, 5), Some(Ok(())));
    }

    #[test]
    fn a_new_epoch_drops_what_was_read() {
        let mut collector = collector(&[(0, None)]);
        add_line(&mut collector, 0, 0, "2026-11-18T00:00:00Z");
        collector.begin(8, [start(0, None, 0)]);
        assert!(collector.take("x".to_owned()).is_none());
        assert_eq!((collector.events(), collector.bytes(), collector.since()), (0, 0, None));
    }

    #[test]
    fn full_batches_are_returned_before_the_commit() {
        let mut collector = collector(&[(0, None)]);
        let mut returned = 0;
        for offset in 0..BATCH_ROWS as i64 + 1 {
            returned +=
                add_line(&mut collector, 0, offset, "2026-11-18T00:00:00Z").map_or(0, |rows| rows.batch.num_rows());
        }
        let commit = collector.take("one".to_owned()).unwrap();
        assert_eq!((returned, commit.rows[0].batch.num_rows()), (BATCH_ROWS, 1));
    }
}
