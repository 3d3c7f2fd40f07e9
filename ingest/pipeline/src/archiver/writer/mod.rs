//! The writer: encodes, encrypts, puts and commits. It is one thread, so commits follow one another.
//!
//! A step that the store fails is retried ([`retry`]) until it succeeds, the epoch ends, or the retries end after the
//! stop.

mod attest;
mod chunks;
mod dead_letters;
mod files;
mod retry;

use crate::archiver::error::ArchiverError;
use crate::archiver::queue::{PendingCommit, Work};
use crate::archiver::run::Run;
use attest::Attestor;
use chunks::StoredChunks;
use dead_letters::DeadLetterWriter;
use files::{FileFactory, OpenFiles};
use holdfast_archive::keys::KeyRing;
use holdfast_archive::proof::Attestation;
use holdfast_archive::segment::Segment;
use holdfast_archive::{Change, CommitError, Table, TableLog};
use retry::Retry;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// The writer's thread.
pub(super) struct Writer {
    events: TableLog,
    dead_letters: DeadLetterWriter,
    factory: FileFactory,
    /// Attests what is committed; `None` leaves it outside the proof log.
    attestor: Option<Attestor>,
    run: Run,
}

/// How a commit ended.
enum Outcome {
    Committed,
    /// The epoch ended, or the log has other offsets. What was read is dropped; the partition's new owner reads it
    /// again.
    Dropped,
}

impl Writer {
    /// A writer that encrypts for the holders in `ring`. Its steps run on the current runtime.
    pub(super) fn new(run: Run, ring: Arc<KeyRing>) -> Self {
        let retry = Retry::new(run.stop.clone(), run.metrics.clone());
        let dead_letters = DeadLetterWriter {
            log: run.archive.table(Table::DeadLetters),
            class: run.settings.class.clone(),
            clock: Arc::clone(&run.clock),
        };
        let attestor = run.settings.signing_key.clone().map(|key| {
            let (cluster, log) = (Arc::clone(&run.cluster), dead_letters.log.clone());
            Attestor::new(key, run.kafka.clone(), cluster, log, retry.clone())
        });
        let factory = FileFactory { ring, encrypt: run.settings.encrypt, retry };
        Self { events: run.archive.table(Table::Events), dead_letters, factory, attestor, run }
    }

    /// Runs until the intake has ended and everything that it sent is committed.
    pub(super) fn run(mut self, receiver: &Receiver<Work>) -> Result<(), ArchiverError> {
        let mut open = OpenFiles::new(self.attestor.is_some());
        while let Ok(work) = receiver.recv() {
            match work {
                Work::Rows(rows) => {
                    open.keep_epoch(rows.epoch);
                    open.encode(&self.factory, rows.partition, &rows.batch)?;
                }
                Work::Commit(commit) => {
                    open.keep_epoch(commit.epoch);
                    if let Outcome::Dropped = self.commit(&mut open, commit)? {
                        open.clear();
                    }
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, open: &mut OpenFiles, mut commit: PendingCommit) -> Result<Outcome, ArchiverError> {
        if self.run.ownership.epoch() != commit.epoch {
            return Ok(Outcome::Dropped);
        }
        for rows in commit.rows.drain(..) {
            open.encode(&self.factory, rows.partition, &rows.batch)?;
        }
        let pending = std::mem::take(&mut commit.chunks);
        let retry = &self.factory.retry;
        let StoredChunks { rows, objects } = chunks::store(&self.run.archive, &self.factory.ring, retry, pending)?;
        for (partition, batch) in rows {
            open.encode(&self.factory, partition, &batch)?;
        }
        let segments = open.finish(|segment| retry.until_done("put a data file", || self.events.put(segment)))?;
        let batches = open.take_batches();
        self.dead_letters.commit(&self.factory, &mut open.secrets, self.attestor.as_ref(), &commit)?;
        let attestation = match &mut self.attestor {
            Some(attestor) => Some(attestor.events(&commit, &segments, objects, batches)?),
            None => None,
        };
        let outcome = self.commit_events(&segments, &commit, attestation.as_ref())?;
        if let Outcome::Committed = outcome {
            let metrics = &self.run.metrics;
            metrics.events.inc_by(commit.events - commit.dead_letters.len() as u64);
            metrics.commits.inc();
            metrics.file_bytes.inc_by(segments.iter().map(|segment| segment.bytes.len() as u64).sum());
            metrics.commit_seconds.observe(commit.since.elapsed().as_secs_f64());
            self.run.archived.advance(&commit.advances);
            self.run.committed.add(commit.advances);
        }
        Ok(outcome)
    }

    fn commit_events(
        &self,
        segments: &[Segment],
        commit: &PendingCommit,
        attestation: Option<&Attestation>,
    ) -> Result<Outcome, ArchiverError> {
        let retry = &self.factory.retry;
        if let Some(cluster) = self.run.cluster.get() {
            retry.block_on(self.events.set_cluster(cluster));
        }
        let mut backoff = retry.backoff();
        loop {
            let Some(permit) = self.run.ownership.permit(commit.epoch) else { return Ok(Outcome::Dropped) };
            let now = (self.run.clock)();
            let change =
                Change { segments, removed: &[], advances: &commit.advances, commit_id: &commit.id, attestation };
            let result = retry.block_on(self.events.change(&change, now));
            drop(permit);
            match result {
                Ok(_) => return Ok(Outcome::Committed),
                Err(CommitError::Fenced { topic, partition, expected, found }) => {
                    tracing::warn!(topic, partition, ?expected, ?found, "fenced; reading again from the log's offsets");
                    self.run.metrics.fenced.inc();
                    self.run.ownership.request_resync();
                    return Ok(Outcome::Dropped);
                }
                Err(CommitError::Archive(error)) => retry.pause(&mut backoff, "commit", error)?,
                Err(CommitError::ConcurrentRemove { .. }) => unreachable!("no file is removed"),
            }
        }
    }
}
