//! What was read and is not yet committed: columns by date, chunks, dead letters, and the offsets that they end at.

use super::dead_letter::DeadLetter;
use arrow_array::RecordBatch;
use holdfast_archive::Advance;
use holdfast_archive::segment::Partition;
use holdfast_events::{
    Chunk, DecodeError, Decoder, Event, EventBatchBuilder, FilingBounds, OffsetSpan, Position, SpanError, Timestamp,
};
use std::collections::BTreeMap;
use std::time::Instant;

/// Rows after which a date's columns are handed to the writer. About 3 MiB of chat lines: large enough to encode well,
/// small enough to stay in the processor's cache.
const BATCH_ROWS: usize = 16 * 1024;

/// A recording chunk that waits for the flush.
#[derive(Debug)]
pub(super) struct PendingChunk {
    pub(super) partition: Partition,
    pub(super) session: String,
    pub(super) recording: String,
    pub(super) seq: i64,
    pub(super) bytes: Vec<u8>,
    /// What stands in the archive for it.
    pub(super) row: Event<'static>,
    pub(super) topic: String,
    pub(super) kafka_partition: i32,
    pub(super) offset: i64,
    pub(super) archived_at: Timestamp,
    pub(super) implausible: bool,
}

/// Rows for the writer.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) epoch: u64,
    pub(super) partition: Partition,
    pub(super) batch: RecordBatch,
}

/// Everything that a commit makes visible, besides the rows that were handed over before.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) epoch: u64,
    /// Unique; the commit's id.
    pub(super) id: String,
    pub(super) rows: Vec<Rows>,
    pub(super) chunks: Vec<PendingChunk>,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) advances: Vec<Advance>,
    /// What Kafka did not deliver between the offsets of `advances`; the same order.
    pub(super) gaps: Vec<Vec<Gap>>,
    pub(super) events: u64,
    /// When its first event was read.
    pub(super) since: Instant,
}

/// Offsets `start..end` that Kafka did not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Whether Kafka had deleted it before the archive first read the partition.
    pub(super) before_first: bool,
}

/// Where reading a partition begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The next offset as the log says it; `None` when the log has nothing of the partition.
    pub(super) next: Option<i64>,
    /// In that case, the first offset that Kafka still has.
    pub(super) earliest: i64,
}

/// One partition's progress.
#[derive(Debug)]
struct Progress {
    topic: String,
    partition: i32,
    /// What the log says, or will say once everything handed over is committed.
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
    /// Full batches that could not be handed over.
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

    /// Forgets everything and begins a new epoch at `starts`.
    pub(super) fn begin(&mut self, epoch: u64, starts: impl IntoIterator<Item = Start>) {
        *self = Self { epoch, ..Self::new(std::mem::take(&mut self.class)) };
        self.progress = starts
            .into_iter()
            .map(|Start { topic, partition, next, earliest }| {
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

    /// Moves a partition's offset over a message. `None` when the partition is not ours (a message that was on its way
    /// when it was taken away).
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

    /// Takes an event. Hands a batch back when one is full.
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

    /// Takes a recording's chunk.
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

    /// Takes a message that is no event.
    pub(super) fn dead_letter(&mut self, letter: DeadLetter) {
        self.count(letter.bytes());
        self.dead_letters.push(letter);
    }

    fn count(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Keeps a batch that cannot be handed over now for the commit.
    pub(super) fn put_back(&mut self, rows: Rows) {
        self.full.push(rows);
    }

    /// The next offset of each partition as the log says it or will say it.
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

    /// Takes everything for one commit; `None` when there is nothing.
    pub(super) fn take(&mut self, id: String) -> Option<Unit> {
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
        Some(Unit {
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

    fn start(partition: i32, next: Option<i64>, earliest: i64) -> Start {
        Start { topic: "t".to_owned(), partition, next, earliest }
    }

    #[test]
    fn what_kafka_had_deleted_is_told_from_what_it_does_not_deliver() {
        let mut collector = Collector::new("general".to_owned());
        collector.begin(1, [start(0, None, 5), start(1, Some(9), 7)]);
        take_line(&mut collector, 0, 8, "2026-11-18T00:00:00Z");
        take_line(&mut collector, 1, 9, "2026-11-18T00:00:00Z");
        let unit = collector.take("one".to_owned()).unwrap();
        let gap = |start, end, before_first| Gap { start, end, before_first };
        assert_eq!(unit.gaps, [vec![gap(0, 5, true), gap(5, 8, false)], Vec::new()]);
        assert_eq!(unit.advances[0].expected, None);
    }

    fn take_line(collector: &mut Collector, partition: i32, offset: i64, time: &str) -> Option<Rows> {
        let json = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"{time}"}}"#);
        let event = decode_structured(json.as_bytes()).unwrap();
        collector.advance("t", partition, offset).unwrap().unwrap();
        collector.event(&event, Position { topic: "t", partition, offset }, NOW, json.len())
    }

    #[test]
    fn a_unit_says_where_it_starts_and_ends() {
        let mut collector = collector(&[(0, None), (1, Some(40)), (2, Some(9))]);
        assert!(collector.take("nothing".to_owned()).is_none());
        take_line(&mut collector, 0, 3, "2026-11-18T00:00:00Z");
        take_line(&mut collector, 1, 40, "2026-11-17T00:00:00Z");
        take_line(&mut collector, 1, 45, "1970-01-01T00:00:00Z");
        let unit = collector.take("one".to_owned()).unwrap();
        let advance = |partition, expected, next| Advance { topic: "t".to_owned(), partition, expected, next };
        assert_eq!(unit.advances, [advance(0, None, 4), advance(1, Some(40), 46)]);
        let gap = |start, end, before_first| Gap { start, end, before_first };
        assert_eq!(unit.gaps, [vec![gap(0, 3, false)], vec![gap(41, 45, false)]]);
        assert_eq!((unit.epoch, unit.events), (7, 3));
        let dates: Vec<_> = unit.rows.iter().map(|rows| (rows.partition.date_text(), rows.batch.num_rows())).collect();
        assert_eq!(dates, [("2026-11-17".to_owned(), 1), ("2026-11-18".to_owned(), 2)]);
        take_line(&mut collector, 1, 46, "2026-11-17T00:00:00Z");
        let unit = collector.take("two".to_owned()).unwrap();
        assert_eq!((unit.advances, unit.gaps), (vec![advance(1, Some(46), 47)], vec![Vec::new()]));
    }

    #[test]
    fn what_was_read_already_or_is_not_ours_is_told() {
        let mut collector = collector(&[(0, Some(5))]);
        assert_eq!(collector.advance("t", 1, 0), None);
        assert_eq!(collector.advance("t", 0, 4), Some(Err(SpanError::Disjoint { expected: 5, found: 4 })));
        assert_eq!(collector.advance("t", 0, 5), Some(Ok(())));
    }

    #[test]
    fn a_new_epoch_forgets_what_was_read() {
        let mut collector = collector(&[(0, None)]);
        take_line(&mut collector, 0, 0, "2026-11-18T00:00:00Z");
        collector.begin(8, [start(0, None, 0)]);
        assert!(collector.take("x".to_owned()).is_none());
        assert_eq!((collector.events(), collector.bytes(), collector.since()), (0, 0, None));
    }

    #[test]
    fn full_batches_are_handed_over_before_the_commit() {
        let mut collector = collector(&[(0, None)]);
        let mut handed = 0;
        for offset in 0..BATCH_ROWS as i64 + 1 {
            handed +=
                take_line(&mut collector, 0, offset, "2026-11-18T00:00:00Z").map_or(0, |rows| rows.batch.num_rows());
        }
        let unit = collector.take("one".to_owned()).unwrap();
        assert_eq!((handed, unit.rows[0].batch.num_rows()), (BATCH_ROWS, 1));
    }
}
