//! The sealer's commits: signed, made once, and given up when another process was first.

use super::history::History;
use crate::Archive;
use crate::error::{ArchiveError, CommitError};
use crate::log::{Change, DataFile, TableLog};
use crate::proof::Attestation;
use crate::proof::entry::get;
use crate::proof::sequence::Position;
use crate::segment::Segment;
use crate::table::Table;
use holdfast_events::Timestamp;
use holdfast_proof::note::SigningKey;
use holdfast_proof::{Commit, Files, Leaf, Operation};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Attempts of one commit, and the pause before the second. Each further pause is twice as long.
const MAX_ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Commits an entry of events that changes nothing, if no entry has named the newest entries of dead letters. Their
/// leaves then enter the proof log, signed by the key that has signed them, instead of with the next event.
///
/// # Errors
/// When the store or the log cannot be reached.
pub async fn name_dead_letters(archive: &Archive, key: &SigningKey, now: Timestamp) -> Result<(), ArchiveError> {
    Commits::new(archive, key, now).name_dead_letters().await
}

/// What the commits of one run have in common.
pub(super) struct Commits<'s> {
    archive: &'s Archive,
    key: &'s SigningKey,
    pub(super) dead_letters: TableLog,
    now: Timestamp,
    started: Instant,
}

/// How a commit ended.
pub(super) enum Outcome {
    Committed,
    /// Another process was first.
    Conflict,
}

impl<'s> Commits<'s> {
    /// The commits of a run that begins at `now`.
    pub(super) fn new(archive: &'s Archive, key: &'s SigningKey, now: Timestamp) -> Self {
        Self { archive, key, dead_letters: archive.table(Table::DeadLetters), now, started: Instant::now() }
    }

    /// Commits an empty entry of events if no entry has named the newest entries of dead letters.
    pub(super) async fn name_dead_letters(&self) -> Result<(), ArchiveError> {
        let Some(newest) = self.dead_letters.version().await? else { return Ok(()) };
        let (store, events) = (self.archive.store(), self.archive.table(Table::Events));
        // Entries in a checkpoint were named. Archivers name the entries that they have read, which may be fewer.
        let checkpoint = get(store.as_ref(), &crate::paths::proof_checkpoint()).await?.unwrap_or_default();
        let lines: Vec<String> = String::from_utf8_lossy(&checkpoint).lines().map(str::to_owned).collect();
        let mut named = Position::of_lines(&lines).dead_letters;
        if let Some(version) = events.version().await? {
            let entry = History::new(Arc::clone(store), Table::Events).entry(version).await?;
            named = named.max(entry.and_then(|entry| entry.names_dead_letters()));
        }
        if named.is_none_or(|named| named < newest) {
            set_cluster(&events).await?;
            self.make(&events, &[], &[], Files::default()).await?;
        }
        Ok(())
    }

    /// Commits sealed files and the removal of the files that they replace, in one entry. `files` attests them.
    pub(super) async fn make(
        &self,
        log: &TableLog,
        segments: &[Segment],
        removed: &[DataFile],
        files: Files,
    ) -> Result<Outcome, ArchiveError> {
        let dead_letters = match log.table() {
            Table::Events => self.dead_letters.version().await?,
            Table::DeadLetters | Table::Sessions => None,
        };
        let id = uuid::Uuid::now_v7().to_string();
        let (table, operation) = (log.table().name().to_owned(), Operation::Seal);
        let commit = Leaf::Commit(Commit { table, id: id.clone(), operation, dead_letters });
        let leaves: Vec<Leaf> = std::iter::once(commit).chain(files.into_leaves()).collect();
        let attestation = Attestation::sign(self.key, &leaves)?;
        let change = Change { segments, removed, advances: &[], commit_id: &id, attestation: Some(&attestation) };
        // The grace period begins with the commit, which may be hours after the start of the run.
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now = Timestamp(self.now.0.saturating_add(elapsed));
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match log.change(&change, now).await {
                Ok(_) => break,
                Err(CommitError::ConcurrentRemove { .. }) => return Ok(Outcome::Conflict),
                Err(CommitError::Fenced { .. }) => unreachable!("no offset is moved"),
                Err(CommitError::Archive(ArchiveError::Store { .. } | ArchiveError::Log { .. }))
                    if attempt < MAX_ATTEMPTS =>
                {
                    tokio::time::sleep(pause).await;
                }
                Err(CommitError::Archive(error)) => return Err(error),
            }
            pause *= 2;
        }
        Ok(Outcome::Committed)
    }
}

/// Repeats the Kafka cluster in the sealer's entries, so that a reader that begins at one of them finds it.
pub(super) async fn set_cluster(log: &TableLog) -> Result<(), ArchiveError> {
    if let Some(cluster) = log.cluster().await? {
        log.set_cluster(&cluster).await;
    }
    Ok(())
}
