//! Alterations by an insider who understands the archive and has some of its keys. Each is found and named.

use super::fixture::{DATE, Draft, EVENTS, Fixture, NOW, kinds, partition, signing_key};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use holdfast_archive::segment::{SegmentKeys, SegmentWriter};
use holdfast_archive::verify::Kind;
use holdfast_archive::{Advance, Change, Table};
use holdfast_events::{EventBatchBuilder, Position, decode_structured};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::sync::Arc;

/// The file with the most rows.
async fn largest(fixture: &Fixture) -> holdfast_archive::DataFile {
    let snapshot = fixture.archive.table(Table::Events).snapshot().await.unwrap();
    snapshot.files.iter().max_by_key(|file| file.rows).unwrap().clone()
}

async fn rows_of(fixture: &Fixture, file: &holdfast_archive::DataFile) -> RecordBatch {
    let unlocker = fixture.unlocker();
    unlocker.prepare(std::slice::from_ref(file)).await.unwrap();
    let bytes = bytes::Bytes::from(fixture.read(file.path.as_ref()).await);
    let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id).unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
    let mut reader = builder.with_batch_size(1 << 20).build().unwrap();
    reader.next().unwrap().unwrap()
}

/// Writes other rows in a file's place: well-formed, encrypted to the right keys, under the right id.
async fn rewrite(fixture: &Fixture, file: &holdfast_archive::DataFile, rows: &RecordBatch) {
    let partition = partition(file.date);
    let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, file.id.clone()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    writer.write(rows).unwrap();
    let segment = writer.finish().unwrap();
    fixture.write(file.path.as_ref(), segment.bytes.to_vec()).await;
}

fn with_column(rows: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[rows.schema().index_of(name).unwrap()] = column;
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

/// An event that no producer sent, encrypted to the archive's public keys.
async fn forged(fixture: &Fixture) -> holdfast_archive::segment::Segment {
    let json = br#"{"specversion":"1.0","id":"forged","source":"urn:test","type":"survey.submitted","subject":"s-1","time":"2026-11-23T12:00:00Z","data":{"rating":5}}"#;
    let mut builder = EventBatchBuilder::new();
    let offset = fixture.next[&(EVENTS.to_owned(), 0)];
    let position = Position { topic: EVENTS, partition: 0, offset };
    builder.append(&decode_structured(json).unwrap(), position, NOW, false, None);
    fixture.file(&fixture.archive.table(Table::Events), &partition(DATE), &builder.finish()).await
}

#[tokio::test]
async fn an_event_under_a_stolen_public_key_is_found() {
    let fixture = Fixture::whole().await;
    let altered = fixture.copy().await;
    let segment = forged(&altered).await;
    let log = altered.archive.table(Table::Events);
    log.commit(&[segment], &[], "forged", NOW).await.unwrap();
    // The integrator does not integrate it, and reports it.
    let done = altered.integrator("two").finish(NOW).await.unwrap();
    assert_eq!((done.leaves, done.unattested.len()), (0, 1));
    let report = altered.verify().await;
    assert_eq!(kinds(&report), [Kind::Unattested, Kind::RecordAdded]);
    let added = report.findings.iter().find(|finding| finding.kind == Kind::RecordAdded).unwrap();
    assert_eq!(added.events, ["forged"]);
}

#[tokio::test]
async fn a_commit_signed_by_an_untrusted_key_is_found() {
    let fixture = Fixture::whole().await;
    for name in ["holdfast/test", "holdfast/other"] {
        let mut altered = fixture.copy().await;
        let mut draft = Draft::default();
        altered.chat(&mut draft, 0, DATE, 901, "never said");
        altered.commit_signed(draft, Some(signing_key(name, 9))).await;
        altered.integrator("two").finish(NOW).await.unwrap();
        let report = altered.verify().await;
        assert_eq!(kinds(&report), [Kind::Unattested, Kind::RecordAdded], "{name}");
    }
}

#[tokio::test]
async fn an_attestation_that_is_used_twice_is_found() {
    let fixture = Fixture::whole().await;
    let altered = fixture.copy().await;
    let entry = |version: u64| format!("tables/events/_delta_log/{version:020}.json");
    // The newest entry once more, with its true signature.
    let again = altered.read(&entry(3)).await;
    altered.write(&entry(4), again).await;
    altered.integrator("two").finish(NOW).await.unwrap();
    let report = altered.verify().await;
    assert!(
        report.findings.iter().any(|finding| finding.what.contains("repeats the commit")),
        "{:#?}",
        report.findings
    );
    assert!(kinds(&report).contains(&Kind::SpansDisjoint));
}

#[tokio::test]
async fn a_changed_record_is_found_with_the_keys_and_narrowed_down() {
    let fixture = Fixture::whole().await;
    let file = largest(&fixture).await;
    let rows = rows_of(&fixture, &file).await;
    let row = (0..rows.num_rows())
        .find(|row| rows.column_by_name("kafka_offset").unwrap().as_primitive::<Int64Type>().value(*row) == 300)
        .unwrap();
    // The payload, and a column derived from it: queries read the column.
    let data = rows.column_by_name("data").unwrap().as_string::<i32>();
    let other: StringArray = (0..data.len())
        .map(|at| Some(if at == row { data.value(at).replace("hello", "goodbye") } else { data.value(at).to_owned() }))
        .collect();
    let seq = rows.column_by_name("seq").unwrap().as_primitive::<Int64Type>();
    let numbers: Int64Array = (0..seq.len()).map(|at| Some(if at == row { 7 } else { seq.value(at) })).collect();
    let senders: StringArray = (0..data.len()).map(|at| Some(if at == row { "customer" } else { "agent" })).collect();
    let columns: [(&str, ArrayRef); 3] =
        [("data", Arc::new(other)), ("seq", Arc::new(numbers)), ("sender", Arc::new(senders))];
    for (name, column) in columns {
        let altered = fixture.copy().await;
        rewrite(&altered, &file, &with_column(&rows, name, column)).await;
        let report = altered.verify().await;
        assert_eq!(kinds(&report), [Kind::FileChanged, Kind::RecordsChanged], "{name}");
        let changed = report.findings.iter().find(|finding| finding.kind == Kind::RecordsChanged).unwrap();
        // Offset 300 is in the second 256 records of its batch.
        assert_eq!(changed.offsets, Some((256, 512)));
        assert_eq!(changed.file.as_deref(), Some(file.path.as_ref()));
        // A column that does not match its payload shows which record was changed. A changed payload does not, so its
        // whole group is named.
        let is_named = changed.events == ["e-300"];
        let is_among = changed.events.len() == 256 && changed.events.iter().any(|event| event == "e-300");
        assert!(if name == "data" { is_among } else { is_named }, "{name}: {:?}", changed.events);
    }
}

#[tokio::test]
async fn a_removed_or_duplicated_record_is_found() {
    let fixture = Fixture::whole().await;
    let file = largest(&fixture).await;
    let rows = rows_of(&fixture, &file).await;
    let join = |parts: &[RecordBatch]| arrow_select::concat::concat_batches(&rows.schema(), parts).unwrap();
    let without = join(&[rows.slice(0, 100), rows.slice(101, rows.num_rows() - 101)]);
    let offset = rows.column_by_name("kafka_offset").unwrap().as_primitive::<Int64Type>().value(100);
    let altered = fixture.copy().await;
    rewrite(&altered, &file, &without).await;
    let report = altered.verify().await;
    let missing: Vec<_> = report.findings.iter().filter(|finding| finding.kind == Kind::OffsetsMissing).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].offsets, Some((offset, offset + 1)));

    let altered = fixture.copy().await;
    rewrite(&altered, &file, &join(&[rows.clone(), rows.slice(100, 1)])).await;
    let report = altered.verify().await;
    let repeated = report.findings.iter().find(|finding| finding.kind == Kind::RecordRepeated).unwrap();
    assert_eq!(repeated.offsets, Some((offset, offset + 1)));
}

#[tokio::test]
async fn a_log_that_was_forked_by_its_own_key_is_found_by_the_mirror() {
    // The signing key can sign another history. The checkpoints that others kept of the first reveal it.
    let mut other = Fixture::new();
    let fixture = Fixture::whole().await;
    other.mirror = Arc::clone(&fixture.mirror);
    let mut draft = Draft::default();
    for number in 0..50 {
        other.chat(&mut draft, 0, DATE, number, "another history");
    }
    other.commit_signed(draft, Some(Arc::clone(&other.key))).await;
    other.integrator("fork").finish(NOW).await.unwrap();
    let report = other.verify().await;
    assert_eq!(kinds(&report), [Kind::Fork]);
}

#[tokio::test]
async fn a_checkpoint_of_another_key_is_found() {
    let fixture = Fixture::whole().await;
    for name in ["holdfast/test", "holdfast/other"] {
        let altered = fixture.copy().await;
        let note = String::from_utf8(altered.read("proof/checkpoint").await).unwrap();
        let tree = fixture.trusted.open(&note, holdfast_proof::note::Purpose::Checkpoint).unwrap().tree;
        let tree = holdfast_proof::note::SignedTree { origin: name.to_owned(), ..tree };
        let note = tree.sign(&signing_key(name, 9)).unwrap();
        altered.write("proof/checkpoint", note.into_bytes()).await;
        assert!(kinds(&altered.verify().await).contains(&Kind::Checkpoint), "{name}");
    }
}

#[tokio::test]
async fn a_replaced_public_key_is_found() {
    let fixture = Fixture::whole().await;
    let altered = fixture.copy().await;
    let stranger = age::x25519::Identity::generate().to_public().to_string();
    let path = "keys/content/general/2026-11.pub";
    altered.write(path, format!("{stranger}\n").into_bytes()).await;
    // Found with the keys, and without them by the header of the private half.
    let without = Arc::new(holdfast_archive::keys::Unlocker::new(altered.archive.clone(), Vec::new()));
    for report in [altered.verify().await, altered.verify_with(Default::default(), without).await] {
        let found = report.findings.iter().find(|finding| finding.kind == Kind::Key).unwrap();
        assert_eq!((found.file.as_deref(), found.found.as_deref()), (Some(path), Some(stranger.as_str())));
    }
}

#[tokio::test]
async fn an_offset_advanced_without_its_events_is_found() {
    let fixture = Fixture::whole().await;
    let altered = fixture.copy().await;
    let log = altered.archive.table(Table::Events);
    let at = altered.next[&(EVENTS.to_owned(), 0)];
    let advance = Advance { topic: EVENTS.to_owned(), partition: 0, expected: Some(at), next: at + 50 };
    let change = Change { segments: &[], removed: &[], advances: &[advance], commit_id: "skip", attestation: None };
    log.change(&change, NOW).await.unwrap();
    altered.integrator("two").finish(NOW).await.unwrap();
    assert_eq!(kinds(&altered.verify().await), [Kind::Unattested]);
}

#[tokio::test]
async fn an_unattested_removal_of_files_is_found() {
    let fixture = Fixture::whole().await;
    let altered = fixture.copy().await;
    let log = altered.archive.table(Table::Events);
    let removed = [largest(&altered).await];
    let change = Change { segments: &[], removed: &removed, advances: &[], commit_id: "removed", attestation: None };
    log.change(&change, NOW).await.unwrap();
    let report = altered.verify().await;
    assert!(kinds(&report).contains(&Kind::Unattested) && kinds(&report).contains(&Kind::OffsetsMissing));
}
