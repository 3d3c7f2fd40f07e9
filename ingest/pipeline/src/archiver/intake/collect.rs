//! What was read and is not yet committed: columns by date, chunks, dead letters, and the offsets behind them.

use crate::archiver::dead_letter::DeadLetter;
use crate::archiver::queue::{Gap, PendingChunk, PendingCommit, Rows};
use holdfast_archive::Advance;
use holdfast_archive::log::TopicPartition;
use holdfast_archive::segment::Partition;
use holdfast_events::{
    Chunk, DecodeError, Decoder, Event, EventBatchBuilder, FilingBounds, OffsetSpan, Position, SpanError, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
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

impl StartOffset {
    pub(super) fn partition(&self) -> TopicPartition {
        (self.topic.clone(), self.partition)
    }

    /// The first offset that is read.
    pub(super) fn from(&self) -> i64 {
        self.next.unwrap_or(self.earliest)
    }
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
    /// Whether the consumer's position is one of this epoch. Of a partition that is read again from an earlier offset,
    /// the position stays where it was until the first message.
    has_position: bool,
}

impl Progress {
    /// Notes offsets `start..end` that Kafka does not deliver.
    fn skip(&mut self, start: i64, end: i64) {
        match self.gaps.last_mut() {
            Some(gap) if gap.end == start && !gap.before_first => gap.end = end,
            _ => self.gaps.push(Gap { start, end, before_first: false }),
        }
    }
}

/// Collects what is read between two commits.
#[derive(Debug)]
pub(super) struct Collector {
    class: String,
    bounds: FilingBounds,
    epoch: u64,
    builders: BTreeMap<i32, EventBatchBuilder>,
    /// The filing dates since the last commit, in days since 1970. Each has a file open in the writer.
    dates: BTreeSet<i32>,
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
            dates: BTreeSet::new(),
            full: Vec::new(),
            chunks: Vec::new(),
            dead_letters: Vec::new(),
            progress: Vec::new(),
            events: 0,
            bytes: 0,
            since: None,
        }
    }

    /// Drops everything and begins a new epoch at `starts`. `is_resync`: the partitions were assigned before.
    pub(super) fn begin(&mut self, epoch: u64, starts: impl IntoIterator<Item = StartOffset>, is_resync: bool) {
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
                    has_position: !is_resync,
                }
            })
            .collect();
    }

    /// Moves a partition's offset over a message. `None` if the partition is not assigned: the message was in flight
    /// when it was revoked.
    pub(super) fn advance(&mut self, topic: &str, partition: i32, offset: i64) -> Option<Result<(), SpanError>> {
        let progress = self.progress_of(topic, partition)?;
        let start = progress.span.end();
        let extended = progress.span.extend_over(offset);
        if extended.is_ok() {
            progress.has_position = true;
            if start < offset {
                progress.skip(start, offset);
            }
        }
        Some(extended)
    }

    /// Moves a partition's offset over what Kafka does not deliver, up to the consumer's position: the markers of
    /// transactions, and aborted messages before them. Otherwise the archive's offset would stay before them, and be
    /// lost when Kafka deletes them.
    pub(super) fn pass(&mut self, topic: &str, partition: i32, position: i64) {
        let Some(progress) = self.progress_of(topic, partition) else { return };
        let start = progress.span.end();
        if progress.has_position && start < position && progress.span.extend_over(position - 1).is_ok() {
            progress.skip(start, position);
            self.since.get_or_insert_with(Instant::now);
        }
    }

    fn progress_of(&mut self, topic: &str, partition: i32) -> Option<&mut Progress> {
        self.progress.iter_mut().find(|progress| progress.partition == partition && progress.topic == topic)
    }

    /// Adds an event. `size` is that of its message in bytes. Returns a batch when one is full.
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
        self.dates.insert(date);
        let builder = self.builders.entry(date).or_default();
        builder.append(event, position, now, filed.implausible, None);
        if builder.rows() < BATCH_ROWS {
            return None;
        }
        let batch = builder.finish();
        Some(Rows { epoch: self.epoch, partition: Partition { class: self.class.clone(), date }, batch })
    }

    /// Adds a recording chunk. `size` is that of its message in bytes.
    pub(super) fn chunk(
        &mut self,
        decoder: &mut Decoder,
        event: Event<'_>,
        position: Position<'_>,
        now: Timestamp,
        size: usize,
    ) -> Result<(), DecodeError> {
        let Some(chunk) = Chunk::of(&event)? else { return Ok(()) };
        let filed = self.bounds.file(event.time, now);
        let (recording, seq, bytes) = (chunk.recording_id.to_owned(), chunk.seq, chunk.bytes.to_vec());
        let session = event.subject.clone().into_owned();
        let row = event.describing_chunk(decoder)?.into_owned();
        let date = filed.days as i32;
        self.count(size + 256);
        self.dates.insert(date);
        self.chunks.push(PendingChunk {
            partition: Partition { class: self.class.clone(), date },
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

    /// Adds a message that is not an event. `size` is that of its message in bytes; its headers may take more as JSON.
    pub(super) fn dead_letter(&mut self, letter: DeadLetter, size: usize) {
        self.count(letter.bytes().max(size));
        self.dead_letters.push(letter);
    }

    fn count(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes = self.bytes.saturating_add(bytes);
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

    /// Their filing dates.
    pub(super) fn dates(&self) -> usize {
        self.dates.len()
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
        self.dates.clear();
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
        collector.begin(7, starts.iter().map(|(partition, next)| start(*partition, *next, 0)), false);
        collector
    }

    fn start(partition: i32, next: Option<i64>, earliest: i64) -> StartOffset {
        StartOffset { topic: "t".to_owned(), partition, next, earliest }
    }

    #[test]
    fn deleted_offsets_are_distinguished_from_undelivered_ones() {
        let mut collector = Collector::new("general".to_owned());
        collector.begin(1, [start(0, None, 5), start(1, Some(9), 7)], false);
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
        collector.begin(8, [start(0, None, 0)], false);
        assert!(collector.take("x".to_owned()).is_none());
        assert_eq!((collector.events(), collector.bytes(), collector.since()), (0, 0, None));
    }

    #[test]
    fn what_kafka_does_not_deliver_at_the_end_is_passed() {
        let mut collector = collector(&[(0, Some(5)), (1, None)]);
        add_line(&mut collector, 0, 5, "2026-11-18T00:00:00Z");
        collector.pass("t", 0, 6);
        assert_eq!(collector.take("without a marker".to_owned()).unwrap().gaps, [Vec::new()]);
        collector.pass("t", 0, 6);
        collector.pass("t", 2, 9);
        assert!(collector.since().is_none(), "nothing was passed");
        collector.pass("t", 0, 7);
        assert!(collector.since().is_some(), "a marker alone is committed");
        collector.pass("t", 0, 9);
        collector.pass("t", 1, 3);
        let commit = collector.take("markers".to_owned()).unwrap();
        let advance = |partition, expected, next| Advance { topic: "t".to_owned(), partition, expected, next };
        assert_eq!(commit.advances, [advance(0, Some(6), 9), advance(1, None, 3)]);
        let gap = |start, end| Gap { start, end, before_first: false };
        assert_eq!((commit.gaps, commit.events), (vec![vec![gap(6, 9)], vec![gap(0, 3)]], 0));
    }

    #[test]
    fn a_position_from_before_a_resync_is_not_believed() {
        let mut collector = Collector::new("general".to_owned());
        collector.begin(2, [start(0, Some(5), 0)], true);
        collector.pass("t", 0, 100);
        assert!(collector.take("x".to_owned()).is_none());
        add_line(&mut collector, 0, 5, "2026-11-18T00:00:00Z");
        collector.pass("t", 0, 7);
        assert_eq!(collector.take("x".to_owned()).unwrap().advances[0].next, 7);
    }

    #[test]
    fn dates_and_all_bytes_of_messages_are_counted_until_the_commit() {
        let mut collector = collector(&[(0, None)]);
        for offset in 0..300 {
            let day = Timestamp(NOW.0).plus_days(-(offset % 100)).date_text();
            add_line(&mut collector, 0, offset, &format!("{day}T00:00:00Z"));
        }
        assert_eq!(collector.dates(), 100);
        let before = collector.bytes();
        let json =
            br#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"2026-11-18T00:00:00Z"}"#;
        let event = decode_structured(json).unwrap();
        collector.event(&event, Position { topic: "t", partition: 0, offset: 300 }, NOW, 1 << 20);
        assert_eq!(collector.bytes() - before, 1 << 20);
        collector.take("x".to_owned()).unwrap();
        assert_eq!((collector.dates(), collector.bytes()), (0, 0));
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
