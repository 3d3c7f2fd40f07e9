//! The record of a row: the bytes that its hash is made over.
//!
//! ```text
//! salt (16 bytes) ‖ u64 offset ‖ event: canonical bytes             ‖ the other columns ‖ 0xff
//!                              ‖ dead letter: "holdfast dead letter 1\n"
//! a column: u8 its number in the table, then for a text or bytes u32 length and the bytes, for a number eight bytes,
//!           for a boolean one byte; absent when NULL
//! ```
//!
//! Integers are big-endian; a double is its IEEE 754 bits. Columns that the canonical bytes speak for are not repeated, topic
//! and partition stand in the log's leaf, and where a chunk's bytes lie may change; everything else that is stored is
//! covered, also what was derived from the payload. A column that is added to a table later is NULL in older rows, so their
//! records stay what they were.

use crate::table::{DEAD_LETTER_COLUMNS, Table};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::DataType;
use holdfast_events::{COLUMNS, CanonicalColumns, Column};
use holdfast_proof::{Hash, SALT_BYTES, Salts, sha256_in_place};

/// Ends the columns of a record. No table has a column of this number.
const END: u8 = 0xff;
const DEAD_LETTER_LINE: &[u8] = b"holdfast dead letter 1\n";

/// Columns of events that a record does not repeat, or does not cover.
const NOT_REPEATED: [Column; 20] = [
    Column::Id,
    Column::Source,
    Column::Type,
    Column::Subject,
    Column::Time,
    Column::Ticket,
    Column::Agent,
    Column::Portal,
    Column::Customer,
    Column::DataContentType,
    Column::DataSchema,
    Column::Extensions,
    Column::Data,
    Column::DataBinary,
    Column::KafkaTopic,
    Column::KafkaPartition,
    Column::KafkaOffset,
    Column::ObjectPath,
    Column::ObjectOffset,
    Column::ProofSecret,
];

/// The columns of a batch from which records are made.
pub(crate) struct RecordColumns<'b> {
    event: Option<CanonicalColumns<'b>>,
    others: Vec<(u8, Values<'b>)>,
    pub(crate) topic: &'b StringArray,
    pub(crate) partition: &'b PrimitiveArray<Int32Type>,
    pub(crate) offset: &'b PrimitiveArray<Int64Type>,
}

enum Values<'b> {
    Text(&'b StringArray),
    Binary(&'b BinaryArray),
    Time(&'b PrimitiveArray<TimestampMicrosecondType>),
    Int32(&'b PrimitiveArray<Int32Type>),
    Int64(&'b PrimitiveArray<Int64Type>),
    Float64(&'b PrimitiveArray<Float64Type>),
    Bool(&'b arrow_array::BooleanArray),
}

impl<'b> RecordColumns<'b> {
    /// The columns of `batch`, which has the columns of `table`. `None` where it does not have them all.
    pub(crate) fn of(table: Table, batch: &'b RecordBatch) -> Option<Self> {
        let (event, numbers): (_, Vec<(usize, &str)>) = match table {
            Table::Events => {
                let others = COLUMNS.iter().filter(|spec| !NOT_REPEATED.contains(&spec.column));
                (Some(CanonicalColumns::of(batch)?), others.map(|spec| (spec.column as usize, spec.name)).collect())
            }
            Table::DeadLetters => {
                let all = DEAD_LETTER_COLUMNS.iter().enumerate().map(|(number, (name, _))| (number, *name));
                let hidden = ["kafka_topic", "kafka_partition", "kafka_offset", "proof_secret"];
                (None, all.filter(|(_, name)| !hidden.contains(name)).collect())
            }
        };
        let mut others = Vec::with_capacity(numbers.len());
        for (number, name) in numbers {
            let column = batch.column_by_name(name)?;
            // Most columns of a batch have no value at all.
            if column.null_count() < column.len() {
                others.push((number as u8, Values::of(column)?));
            }
        }
        Some(Self {
            event,
            others,
            topic: batch.column_by_name("kafka_topic")?.as_string_opt()?,
            partition: batch.column_by_name("kafka_partition")?.as_primitive_opt()?,
            offset: batch.column_by_name("kafka_offset")?.as_primitive_opt()?,
        })
    }

    /// Puts the record of `row` into `record`. `None` where the row's extensions are not an object of texts.
    pub(crate) fn write(&self, row: usize, salts: &mut Salts, record: &mut Vec<u8>) -> Option<()> {
        record.clear();
        self.append(row, salts, record)
    }

    fn append(&self, row: usize, salts: &mut Salts, record: &mut Vec<u8>) -> Option<()> {
        let offset = self.offset.value(row);
        let salt: [u8; SALT_BYTES] = salts.salt(offset);
        record.extend_from_slice(&salt);
        record.extend_from_slice(&offset.to_be_bytes());
        match &self.event {
            Some(event) => event.append(row, record)?,
            None => record.extend_from_slice(DEAD_LETTER_LINE),
        }
        for (number, values) in &self.others {
            values.append(*number, row, record);
        }
        record.push(END);
        Some(())
    }

    /// The hash of the record of `row`: RFC 6962, section 2.1. `scratch` saves an allocation.
    pub(crate) fn hash(&self, row: usize, salts: &mut Salts, scratch: &mut Vec<u8>) -> Option<Hash> {
        scratch.clear();
        scratch.push(0);
        self.append(row, salts, scratch)?;
        Some(Hash(sha256_in_place(scratch)))
    }
}

impl<'b> Values<'b> {
    fn of(column: &'b dyn Array) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string_opt()?),
            DataType::Binary => Self::Binary(column.as_binary_opt()?),
            DataType::Timestamp(..) => Self::Time(column.as_primitive_opt()?),
            DataType::Int32 => Self::Int32(column.as_primitive_opt()?),
            DataType::Int64 => Self::Int64(column.as_primitive_opt()?),
            DataType::Float64 => Self::Float64(column.as_primitive_opt()?),
            DataType::Boolean => Self::Bool(column.as_boolean_opt()?),
            _ => return None,
        })
    }

    fn append(&self, number: u8, row: usize, record: &mut Vec<u8>) {
        let mut number_of = |value: [u8; 8]| {
            record.push(number);
            record.extend_from_slice(&value);
        };
        match self {
            Self::Text(values) if values.is_valid(row) => append_bytes(number, values.value(row).as_bytes(), record),
            Self::Binary(values) if values.is_valid(row) => append_bytes(number, values.value(row), record),
            Self::Time(values) if values.is_valid(row) => number_of(values.value(row).to_be_bytes()),
            Self::Int32(values) if values.is_valid(row) => number_of(i64::from(values.value(row)).to_be_bytes()),
            Self::Int64(values) if values.is_valid(row) => number_of(values.value(row).to_be_bytes()),
            Self::Float64(values) if values.is_valid(row) => number_of(values.value(row).to_be_bytes()),
            Self::Bool(values) if values.is_valid(row) => record.extend_from_slice(&[number, values.value(row).into()]),
            _ => {}
        }
    }
}

fn append_bytes(number: u8, value: &[u8], record: &mut Vec<u8>) {
    record.push(number);
    record.extend_from_slice(&(value.len() as u32).to_be_bytes());
    record.extend_from_slice(value);
}

/// What an event's record says.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecord {
    /// The offset.
    pub offset: i64,
    /// The attributes as text, and `data` where there is one: JSON, text, or base64 of bytes as `data_base64`.
    pub event: serde_json::Value,
}

/// Reads the record of an event; `None` where the bytes are none.
pub fn read_record(record: &[u8]) -> Option<ReadRecord> {
    use base64::Engine;
    let (offset, rest) = record.get(SALT_BYTES..)?.split_first_chunk::<8>()?;
    let mut rest = rest.strip_prefix(b"holdfast event 1\n".as_slice())?;
    let mut event = serde_json::Map::new();
    loop {
        let name = take_text(&mut rest)?;
        if name.is_empty() {
            break;
        }
        event.insert(name.to_owned(), take_text(&mut rest)?.into());
    }
    let (kind, behind) = rest.split_first()?;
    if *kind != 0 {
        let (length, behind) = behind.split_first_chunk::<8>()?;
        let payload = behind.get(..usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        match (kind, std::str::from_utf8(payload)) {
            (1, Ok(text)) => {
                event.insert("data".to_owned(), serde_json::from_str(text).unwrap_or_else(|_| text.into()));
            }
            _ => {
                let text = base64::engine::general_purpose::STANDARD.encode(payload);
                event.insert("data_base64".to_owned(), text.into());
            }
        }
    }
    Some(ReadRecord { offset: i64::from_be_bytes(*offset), event: event.into() })
}

fn take_text<'r>(rest: &mut &'r [u8]) -> Option<&'r str> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (text, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::{EventBatchBuilder, Position, Timestamp, canonical_bytes, decode_structured};
    use holdfast_proof::Secret;

    const LINE: &[u8] = br#"{"specversion":"1.0","id":"1","source":"s","type":"chat.line","subject":"x","time":"2026-01-01T00:00:00Z","ext":"e","data":{"seq":3,"sender":"agent","text":"hello"}}"#;

    fn batch(line: &[u8], offset: i64) -> RecordBatch {
        let mut builder = EventBatchBuilder::new();
        let position = Position { topic: "t", partition: 1, offset };
        builder.append(&decode_structured(line).unwrap(), position, Timestamp(5), false, None);
        builder.finish()
    }

    #[test]
    fn a_record_is_what_the_format_says() {
        let batch = batch(LINE, 9);
        let mut salts = Salts::new(&Secret([3; 32]), "t", 1);
        let mut record = Vec::new();
        let columns = RecordColumns::of(Table::Events, &batch).unwrap();
        columns.write(0, &mut salts, &mut record).unwrap();
        let hash = columns.hash(0, &mut salts, &mut Vec::new()).unwrap();
        assert_eq!(hash, holdfast_proof::record_hash(&record));
        let mut expected = salts.salt(9).to_vec();
        expected.extend_from_slice(&9u64.to_be_bytes());
        expected.extend_from_slice(&canonical_bytes(&decode_structured(LINE).unwrap()));
        expected.extend_from_slice(&[11, 0, 0, 0, 0, 0, 0, 0, 5]); // archived_at
        expected.extend_from_slice(&[15, 0]); // time_implausible
        expected.extend_from_slice(&[17, 0, 0, 0, 0, 0, 0, 0, 3]); // seq
        expected.extend_from_slice(&[18, 0, 0, 0, 5]); // sender
        expected.extend_from_slice(b"agent\xff");
        assert_eq!(record, expected);
        let read = read_record(&record).unwrap();
        assert_eq!(
            (read.offset, &read.event["subject"], &read.event["data"]["text"]),
            (9, &"x".into(), &"hello".into())
        );
        assert_eq!(read_record(&record[..60]), None);
    }

    #[test]
    fn every_column_is_covered_but_those_that_stand_elsewhere_or_may_change() {
        // The numbers are part of the format: columns are added at the end and never moved.
        assert_eq!((COLUMNS[42].name, COLUMNS[47].name, COLUMNS.len()), ("operational", "proof_secret", 48));
        assert!(COLUMNS.len() < usize::from(END));
        let hash = |line: &[u8], offset| {
            let mut salts = Salts::new(&Secret([3; 32]), "t", 1);
            RecordColumns::of(Table::Events, &batch(line, offset))
                .unwrap()
                .hash(0, &mut salts, &mut Vec::new())
                .unwrap()
        };
        let text = String::from_utf8(LINE.to_vec()).unwrap();
        let original = hash(LINE, 9);
        assert_ne!(original, hash(LINE, 10));
        for (from, to) in [("hello", "hallo"), ("\"seq\":3", "\"seq\":4"), ("agent", "customer"), ("\"e\"", "\"f\"")] {
            assert_ne!(original, hash(text.replace(from, to).as_bytes(), 9), "{from}");
        }
    }
}
