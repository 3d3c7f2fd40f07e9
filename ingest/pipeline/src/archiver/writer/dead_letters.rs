//! Commits dead letters. They have a table and offsets of their own, and are committed before the events of the same
//! commit.
//!
//! If the process stops between the two commits, the same messages are read again; those below the table's offset are
//! then left out.

use super::attest::Attestor;
use super::files::{FileFactory, Secrets};
use crate::archiver::dead_letter::{self, DeadLetter};
use crate::archiver::error::ArchiverError;
use crate::archiver::queue::PendingCommit;
use crate::clock::Clock;
use holdfast_archive::log::TopicPartition;
use holdfast_archive::proof::BatchTrees;
use holdfast_archive::segment::Partition;
use holdfast_archive::{Advance, Change, CommitError, Table, TableLog};
use std::collections::BTreeMap;

/// Writes the table `dead_letters`.
pub(super) struct DeadLetterWriter {
    pub(super) log: TableLog,
    /// The retention class.
    pub(super) class: String,
    pub(super) clock: Clock,
}

impl DeadLetterWriter {
    /// Commits the dead letters of `commit` that the table does not have yet.
    pub(super) fn commit(
        &self,
        factory: &FileFactory,
        secrets: &mut Secrets,
        attestor: Option<&Attestor>,
        commit: &PendingCommit,
    ) -> Result<(), ArchiverError> {
        if commit.dead_letters.is_empty() {
            return Ok(());
        }
        let retry = &factory.retry;
        let mut backoff = retry.backoff();
        let id = format!("{}-dead-letters", commit.id);
        loop {
            let offsets = match retry.block_on(self.log.offsets()) {
                Ok(offsets) => offsets,
                Err(error) => {
                    retry.pause(&mut backoff, "read the log of dead letters", error)?;
                    continue;
                }
            };
            let letters = missing(&commit.dead_letters, &offsets);
            if letters.is_empty() {
                return Ok(());
            }
            let advances = advances(&letters, &offsets);
            let partition = Partition { class: self.class.clone(), date: (self.clock)().days() as i32 };
            let mut file = factory.start(Table::DeadLetters, &partition)?;
            let mut rows = dead_letter::batch(&letters);
            let mut trees = BatchTrees::new(Table::DeadLetters);
            if attestor.is_some() {
                rows = trees.add(&partition, &rows, &secrets.of(&partition)?)?;
            }
            file.write(&rows)?;
            let segment = file.finish()?;
            retry.until_done("put dead letters", || self.log.put(&segment))?;
            let now = (self.clock)();
            let segments = [segment];
            let attestation =
                attestor.map(|attestor| attestor.dead_letters(&id, &segments, trees.finish())).transpose()?;
            let change = Change {
                segments: &segments,
                removed: &[],
                advances: &advances,
                commit_id: &id,
                attestation: attestation.as_ref(),
            };
            match retry.block_on(self.log.change(&change, now)) {
                Ok(_) => return Ok(()),
                // Another archiver has committed some of them: read the offsets again.
                Err(CommitError::Fenced { .. } | CommitError::ConcurrentRemove { .. }) => {}
                Err(CommitError::Archive(error)) => retry.pause(&mut backoff, "commit dead letters", error)?,
            }
        }
    }
}

/// The dead letters at or behind the table's offsets.
fn missing(letters: &[DeadLetter], offsets: &BTreeMap<TopicPartition, i64>) -> Vec<DeadLetter> {
    let is_missing = |letter: &&DeadLetter| offset_of(letter, offsets).is_none_or(|next| letter.offset >= next);
    letters.iter().filter(is_missing).cloned().collect()
}

/// How far a commit of `letters` moves the table's offsets.
fn advances(letters: &[DeadLetter], offsets: &BTreeMap<TopicPartition, i64>) -> Vec<Advance> {
    let mut advances: BTreeMap<TopicPartition, Advance> = BTreeMap::new();
    for letter in letters {
        let (topic, partition, next) = (letter.topic.clone(), letter.partition, letter.offset + 1);
        let key = (topic.clone(), partition);
        let expected = offset_of(letter, offsets);
        let advance = advances.entry(key).or_insert(Advance { topic, partition, expected, next });
        advance.next = advance.next.max(next);
    }
    advances.into_values().collect()
}

/// The table's next offset in the partition of `letter`.
fn offset_of(letter: &DeadLetter, offsets: &BTreeMap<TopicPartition, i64>) -> Option<i64> {
    offsets.get(&(letter.topic.clone(), letter.partition)).copied()
}
