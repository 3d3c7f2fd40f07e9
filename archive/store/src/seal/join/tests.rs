//! Which chunks are joined, and which rows are refused.

use super::*;
use holdfast_events::{ChunkPlace, EventBatchBuilder, Position, Timestamp, decode_structured};
use proptest::prelude::*;

/// A chunk: recording, number, length, object, content.
type Given = (&'static str, i64, i64, &'static str, u8);

fn batch(chunks: &[Given]) -> RecordBatch {
    let mut builder = EventBatchBuilder::new();
    for (number, (recording, seq, size, object, content)) in chunks.iter().enumerate() {
        let line = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"s","type":"recording.chunk","subject":"x","time":"2026-01-01T00:00:00Z","data":{{"recording_id":"{recording}","seq":{seq},"first_ms":0,"last_ms":1,"size":{size},"sha256":"{content:064x}"}}}}"#
        );
        let position = Position { topic: "t", partition: 0, offset: number as i64 };
        let place = ChunkPlace { path: object, offset: 0 };
        builder.append(&decode_structured(line.as_bytes()).unwrap(), position, Timestamp(0), false, Some(place));
    }
    builder.finish()
}

fn runs_of(chunks: &[Given], max_bytes: u64) -> Vec<(i64, i64, u64, Option<String>)> {
    let batches = [batch(chunks)];
    let rows = ChunkRows::of(&batches).unwrap();
    let recordings = rows.chunks.chunk_by(|one, other| rows.name(one) == rows.name(other));
    let runs = recordings.flat_map(|recording| runs(&rows, recording, max_bytes));
    runs.map(|run| (run.first, run.last, run.bytes, run.object(&rows).map(str::to_owned))).collect()
}

#[test]
fn consecutive_chunks_are_joined_up_to_the_bound() {
    let chunks =
        [("r", 2, 4, "c", 0), ("r", 0, 4, "a", 0), ("r", 1, 4, "b", 0), ("r", 4, 4, "d", 0), ("q", 0, 4, "e", 0)];
    let one = |object: &str| Some(object.to_owned());
    assert_eq!(runs_of(&chunks, 100), [(0, 0, 4, one("e")), (0, 2, 12, None), (4, 4, 4, one("d"))]);
    assert_eq!(runs_of(&chunks, 8), [(0, 0, 4, one("e")), (0, 1, 8, None), (2, 2, 4, one("c")), (4, 4, 4, one("d"))]);
}

#[test]
fn a_recording_in_one_object_is_not_joined_again() {
    let chunks = [("r", 0, 4, "a", 0), ("r", 1, 4, "a", 0), ("r", 2, 4, "a", 0)];
    assert_eq!(runs_of(&chunks, 100), [(0, 2, 12, Some("a".to_owned()))]);
}

#[test]
fn chunks_of_one_number_are_duplicates_only_if_they_are_equal() {
    let same = [("r", 0, 4, "a", 1), ("r", 0, 4, "b", 1), ("r", 1, 4, "a", 1)];
    assert_eq!(runs_of(&same, 100), [(0, 1, 8, None)]);
    let other = [("r", 0, 4, "a", 1), ("r", 0, 4, "b", 2), ("r", 1, 4, "c", 1), ("r", 1, 4, "d", 2)];
    assert_eq!(runs_of(&other, 100), [(0, 1, 8, None), (0, 1, 8, None)]);
}

#[test]
fn a_row_that_lacks_columns_of_its_chunk_is_damage() {
    let batch = batch(&[("r", 0, 4, "a", 1)]);
    let mut columns = batch.columns().to_vec();
    columns[Column::Sha256 as usize] = arrow_array::new_null_array(&arrow_schema::DataType::Utf8, 1);
    let batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
    assert!(matches!(ChunkRows::of(&[batch]), Err(ArchiveError::Damaged { .. })));
}

proptest! {
    #[test]
    fn every_chunk_is_in_exactly_one_run_of_consecutive_numbers(
        chunks in prop::collection::vec((0i64..12, 0i64..5, 0usize..4, 0u8..3), 1..40),
        max_bytes in 1u64..20,
    ) {
        let chunks: Vec<Given> = chunks
            .into_iter()
            .map(|(seq, size, object, content)| ("r", seq, size, ["a", "b", "c", "d"][object], content))
            .collect();
        let batches = [batch(&chunks)];
        let rows = ChunkRows::of(&batches).unwrap();
        let runs = runs(&rows, &rows.chunks, max_bytes);
        let mut found: Vec<ChunkRow> = runs.iter().flat_map(|run| run.chunks.iter().flatten().copied()).collect();
        found.sort_unstable_by_key(|chunk| chunk.row);
        let all: Vec<usize> = found.iter().map(|chunk| chunk.row).collect();
        prop_assert_eq!(all, (0..chunks.len()).collect::<Vec<_>>());
        for run in &runs {
            let mut end = 0;
            for (number, same) in run.chunks.iter().enumerate() {
                prop_assert!(same.iter().all(|chunk| rows.seq(chunk) == run.first + number as i64));
                prop_assert!(same.iter().all(|chunk| rows.content(chunk) == rows.content(&same[0])));
                end += rows.content(&same[0]).0;
            }
            prop_assert_eq!(run.first + run.chunks.len() as i64 - 1, run.last);
            prop_assert_eq!(run.bytes, end as u64);
            prop_assert!(run.chunks.len() == 1 || run.bytes <= max_bytes);
            let offsets: BTreeMap<usize, i64> = run.placed(&rows).map(|(chunk, offset)| (chunk.row, offset)).collect();
            prop_assert!(offsets.values().all(|offset| *offset >= 0 && *offset as u64 <= run.bytes));
        }
    }
}
