//! Files are read back with the keys, refused without them, and contain no plain text.

use super::*;
use crate::keys::{Holder, Unlocker};
use crate::{Archive, DataFile, Location};
use holdfast_events::{
    COLUMNS, EventBatchBuilder, Position, canonical_bytes, canonical_bytes_of_row, decode_structured,
};
use object_store::memory::InMemory;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::sync::Arc;

struct Fixture {
    archive: Archive,
    ring: KeyRing,
    manager: age::x25519::Identity,
    officer: age::x25519::Identity,
}

fn fixture() -> Fixture {
    let url = url::Url::parse("memory:///").unwrap();
    let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
    let (manager, officer) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let holders = vec![
        Holder { name: "manager".into(), recipient: manager.to_public(), tiers: vec![Tier::Operational] },
        Holder { name: "compliance".into(), recipient: officer.to_public(), tiers: Tier::ALL.to_vec() },
    ];
    let ring = KeyRing::new(Arc::clone(archive.store()), holders).unwrap();
    Fixture { archive, ring, manager, officer }
}

const LINE: &str = r#"{"specversion":"1.0","id":"ID-needle","source":"urn:x","type":"session.started","subject":"SUBJECT-needle","time":"2026-11-23T10:00:00Z","agent":"AGENT-needle","customer":"CUSTOMER-needle","externalkey":"EXTENSION-needle","data":{"agent_id":"a","customer_id":"c","customer_name":"NAME-needle","platform":"PLATFORM-needle","unknown":"UNKNOWN-needle"}}"#;

fn batch(rows: usize) -> RecordBatch {
    let mut builder = EventBatchBuilder::new();
    for offset in 0..rows {
        let position = Position { topic: "TOPIC-needle", partition: 0, offset: offset as i64 };
        builder.append(&decode_structured(LINE.as_bytes()).unwrap(), position, Timestamp(0), false, None);
    }
    builder.finish()
}

async fn segment(fixture: &Fixture, id: &str) -> Segment {
    let partition = Partition { class: "general".to_owned(), date: 20_780 };
    let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, id.to_owned()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    writer.write(&batch(40)).unwrap();
    writer.write(&batch(60)).unwrap();
    writer.finish().unwrap()
}

async fn unlocker(fixture: &Fixture, identities: Vec<age::x25519::Identity>) -> Unlocker {
    let unlocker = Unlocker::new(fixture.archive.clone(), identities);
    let file = DataFile {
        path: "x".into(),
        id: String::new(),
        class: "general".to_owned(),
        date: 20_780,
        rows: 0,
        size: 0,
        time: None,
    };
    unlocker.prepare(&[file]).await.unwrap();
    unlocker
}

/// Reads the columns that `wanted` names.
fn read(
    segment: &Segment,
    unlocker: &Unlocker,
    id: &str,
    wanted: &[&str],
) -> parquet::errors::Result<Vec<RecordBatch>> {
    let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(id).unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(segment.bytes.clone(), options)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().copied());
    Ok(builder.with_projection(mask).build()?.collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn a_caller_with_the_keys_reads_the_events_of_a_file() {
    let fixture = fixture();
    let segment = segment(&fixture, "one").await;
    let instant = Timestamp::parse("2026-11-23T10:00:00Z").unwrap().0;
    assert_eq!((segment.rows, segment.time), (100, Some((instant, instant))));

    let all: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let officer = unlocker(&fixture, vec![fixture.officer.clone()]).await;
    let batches = read(&segment, &officer, "one", &all).unwrap();
    let event = decode_structured(LINE.as_bytes()).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    assert_eq!(canonical_bytes_of_row(&batches[0], 7), Some(canonical_bytes(&event)));

    let manager = unlocker(&fixture, vec![fixture.manager.clone()]).await;
    assert_eq!(read(&segment, &manager, "one", &["id", "agent", "time"]).unwrap()[0].num_columns(), 3);
    for column in ["personal", "data", "extensions"] {
        assert!(read(&segment, &manager, "one", &[column]).is_err(), "{column}");
    }
    let without_identity = unlocker(&fixture, vec![]).await;
    assert!(read(&segment, &without_identity, "one", &["id"]).is_err());
}

#[tokio::test]
async fn a_file_in_the_place_of_another_is_refused() {
    let fixture = fixture();
    let segment = segment(&fixture, "one").await;
    let officer = unlocker(&fixture, vec![fixture.officer.clone()]).await;
    assert!(read(&segment, &officer, "two", &["id"]).is_err());
}

#[tokio::test]
async fn every_column_is_encrypted() {
    let fixture = fixture();
    let segment = segment(&fixture, "one").await;
    for (index, byte) in segment.bytes.windows(7).enumerate() {
        assert_ne!(byte, b"-needle", "plain text at byte {index}");
    }
    for column in COLUMNS {
        let named = segment.bytes.windows(column.name.len()).any(|window| window == column.name.as_bytes());
        // Short names occur by chance, and the footer key's metadata names its tier.
        assert!(
            !named || column.name.len() < 5 || column.name == "operational",
            "the name `{}` is in plain text",
            column.name
        );
    }
}

#[tokio::test]
async fn a_changed_byte_is_refused() {
    let fixture = fixture();
    let segment = segment(&fixture, "one").await;
    let officer = unlocker(&fixture, vec![fixture.officer.clone()]).await;
    let all: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    for at in (4..segment.bytes.len()).step_by(segment.bytes.len() / 64) {
        let mut bytes = segment.bytes.to_vec();
        bytes[at] ^= 1;
        let changed = Segment { bytes: bytes.into(), ..segment.clone() };
        let result = read(&changed, &officer, "one", &all);
        // Lengths, key metadata and the magic number are not authenticated themselves, but no row decrypts to other
        // values.
        if let Ok(batches) = result {
            let whole = canonical(&batches);
            let before = canonical(&read(&segment, &officer, "one", &all).unwrap());
            assert_eq!(whole, before, "byte {at}");
        }
    }
}

#[tokio::test]
async fn a_sealed_file_has_statistics_of_operational_columns_only() {
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
    use parquet::file::page_index::column_index::ColumnIndexMetaData;
    let fixture = fixture();
    for table in [Table::Events, Table::DeadLetters] {
        let partition = Partition { class: "general".to_owned(), date: 20_780 };
        let keys = SegmentKeys::new(&fixture.ring, table, &partition, "one".to_owned()).await.unwrap();
        let mut writer = SegmentWriter::sealed(table, partition, keys).unwrap();
        writer.write(&filled(table)).unwrap();
        let segment = writer.finish().unwrap();
        let officer = unlocker(&fixture, vec![fixture.officer.clone()]).await;
        let metadata = ParquetMetaDataReader::new()
            .with_decryption_properties(Some(officer.decryption("one").unwrap()))
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&segment.bytes)
            .unwrap();
        let columns = metadata.row_group(0).columns();
        assert_eq!(columns.len(), table.schema().fields().len());
        for (index, column) in columns.iter().enumerate() {
            let name = column.column_path().string();
            assert!(column.bloom_filter_offset().is_none(), "{name}");
            let least = column.statistics().and_then(|statistics| statistics.min_bytes_opt());
            let has_pages =
                metadata.column_index().is_some_and(|pages| !matches!(pages[0][index], ColumnIndexMetaData::NONE));
            if table.tier(index) == Tier::Operational {
                assert!(least.is_some(), "{name} has no statistics");
                assert_eq!(has_pages, FILTER_COLUMNS.contains(&name.as_str()), "{name}");
            } else {
                assert!(column.statistics().is_none(), "{name} has statistics");
                assert!(!has_pages, "{name} has statistics of its pages");
            }
        }
    }
}

/// Rows with a value in every column.
fn filled(table: Table) -> RecordBatch {
    use arrow_array::*;
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        match field.data_type() {
            arrow_schema::DataType::Utf8 => Arc::new(StringArray::from(vec!["a", "b"])),
            arrow_schema::DataType::Binary => Arc::new(BinaryArray::from(vec![&b"a"[..], b"b"])),
            arrow_schema::DataType::Int32 => Arc::new(Int32Array::from(vec![1, 2])),
            arrow_schema::DataType::Int64 => Arc::new(Int64Array::from(vec![1, 2])),
            arrow_schema::DataType::Float64 => Arc::new(Float64Array::from(vec![1.0, 2.0])),
            arrow_schema::DataType::Boolean => Arc::new(BooleanArray::from(vec![true, false])),
            _ => Arc::new(TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC")),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn canonical(batches: &[RecordBatch]) -> Vec<Vec<u8>> {
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).filter_map(|row| canonical_bytes_of_row(batch, row)))
        .collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    /// Written, encrypted, decrypted and read: the canonical bytes are those of the original events.
    #[test]
    fn canonical_bytes_survive_the_archive(
        rows in proptest::collection::vec(("\\PC{1,8}", "\\PC{0,40}", proptest::option::of("\\PC{1,8}"), 0u8..4), 1..12)
    ) {
        let lines: Vec<String> = rows
            .iter()
            .map(|(id, payload, ticket, kind)| {
                let mut event = serde_json::json!({
                    "specversion": "1.0", "id": id, "source": "s", "type": "chat.line", "subject": "x",
                    "time": "2026-11-23T10:00:00.123456+05:30", "externalkey": payload,
                });
                if let Some(ticket) = ticket {
                    event["ticket"] = ticket.as_str().into();
                }
                match kind {
                    0 => {}
                    1 => event["data"] = serde_json::json!({ "seq": 3, "sender": "agent", "text": payload }),
                    2 => event["data_base64"] = "AAECAw==".into(),
                    _ => {
                        event["datacontenttype"] = "text/plain".into();
                        event["data"] = payload.as_str().into();
                    }
                }
                event.to_string()
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let batches = runtime.block_on(async {
            let fixture = fixture();
            let partition = Partition { class: "general".to_owned(), date: 20_780 };
            let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, "one".to_owned()).await.unwrap();
            let mut builder = EventBatchBuilder::new();
            for line in &lines {
                let position = Position { topic: "t", partition: 0, offset: 0 };
                builder.append(&decode_structured(line.as_bytes()).unwrap(), position, Timestamp(0), false, None);
            }
            let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
            writer.write(&builder.finish()).unwrap();
            let segment = writer.finish().unwrap();
            let officer = unlocker(&fixture, vec![fixture.officer.clone()]).await;
            let all: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
            read(&segment, &officer, "one", &all).unwrap()
        });
        let sent: Vec<_> =
            lines.iter().map(|line| canonical_bytes(&decode_structured(line.as_bytes()).unwrap())).collect();
        proptest::prop_assert_eq!(canonical(&batches), sent);
    }
}

#[tokio::test]
async fn the_operational_key_decrypts_the_filter_of_subjects_in_the_footer() {
    use crate::Subjects;
    use parquet::file::metadata::ParquetMetaDataReader;
    let fixture = fixture();
    let partition = Partition { class: "general".to_owned(), date: 20_780 };
    let keys = SegmentKeys::new(&fixture.ring, Table::Events, &partition, "one".to_owned()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    let mut builder = EventBatchBuilder::new();
    for number in 0..1000 {
        let line = LINE.replace("SUBJECT-needle", &format!("s-{number}"));
        let position = Position { topic: "t", partition: 0, offset: number };
        builder.append(&decode_structured(line.as_bytes()).unwrap(), position, Timestamp(0), false, None);
    }
    writer.write(&builder.finish()).unwrap();
    let segment = writer.finish().unwrap();
    let footer = |unlocker: &Unlocker| {
        let reader = ParquetMetaDataReader::new().with_decryption_properties(Some(unlocker.decryption("one").unwrap()));
        reader.parse_and_finish(&segment.bytes)
    };
    let manager = footer(&unlocker(&fixture, vec![fixture.manager.clone()]).await).unwrap();
    let subjects = Subjects::in_footer(manager.file_metadata()).unwrap();
    assert!((0..1000).all(|number| subjects.may_have(&format!("s-{number}"))));
    let false_positives = (1000..3000).filter(|number| subjects.may_have(&format!("s-{number}"))).count();
    assert!(false_positives < 60, "{false_positives} of 2000");
    let event_type = decode_structured(LINE.as_bytes()).unwrap().type_.to_string();
    assert!((0..1000).all(|number| subjects.may_have_type(&format!("s-{number}"), &event_type)));
    let of_another_type = (0..1000).filter(|number| subjects.may_have_type(&format!("s-{number}"), "another")).count();
    assert!(of_another_type < 40, "{of_another_type} of 1000");
    assert!(footer(&unlocker(&fixture, Vec::new()).await).is_err());
    assert!(!segment.bytes.windows(17).any(|bytes| bytes == b"holdfast.subjects"));
    assert!(manager.row_group(0).columns().iter().all(|column| column.bloom_filter_offset().is_none()));
}
