//! The data files of the next commit, and the secrets of their hashes.

use super::retry::Retry;
use crate::archiver::error::ArchiverError;
use arrow_array::RecordBatch;
use holdfast_archive::keys::KeyRing;
use holdfast_archive::proof::BatchTrees;
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::{ArchiveError, Table};
use holdfast_proof::{Leaf, Secret};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Partitions whose secrets are kept.
const MAX_SECRETS: usize = 4096;

/// Starts data files, each with data keys of its own.
pub(super) struct FileFactory {
    pub(super) ring: Arc<KeyRing>,
    pub(super) encrypt: bool,
    pub(super) retry: Retry,
}

impl FileFactory {
    pub(super) fn start(&self, table: Table, partition: &Partition) -> Result<SegmentWriter, ArchiverError> {
        let id = uuid::Uuid::now_v7().to_string();
        let keys = if self.encrypt {
            self.retry
                .until_done("generate data keys", || SegmentKeys::new(&self.ring, table, partition, id.clone()))?
        } else {
            SegmentKeys::unencrypted_for_measurement(id)
        };
        Ok(SegmentWriter::new(table, partition.clone(), keys)?)
    }
}

/// The open files of `events` of one epoch.
pub(super) struct OpenFiles {
    epoch: u64,
    files: BTreeMap<Partition, SegmentWriter>,
    /// The hashes of their rows; `None` if commits are not attested.
    trees: Option<BatchTrees>,
    pub(super) secrets: Secrets,
}

impl OpenFiles {
    pub(super) fn new(attested: bool) -> Self {
        let trees = attested.then(|| BatchTrees::new(Table::Events));
        Self { epoch: 0, files: BTreeMap::new(), trees, secrets: Secrets::default() }
    }

    /// Encodes rows into the open file of their partition.
    pub(super) fn encode(
        &mut self,
        factory: &FileFactory,
        partition: Partition,
        batch: &RecordBatch,
    ) -> Result<(), ArchiverError> {
        if !self.files.contains_key(&partition) {
            let file = factory.start(Table::Events, &partition)?;
            self.files.insert(partition.clone(), file);
        }
        let attested = match &mut self.trees {
            Some(trees) => Some(trees.add(&partition, batch, &self.secrets.of(&partition)?)?),
            None => None,
        };
        if let Some(file) = self.files.get_mut(&partition) {
            file.write(attested.as_ref().unwrap_or(batch))?;
        }
        Ok(())
    }

    /// Finishes the files one after the other and passes each to `put`.
    pub(super) fn finish(
        &mut self,
        mut put: impl FnMut(&Segment) -> Result<(), ArchiverError>,
    ) -> Result<Vec<Segment>, ArchiverError> {
        let mut segments = Vec::with_capacity(self.files.len());
        for (_, file) in std::mem::take(&mut self.files) {
            let segment = file.finish()?;
            put(&segment)?;
            segments.push(segment);
        }
        Ok(segments)
    }

    /// The leaves of the batches in the files since the last call.
    pub(super) fn take_batches(&mut self) -> Vec<Leaf> {
        self.trees.as_mut().map(BatchTrees::finish).unwrap_or_default()
    }

    /// Drops the files of another epoch.
    pub(super) fn keep_epoch(&mut self, epoch: u64) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.files.clear();
        if let Some(trees) = &mut self.trees {
            trees.clear();
        }
    }
}

/// The secrets of the partitions that this process writes to. Each class and date has its own, because they are
/// disposed of separately. One secret per process keeps the column small.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<Partition, Secret>);

impl Secrets {
    pub(super) fn of(&mut self, partition: &Partition) -> Result<Secret, ArchiverError> {
        use rand::TryRngCore;
        if let Some(secret) = self.0.get(partition) {
            return Ok(*secret);
        }
        if self.0.len() >= MAX_SECRETS {
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
