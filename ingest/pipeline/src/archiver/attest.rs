//! What the archiver attests of its commits: the files, the offsets with what Kafka did not deliver, and the batches.

use super::ArchiverError;
use super::collect::{Gap, Unit};
use crate::kafka::{KafkaSettings, cleanup_policy};
use holdfast_archive::proof::{Attestation, file_digests};
use holdfast_archive::segment::Segment;
use holdfast_archive::{Advance, Table, TableLog};
use holdfast_proof::note::SigningKey;
use holdfast_proof::{Commit, FileDigest, Files, Leaf, Operation, Skip, SkipReason, Span};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;

/// Attests commits.
pub(super) struct Attestor {
    key: Arc<SigningKey>,
    kafka: KafkaSettings,
    cluster: Arc<OnceLock<String>>,
    /// Why a topic has offsets that are not delivered, once it was asked for.
    reasons: BTreeMap<String, SkipReason>,
    /// The version of the log of dead letters that the last commit of events named, once it is known.
    dead_letters: Option<Option<u64>>,
}

impl Attestor {
    pub(super) fn new(key: Arc<SigningKey>, kafka: KafkaSettings, cluster: Arc<OnceLock<String>>) -> Self {
        Self { key, kafka, cluster, reasons: BTreeMap::new(), dead_letters: None }
    }

    /// Attests a commit of dead letters.
    pub(super) fn dead_letters(
        &self,
        commit_id: &str,
        segments: &[Segment],
        batches: Vec<Leaf>,
    ) -> Result<Attestation, ArchiverError> {
        let mut leaves = vec![commit(Table::DeadLetters, commit_id, None)];
        leaves.extend(Files { add: file_digests(segments), ..Files::default() }.into_leaves());
        leaves.extend(batches);
        Ok(Attestation::sign(&self.key, &leaves)?)
    }

    /// Attests a commit of events. The dead letters of the same unit are committed already.
    pub(super) fn events(
        &mut self,
        (runtime, dead_letters): (Handle, &TableLog),
        unit: &Unit,
        segments: &[Segment],
        objects: Vec<FileDigest>,
        batches: Vec<Leaf>,
    ) -> Result<Attestation, ArchiverError> {
        let before = match self.dead_letters {
            Some(known) if unit.dead_letters.is_empty() => known,
            _ => runtime.block_on(dead_letters.version())?,
        };
        self.dead_letters = Some(before);
        let mut leaves = vec![commit(Table::Events, &unit.id, before)];
        leaves.extend(Files { add: file_digests(segments), remove: Vec::new(), objects }.into_leaves());
        for (advance, gaps) in unit.advances.iter().zip(&unit.gaps) {
            let skipped = gaps.iter().map(|gap| self.skip(&runtime, &advance.topic, *gap)).collect();
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

    fn skip(&mut self, runtime: &Handle, topic: &str, gap: Gap) -> Skip {
        let why = if gap.before_first { SkipReason::BeforeFirst } else { self.reason(runtime, topic) };
        Skip { start: gap.start, end: gap.end, why }
    }

    /// Why `topic` has offsets that are not delivered. Asked for once, when the first one is met.
    fn reason(&mut self, runtime: &Handle, topic: &str) -> SkipReason {
        if let Some(known) = self.reasons.get(topic) {
            return *known;
        }
        match runtime.block_on(cleanup_policy(&self.kafka, topic)) {
            Ok(policy) => {
                let is_compacted = policy.split(',').any(|word| word.trim() == "compact");
                let reason = if is_compacted { SkipReason::Compaction } else { SkipReason::Transactions };
                self.reasons.insert(topic.to_owned(), reason);
                reason
            }
            Err(error) => {
                tracing::warn!(%error, topic, "cannot ask for the topic's cleanup.policy; gaps are archived as unknown");
                SkipReason::Unknown
            }
        }
    }
}

fn commit(table: Table, id: &str, dead_letters: Option<u64>) -> Leaf {
    Leaf::Commit(Commit {
        table: table.name().to_owned(),
        id: id.to_owned(),
        operation: Operation::Append,
        dead_letters,
    })
}
