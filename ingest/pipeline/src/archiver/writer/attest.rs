//! Attests commits: their files, their offsets with those that Kafka did not deliver, and their batches.

use super::retry::Retry;
use crate::archiver::error::ArchiverError;
use crate::archiver::queue::{Gap, PendingCommit};
use crate::kafka::{KafkaSettings, cleanup_policy};
use holdfast_archive::proof::{Attestation, file_digests};
use holdfast_archive::segment::Segment;
use holdfast_archive::{Advance, Table, TableLog};
use holdfast_proof::note::SigningKey;
use holdfast_proof::{Commit, FileDigest, Files, Leaf, Operation, Skip, SkipReason, Span};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Attests commits.
pub(super) struct Attestor {
    key: Arc<SigningKey>,
    kafka: KafkaSettings,
    cluster: Arc<OnceLock<String>>,
    dead_letters: TableLog,
    retry: Retry,
    /// Why a topic has offsets that Kafka does not deliver, once requested from Kafka.
    reasons: BTreeMap<String, SkipReason>,
    /// The version of the log of dead letters that the last commit of events named, once known.
    dead_letters_version: Option<Option<u64>>,
}

impl Attestor {
    /// Attests with `key`. `cluster` is the Kafka cluster's id, `dead_letters` the log of that table.
    pub(super) fn new(
        key: Arc<SigningKey>,
        kafka: KafkaSettings,
        cluster: Arc<OnceLock<String>>,
        dead_letters: TableLog,
        retry: Retry,
    ) -> Self {
        Self { key, kafka, cluster, dead_letters, retry, reasons: BTreeMap::new(), dead_letters_version: None }
    }

    /// Attests a commit of dead letters.
    pub(super) fn dead_letters(
        &self,
        commit_id: &str,
        segments: &[Segment],
        batches: Vec<Leaf>,
    ) -> Result<Attestation, ArchiverError> {
        let mut leaves = vec![commit_leaf(Table::DeadLetters, commit_id, None)];
        leaves.extend(Files { add: file_digests(segments), ..Files::default() }.into_leaves());
        leaves.extend(batches);
        Ok(Attestation::sign(&self.key, &leaves)?)
    }

    /// Attests a commit of events. Its dead letters are committed before.
    pub(super) fn events(
        &mut self,
        commit: &PendingCommit,
        segments: &[Segment],
        objects: Vec<FileDigest>,
        batches: Vec<Leaf>,
    ) -> Result<Attestation, ArchiverError> {
        let version = match self.dead_letters_version {
            Some(known) if commit.dead_letters.is_empty() => known,
            _ => self.retry.until_done("read the version of the dead letters", || self.dead_letters.version())?,
        };
        self.dead_letters_version = Some(version);
        let mut leaves = vec![commit_leaf(Table::Events, &commit.id, version)];
        leaves.extend(Files { add: file_digests(segments), remove: Vec::new(), objects }.into_leaves());
        for (advance, gaps) in commit.advances.iter().zip(&commit.gaps) {
            let skipped = gaps.iter().map(|gap| self.skip(&advance.topic, *gap)).collect();
            leaves.extend(self.span(advance, skipped).into_leaves());
        }
        leaves.extend(batches);
        Ok(Attestation::sign(&self.key, &leaves)?)
    }

    fn span(&self, advance: &Advance, skipped: Vec<Skip>) -> Span {
        Span {
            cluster: self.cluster.get().cloned(),
            topic: advance.topic.clone(),
            partition: advance.partition,
            from: advance.expected,
            next: advance.next,
            skipped,
        }
    }

    fn skip(&mut self, topic: &str, gap: Gap) -> Skip {
        let why = if gap.before_first { SkipReason::BeforeFirst } else { self.reason(topic) };
        Skip { start: gap.start, end: gap.end, why }
    }

    /// Why `topic` has offsets that Kafka does not deliver. Requested from Kafka once, at the first gap.
    fn reason(&mut self, topic: &str) -> SkipReason {
        if let Some(known) = self.reasons.get(topic) {
            return *known;
        }
        match self.retry.block_on(cleanup_policy(&self.kafka, topic)) {
            Ok(policy) => {
                let is_compacted = policy.split(',').any(|word| word.trim() == "compact");
                let reason = if is_compacted { SkipReason::Compaction } else { SkipReason::Transactions };
                self.reasons.insert(topic.to_owned(), reason);
                reason
            }
            Err(error) => {
                tracing::warn!(%error, topic, "cannot read the topic's cleanup.policy; the reason of gaps is unknown");
                SkipReason::Unknown
            }
        }
    }
}

fn commit_leaf(table: Table, id: &str, dead_letters: Option<u64>) -> Leaf {
    Leaf::Commit(Commit {
        table: table.name().to_owned(),
        id: id.to_owned(),
        operation: Operation::Append,
        dead_letters,
    })
}
