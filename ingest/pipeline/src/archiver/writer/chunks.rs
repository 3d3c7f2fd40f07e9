//! Recording chunks: puts their bytes into objects, and builds the rows that describe them.

use super::retry::Retry;
use crate::archiver::error::ArchiverError;
use crate::archiver::queue::PendingChunk;
use arrow_array::RecordBatch;
use holdfast_archive::Archive;
use holdfast_archive::keys::{KeyRing, MasterKeyId};
use holdfast_archive::recordings::{self, RecordingSpan};
use holdfast_archive::segment::Partition;
use holdfast_events::{ChunkPlace, EventBatchBuilder, Position};
use holdfast_proof::FileDigest;
use std::collections::BTreeMap;

/// Chunks whose bytes are in the store.
pub(super) struct StoredChunks {
    /// Rows that describe the chunks.
    pub(super) rows: Vec<(Partition, RecordBatch)>,
    /// Digests of the objects that contain them.
    pub(super) objects: Vec<FileDigest>,
}

/// Puts chunks into objects, one for each run of consecutive chunks.
pub(super) fn store(
    archive: &Archive,
    ring: &KeyRing,
    retry: &Retry,
    chunks: Vec<PendingChunk>,
) -> Result<StoredChunks, ArchiverError> {
    let mut objects = Vec::new();
    let mut builders: BTreeMap<Partition, EventBatchBuilder> = BTreeMap::new();
    for run in runs(chunks) {
        let Some((first, last)) = run.first().zip(run.last()) else { continue };
        let bytes = run.iter().map(|chunk| chunk.bytes.as_slice()).collect::<Vec<_>>().concat();
        let master = MasterKeyId::of(recordings::TIER, &first.partition.class, first.partition.date);
        let span =
            RecordingSpan { session: &first.session, recording: &first.recording, first: first.seq, last: last.seq };
        let object = retry.until_done("put a recording", || {
            // Each attempt generates a name of its own: an earlier one may have put both objects although it failed.
            let distinction = uuid::Uuid::now_v7().to_string();
            let (master, span, bytes) = (&master, &span, &bytes);
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
    let rows = builders.into_iter().map(|(partition, mut builder)| (partition, builder.finish())).collect();
    Ok(StoredChunks { rows, objects })
}

/// Splits chunks into runs: consecutive chunks of one recording that are filed under one date. Keeps their order.
fn runs(chunks: Vec<PendingChunk>) -> Vec<Vec<PendingChunk>> {
    let mut runs: Vec<Vec<PendingChunk>> = Vec::new();
    let mut newest: BTreeMap<(String, String), usize> = BTreeMap::new();
    for chunk in chunks {
        let key = (chunk.session.clone(), chunk.recording.clone());
        let follows = |run: &Vec<PendingChunk>| {
            run.last()
                .is_some_and(|last| last.seq.checked_add(1) == Some(chunk.seq) && last.partition == chunk.partition)
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
    fn consecutive_chunks_of_one_recording_share_an_object() {
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
    fn any_number_of_a_chunk_starts_or_continues_a_run() {
        let seqs = [i64::MAX - 1, i64::MAX, i64::MAX, i64::MIN, -1, 0, 1 << 62];
        let runs = runs(seqs.into_iter().map(|seq| chunk("a", seq, 1)).collect());
        let seqs: Vec<Vec<_>> = runs.iter().map(|run| run.iter().map(|chunk| chunk.seq).collect()).collect();
        assert_eq!(seqs, [vec![i64::MAX - 1, i64::MAX], vec![i64::MAX], vec![i64::MIN], vec![-1, 0], vec![1 << 62]]);
    }
}
