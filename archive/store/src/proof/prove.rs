//! The proof of one record: a small file that can be verified with the log's public key alone, without the archive.
//!
//! ```text
//! topic, partition, offset ─▶ its batch's leaf (entries of the Delta log) ─▶ rows of the batch ─▶ path in the batch
//!                                        └─▶ index in the log ─▶ tiles ─▶ path in the log ─▶ checkpoint
//! ```

use super::integrate::{head, read_tiles};
use super::record::RecordColumns;
use super::secrets::Secrets;
use super::sequence::{Position, Sequence};
use crate::error::ArchiveError;
use crate::keys::Unlocker;
use crate::proof::entry::get;
use crate::table::Table;
use crate::{Archive, DataFile};
use bytes::Bytes;
use holdfast_events::Timestamp;
use holdfast_proof::bundle::{EventProof, InclusionProof};
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::{Batch, Hash, Leaf, Salts, record_hash, tiles, tree};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

/// Where a record is in the archive and in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPlace {
    /// The table.
    pub table: Table,
    /// The retention class.
    pub class: String,
    /// The filing date, in days since 1970-01-01.
    pub date: i32,
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The record is in no checkpoint yet.
    #[error(
        "the record is in no checkpoint yet; wait until the proof log has been integrated, some seconds, and try again"
    )]
    Pending,
    /// No leaf of the log covers it.
    #[error("no record at this offset was attested; `holdfast verify` reports more")]
    Unattested,
    /// The records of its batch are not those that were attested.
    #[error("the records of its batch are not those that were attested; `holdfast verify` names them")]
    Changed,
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Proves the record at `place`. The caller needs the keys of all tiers of its month.
///
/// # Errors
/// See [`ProveError`].
pub async fn prove(
    archive: &Archive,
    keys: &TrustedKeys,
    unlocker: &Unlocker,
    place: &RecordPlace,
) -> Result<EventProof, ProveError> {
    let store = archive.store().as_ref();
    let head = head(store, keys).await?.ok_or(ProveError::Pending)?;
    let (index, leaf, batch) = find_leaf(archive, keys, place).await?;
    if index >= head.tree.size {
        return Err(ProveError::Pending);
    }
    let (record, number, hashes) = read_batch(archive, unlocker, place, &batch).await?;
    if tree::root(&hashes).0 != batch.root.0 {
        return Err(ProveError::Changed);
    }
    let needed = tiles::tiles_for_record(head.tree.size, index);
    let set = read_tiles(store, &needed).await?;
    let path = tiles::prove_record(&set, head.tree.size, head.tree.root, index).map_err(|error| {
        ArchiveError::Damaged { what: "the tiles of the proof log".to_owned(), why: error.to_string() }
    })?;
    Ok(EventProof {
        record,
        batch: InclusionProof {
            index: number,
            path: tree::inclusion_path(&hashes, number).ok_or(ProveError::Changed)?,
        },
        leaf,
        log: InclusionProof { index, path },
        checkpoint: head.note,
    })
}

/// The index in the log of the leaf of the record's batch, the leaf's bytes, and the batch.
async fn find_leaf(
    archive: &Archive,
    keys: &TrustedKeys,
    place: &RecordPlace,
) -> Result<(u64, String, Batch), ProveError> {
    let date = Timestamp(0).plus_days(place.date.into()).date_text();
    let mut sequence = Sequence::new(archive.store().as_ref(), keys, Position::default());
    let mut index = 0;
    while let Some(next) = sequence.next().await? {
        let Ok(attested) = next.leaves else { continue };
        if !attested.is_timely(keys, index) {
            continue;
        }
        let texts = next.entry.attestation.map(|attestation| attestation.leaves).unwrap_or_default();
        for (leaf, text) in attested.leaves.into_iter().zip(texts) {
            if let Leaf::Batch(batch) = leaf
                && batch.table == place.table.name()
                && (batch.class == place.class && batch.date == date)
                && (batch.topic == place.topic && batch.partition == place.partition)
                && (batch.first..batch.next).contains(&place.offset)
            {
                return Ok((index, text, batch));
            }
            index += 1;
        }
    }
    Err(ProveError::Unattested)
}

/// The record, its index in the batch, and the hashes of the batch.
async fn read_batch(
    archive: &Archive,
    unlocker: &Unlocker,
    place: &RecordPlace,
    batch: &Batch,
) -> Result<(Vec<u8>, u64, Vec<Hash>), ProveError> {
    let snapshot = archive.table(place.table).snapshot().await?;
    let files: Vec<DataFile> =
        snapshot.files.iter().filter(|file| file.class == place.class && file.date == place.date).cloned().collect();
    unlocker.prepare(&files).await?;
    let mut found = BatchRecords { place, batch, hashes: Vec::new(), record: None };
    for file in &files {
        let bytes = get(archive.store().as_ref(), &file.path)
            .await?
            .ok_or_else(|| ArchiveError::Damaged { what: file.path.to_string(), why: "it is missing".to_owned() })?;
        found.read(file, bytes, unlocker)?;
    }
    let BatchRecords { mut hashes, record, .. } = found;
    hashes.sort_unstable_by_key(|(offset, _)| *offset);
    let number = hashes.iter().position(|(offset, _)| *offset == place.offset).ok_or(ProveError::Unattested)?;
    let record = record.ok_or(ProveError::Unattested)?;
    Ok((record, number as u64, hashes.into_iter().map(|(_, hash)| hash).collect()))
}

/// The records of one batch, as far as its files were read.
struct BatchRecords<'b> {
    place: &'b RecordPlace,
    batch: &'b Batch,
    /// Offset and hash of each record.
    hashes: Vec<(i64, Hash)>,
    /// The record at `place`.
    record: Option<Vec<u8>>,
}

impl BatchRecords<'_> {
    /// Adds the records of the batch that are in `file`.
    fn read(&mut self, file: &DataFile, bytes: Bytes, unlocker: &Unlocker) -> Result<(), ArchiveError> {
        let (place, batch) = (self.place, self.batch);
        let failed = |source| ArchiveError::Parquet { doing: format!("read {}", file.path), source };
        let damaged = || ArchiveError::Damaged {
            what: file.path.to_string(),
            why: "it lacks columns of its table, or its secrets".to_owned(),
        };
        let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id)?);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
            .and_then(|builder| builder.build())
            .map_err(failed)?;
        let mut record = Vec::new();
        let mut secrets = Secrets::default();
        for rows in reader {
            let rows = rows.map_err(|error| failed(error.into()))?;
            let columns = RecordColumns::of(place.table, &rows).ok_or_else(damaged)?;
            let column = Secrets::column(&rows).ok_or_else(damaged)?;
            for row in 0..rows.num_rows() {
                // Every row's secret is read, because the secret may be stored in a row of another batch.
                let secret = secrets.next(column, row);
                if !(batch.first..batch.next).contains(&columns.offset.value(row))
                    || columns.partition.value(row) != batch.partition
                    || columns.topic.value(row) != batch.topic
                {
                    continue;
                }
                let mut salts = Salts::new(&secret.ok_or_else(damaged)?, &batch.topic, batch.partition);
                record.clear();
                columns.append(row, &mut salts, &mut record);
                let offset = columns.offset.value(row);
                self.hashes.push((offset, record_hash(&record)));
                if offset == place.offset {
                    self.record = Some(record.clone());
                }
            }
        }
        Ok(())
    }
}
