//! The writer: encodes and encrypts, puts, and commits. One thread: commits come one after the other.
//!
//! A step that the store refuses is tried again until it succeeds, the epoch ends, or the process has been asked to stop
//! for a while; then what was read stays in Kafka, and the next process reads it again.

use super::ArchiverError;
use super::attest::Attestor;
use super::collect::{PendingChunk, Rows, Unit};
use super::dead_letter::{self, DeadLetter};
use super::metrics::ArchiverMetrics;
use super::ownership::Ownership;
use crate::gateway::Clock;
use holdfast_archive::keys::{KeyRing, MasterKeyId};
use holdfast_archive::proof::{Attestation, BatchTrees};
use holdfast_archive::recordings::{self, RecordingSpan};
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, ArchiveError, Change, CommitError, Table, TableLog};
use holdfast_events::{ChunkPlace, EventBatchBuilder, Position};
use holdfast_proof::{FileDigest, Secret};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Pieces of work that may wait for the writer. Each holds a batch of a few MiB at the most.
pub(super) const QUEUE: usize = 6;
/// How long trying again goes on after the process was asked to stop.
const LAST_TRIES: Duration = Duration::from_secs(15);
/// Dates whose secrets are remembered.
const MOST_SECRETS: usize = 4096;
/// The pauses between tries.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the intake hands over.
pub(super) enum Work {
    /// Rows for the next commit.
    Rows(Rows),
    /// The rest of them, and the commit.
    Commit(Unit),
}

/// What was committed, for the intake to tell Kafka.
#[derive(Debug, Default)]
pub(super) struct Committed(Mutex<Option<Vec<Advance>>>);

impl Committed {
    pub(super) fn take(&self) -> Option<Vec<Advance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn add(&self, advances: Vec<Advance>) {
        // Later ones come last, and Kafka takes the last.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().extend(advances);
    }
}

/// The writer's thread.
pub(super) struct Writer {
    pub(super) events: TableLog,
    pub(super) dead_letters: TableLog,
    pub(super) archive: Archive,
    pub(super) ring: Arc<KeyRing>,
    pub(super) encrypt: bool,
    pub(super) class: String,
    /// Attests what is committed; `None` leaves it outside the proof log.
    pub(super) attestor: Option<Attestor>,
    pub(super) clock: Clock,
    pub(super) metrics: ArchiverMetrics,
    pub(super) ownership: Arc<Ownership>,
    pub(super) committed: Arc<Committed>,
    /// The Kafka cluster's id, known from the first assignment on.
    pub(super) cluster: Arc<OnceLock<String>>,
    pub(super) runtime: Handle,
    pub(super) stop: CancellationToken,
}

/// How a commit ended.
enum Outcome {
    Done,
    /// The epoch ended, or the log was elsewhere: what was read is dropped, and read again by whoever owns it now.
    Dropped,
}

impl Writer {
    /// Runs until the intake has ended and everything that it handed over is committed.
    pub(super) fn run(mut self, receiver: &Receiver<Work>) -> Result<(), ArchiverError> {
        let mut open = OpenFiles::new(self.attestor.is_some());
        while let Ok(work) = receiver.recv() {
            match work {
                Work::Rows(rows) => {
                    open.keep_epoch(rows.epoch);
                    self.encode(&mut open, rows.partition, &rows.batch)?;
                }
                Work::Commit(unit) => {
                    open.keep_epoch(unit.epoch);
                    if let Outcome::Dropped = self.commit(&mut open, unit)? {
                        open.clear();
                    }
                }
            }
        }
        Ok(())
    }

    /// Encodes rows into the open file of their partition.
    fn encode(
        &self,
        open: &mut OpenFiles,
        partition: Partition,
        batch: &arrow_array::RecordBatch,
    ) -> Result<(), ArchiverError> {
        if !open.files.contains_key(&partition) {
            let file = self.start_file(Table::Events, &partition)?;
            open.files.insert(partition.clone(), file);
        }
        let attested = match &mut open.trees {
            Some(trees) => Some(trees.add(&partition, batch, &open.secrets.of(&partition)?)?),
            None => None,
        };
        if let Some(file) = open.files.get_mut(&partition) {
            file.write(attested.as_ref().unwrap_or(batch))?;
        }
        Ok(())
    }

    fn start_file(&self, table: Table, partition: &Partition) -> Result<SegmentWriter, ArchiverError> {
        let id = uuid::Uuid::now_v7().to_string();
        let keys = if self.encrypt {
            self.until_done("make data keys", || SegmentKeys::new(&self.ring, table, partition, id.clone()))?
        } else {
            SegmentKeys::unencrypted_for_measurement(id)
        };
        Ok(SegmentWriter::new(table, partition.clone(), keys)?)
    }

    fn commit(&mut self, open: &mut OpenFiles, mut unit: Unit) -> Result<Outcome, ArchiverError> {
        if self.ownership.epoch() != unit.epoch {
            return Ok(Outcome::Dropped);
        }
        for rows in unit.rows.drain(..) {
            self.encode(open, rows.partition, &rows.batch)?;
        }
        let chunks = std::mem::take(&mut unit.chunks);
        let (rows, objects) = self.put_chunks(chunks)?;
        for (partition, batch) in rows {
            self.encode(open, partition, &batch)?;
        }
        let mut segments = Vec::with_capacity(open.files.len());
        for (_, file) in std::mem::take(&mut open.files) {
            let segment = file.finish()?;
            self.until_done("put a data file", || self.events.put(&segment))?;
            segments.push(segment);
        }
        let batches = open.trees.as_mut().map(BatchTrees::finish).unwrap_or_default();
        self.commit_dead_letters(&mut open.secrets, &unit)?;
        let attestation = match &mut self.attestor {
            Some(attestor) => {
                let before = (self.runtime.clone(), &self.dead_letters);
                Some(attestor.events(before, &unit, &segments, objects, batches)?)
            }
            None => None,
        };
        let outcome = self.commit_events(&segments, &unit, attestation.as_ref())?;
        if let Outcome::Done = outcome {
            self.metrics.events.inc_by(unit.events - unit.dead_letters.len() as u64);
            self.metrics.commits.inc();
            self.metrics.file_bytes.inc_by(segments.iter().map(|segment| segment.bytes.len() as u64).sum());
            self.metrics.commit_seconds.observe(unit.since.elapsed().as_secs_f64());
            self.committed.add(unit.advances);
        }
        Ok(outcome)
    }

    fn commit_events(
        &self,
        segments: &[Segment],
        unit: &Unit,
        attestation: Option<&Attestation>,
    ) -> Result<Outcome, ArchiverError> {
        if let Some(cluster) = self.cluster.get() {
            self.runtime.block_on(self.events.set_cluster(cluster));
        }
        let mut tries = Tries::new(&self.stop);
        loop {
            let Some(permit) = self.ownership.permit(unit.epoch) else { return Ok(Outcome::Dropped) };
            let now = (self.clock)();
            let change = Change { segments, removed: &[], advances: &unit.advances, commit_id: &unit.id, attestation };
            let result = self.runtime.block_on(self.events.change(&change, now));
            drop(permit);
            match result {
                Ok(_) => return Ok(Outcome::Done),
                Err(CommitError::Fenced { topic, partition, expected, found }) => {
                    tracing::warn!(topic, partition, ?expected, ?found, "fenced; reading on from where the log says");
                    self.metrics.fenced.inc();
                    self.ownership.ask_resync();
                    return Ok(Outcome::Dropped);
                }
                Err(CommitError::Archive(error)) => self.wait(&mut tries, "commit", error)?,
                Err(CommitError::ConcurrentRemove { .. }) => unreachable!("nothing is removed"),
            }
        }
    }

    /// Dead letters have a table and offsets of their own, and are committed first. When the process dies between the two
    /// commits, the same messages are read again, and those below the table's offset are left out.
    fn commit_dead_letters(&self, secrets: &mut Secrets, unit: &Unit) -> Result<(), ArchiverError> {
        if unit.dead_letters.is_empty() {
            return Ok(());
        }
        let mut tries = Tries::new(&self.stop);
        let id = format!("{}-dead-letters", unit.id);
        loop {
            let offsets = match self.runtime.block_on(self.dead_letters.offsets()) {
                Ok(offsets) => offsets,
                Err(error) => {
                    self.wait(&mut tries, "read the log of dead letters", error)?;
                    continue;
                }
            };
            let offset = |letter: &DeadLetter| offsets.get(&(letter.topic.clone(), letter.partition)).copied();
            let letters: Vec<DeadLetter> = unit
                .dead_letters
                .iter()
                .filter(|letter| offset(letter).is_none_or(|next| letter.offset >= next))
                .cloned()
                .collect();
            if letters.is_empty() {
                return Ok(());
            }
            let mut advances: BTreeMap<(String, i32), Advance> = BTreeMap::new();
            for letter in &letters {
                let (topic, partition, next) = (letter.topic.clone(), letter.partition, letter.offset + 1);
                let key = (topic.clone(), partition);
                let expected = offset(letter);
                let advance = advances.entry(key).or_insert(Advance { topic, partition, expected, next });
                advance.next = advance.next.max(next);
            }
            let partition = Partition { class: self.class.clone(), date: (self.clock)().days() as i32 };
            let mut file = self.start_file(Table::DeadLetters, &partition)?;
            let mut rows = dead_letter::batch(&letters);
            let mut trees = BatchTrees::new(Table::DeadLetters);
            if self.attestor.is_some() {
                rows = trees.add(&partition, &rows, &secrets.of(&partition)?)?;
            }
            file.write(&rows)?;
            let segment = file.finish()?;
            self.until_done("put dead letters", || self.dead_letters.put(&segment))?;
            let advances: Vec<Advance> = advances.into_values().collect();
            let now = (self.clock)();
            let segments = [segment];
            let attestor = self.attestor.as_ref();
            let attestation =
                attestor.map(|attestor| attestor.dead_letters(&id, &segments, trees.finish())).transpose()?;
            let change = Change {
                segments: &segments,
                removed: &[],
                advances: &advances,
                commit_id: &id,
                attestation: attestation.as_ref(),
            };
            match self.runtime.block_on(self.dead_letters.change(&change, now)) {
                Ok(_) => return Ok(()),
                // Somebody else has put some of them there: look again which are left.
                Err(CommitError::Fenced { .. } | CommitError::ConcurrentRemove { .. }) => {}
                Err(CommitError::Archive(error)) => self.wait(&mut tries, "commit dead letters", error)?,
            }
        }
    }

    /// Puts chunks into objects, one for each run of consecutive ones, and makes the rows that describe them and the digests
    /// of the objects.
    fn put_chunks(&self, chunks: Vec<PendingChunk>) -> Result<ChunkRows, ArchiverError> {
        let mut objects = Vec::new();
        let mut builders: BTreeMap<Partition, EventBatchBuilder> = BTreeMap::new();
        for run in runs(chunks) {
            let Some((first, last)) = run.first().zip(run.last()) else { continue };
            let bytes = run.iter().map(|chunk| chunk.bytes.as_slice()).collect::<Vec<_>>().concat();
            let master = MasterKeyId::of(recordings::TIER, &first.partition.class, first.partition.date);
            let span = RecordingSpan {
                session: &first.session,
                recording: &first.recording,
                first: first.seq,
                last: last.seq,
            };
            let object = self.until_done("put a recording", || {
                // Made up anew for every try: the one before may have taken both names, and its answer was lost.
                let distinction = uuid::Uuid::now_v7().to_string();
                let (archive, ring, master, span, bytes) = (&self.archive, &self.ring, &master, &span, &bytes);
                async move { recordings::put(archive, ring, master, span, bytes, &distinction).await }
            })?;
            let mut offset = 0;
            for chunk in &run {
                let position = Position { topic: &chunk.topic, partition: chunk.kafka_partition, offset: chunk.offset };
                let place = ChunkPlace { path: object.path.as_ref(), offset };
                builders.entry(chunk.partition.clone()).or_default().append(
                    &chunk.row,
                    position,
                    chunk.archived_at,
                    chunk.implausible,
                    Some(place),
                );
                offset += chunk.bytes.len() as i64;
            }
            objects.push(object.digest());
        }
        Ok((builders.into_iter().map(|(partition, mut builder)| (partition, builder.finish())).collect(), objects))
    }

    /// Does a step until it succeeds. What does not pass by itself is an error at once.
    fn until_done<T, F>(&self, doing: &'static str, mut step: impl FnMut() -> F) -> Result<T, ArchiverError>
    where
        F: Future<Output = Result<T, ArchiveError>>,
    {
        let mut tries = Tries::new(&self.stop);
        loop {
            match self.runtime.block_on(step()) {
                Ok(done) => return Ok(done),
                Err(error) => self.wait(&mut tries, doing, error)?,
            }
        }
    }

    fn wait(&self, tries: &mut Tries, doing: &'static str, error: ArchiveError) -> Result<(), ArchiverError> {
        if !passes(&error) {
            return Err(error.into());
        }
        let Some(pause) = tries.next() else { return Err(error.into()) };
        tracing::warn!(%error, doing, "the archive refused; trying again");
        self.metrics.retries.inc();
        std::thread::sleep(pause);
        Ok(())
    }
}

/// Rows that describe chunks, and the objects that hold these.
type ChunkRows = (Vec<(Partition, arrow_array::RecordBatch)>, Vec<FileDigest>);

/// The files of one epoch that are being written.
struct OpenFiles {
    epoch: u64,
    files: BTreeMap<Partition, SegmentWriter>,
    /// The hashes of their rows, where these are attested.
    trees: Option<BatchTrees>,
    secrets: Secrets,
}

impl OpenFiles {
    fn new(attested: bool) -> Self {
        let trees = attested.then(|| BatchTrees::new(Table::Events));
        Self { epoch: 0, files: BTreeMap::new(), trees, secrets: Secrets::default() }
    }

    /// Drops what belongs to another epoch.
    fn keep_epoch(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.files.clear();
        if let Some(trees) = &mut self.trees {
            trees.clear();
        }
    }
}

/// The secrets of the partitions that this process writes to. Each class and date has its own, because they are disposed of
/// apart; one secret for a whole process keeps its column small.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<Partition, Secret>);

impl Secrets {
    fn of(&mut self, partition: &Partition) -> Result<Secret, ArchiverError> {
        use rand::TryRngCore;
        if let Some(secret) = self.0.get(partition) {
            return Ok(*secret);
        }
        if self.0.len() >= MOST_SECRETS {
            self.0.clear();
        }
        let mut secret = Secret([0; 32]);
        rand::rngs::OsRng.try_fill_bytes(&mut secret.0).map_err(|error| ArchiveError::Encrypt {
            what: "the secret of a date".to_owned(),
            source: std::io::Error::other(error),
        })?;
        self.0.insert(partition.clone(), secret);
        Ok(secret)
    }
}

/// Whether an error may pass by itself. A full disk is freed and a bucket comes back; a missing holder does not appear.
fn passes(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Store { .. } | ArchiveError::Log { .. })
}

/// Splits chunks into runs of consecutive ones of one recording, filed under one date, in the order in which they came.
fn runs(chunks: Vec<PendingChunk>) -> Vec<Vec<PendingChunk>> {
    let mut runs: Vec<Vec<PendingChunk>> = Vec::new();
    let mut newest: BTreeMap<(String, String), usize> = BTreeMap::new();
    for chunk in chunks {
        let key = (chunk.session.clone(), chunk.recording.clone());
        let follows = |run: &Vec<PendingChunk>| {
            run.last().is_some_and(|last| last.seq + 1 == chunk.seq && last.partition == chunk.partition)
        };
        match newest.get(&key) {
            Some(index) if follows(&runs[*index]) => runs[*index].push(chunk),
            _ => {
                newest.insert(key, runs.len());
                runs.push(vec![chunk]);
            }
        }
    }
    runs
}

/// The pauses between tries: longer each time, without end while the process runs, for a while after it was asked to
/// stop.
struct Tries<'s> {
    stop: &'s CancellationToken,
    pause: Duration,
    stopped: Option<Instant>,
}

impl<'s> Tries<'s> {
    fn new(stop: &'s CancellationToken) -> Self {
        Self { stop, pause: FIRST_PAUSE, stopped: None }
    }

    fn next(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        if !self.stop.is_cancelled() {
            return Some(pause);
        }
        let stopped = *self.stopped.get_or_insert_with(Instant::now);
        (stopped.elapsed() < LAST_TRIES).then_some(pause.min(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::{Timestamp, decode_structured};

    fn chunk(session: &str, seq: i64, date: i32) -> PendingChunk {
        let row =
            br#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"2026-01-01T00:00:00Z"}"#;
        PendingChunk {
            partition: Partition { class: "general".to_owned(), date },
            session: session.to_owned(),
            recording: "r".to_owned(),
            seq,
            bytes: vec![0],
            row: decode_structured(row).unwrap().into_owned(),
            topic: "t".to_owned(),
            kafka_partition: 0,
            offset: 0,
            archived_at: Timestamp(0),
            implausible: false,
        }
    }

    #[test]
    fn consecutive_chunks_of_one_recording_go_together() {
        let chunks = [("a", 0, 1), ("b", 0, 1), ("a", 1, 1), ("a", 3, 1), ("a", 3, 1), ("a", 4, 2), ("b", 1, 1)];
        let runs = runs(chunks.into_iter().map(|(session, seq, date)| chunk(session, seq, date)).collect());
        let names: Vec<Vec<_>> =
            runs.iter().map(|run| run.iter().map(|chunk| (chunk.session.as_str(), chunk.seq)).collect()).collect();
        assert_eq!(
            names,
            [vec![("a", 0), ("a", 1)], vec![("b", 0), ("b", 1)], vec![("a", 3)], vec![("a", 3)], vec![("a", 4)]]
        );
    }

    #[test]
    fn tries_end_only_after_a_stop() {
        let stop = CancellationToken::new();
        let mut tries = Tries::new(&stop);
        let pauses: Vec<_> = (0..10).filter_map(|_| tries.next()).collect();
        assert_eq!((pauses.len(), pauses[0], pauses[9]), (10, FIRST_PAUSE, LONGEST_PAUSE));
        stop.cancel();
        assert!(tries.next().is_some());
        tries.stopped = Instant::now().checked_sub(LAST_TRIES);
        assert!(tries.next().is_none());
    }
}
