//! The record of a row: the bytes that are hashed. They contain the row's columns.
//!
//! ```text
//! salt (16 bytes) ‖ for every column that is not NULL, in the order of their numbers: u8 number ‖ value
//!
//! text, bytes   varint length, and the bytes          time, double   8 bytes, big-endian
//! integer       varint, zigzag                        boolean        one byte
//! ```
//!
//! Varints are those of Kafka and protobuf: seven bits a byte, the lowest first. A record leaves out topic and
//! partition, which are in the log's leaf, the object and offset of a chunk's bytes, which may change, and the secret
//! of the salts. It covers every other column, also those derived from the payload. A column that is added to a table
//! later is NULL in older rows, so their records do not change.

use crate::table::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use holdfast_events::Timestamp;
use holdfast_proof::{SALT_BYTES, Salts};

/// Columns of either table that a record leaves out.
const LEFT_OUT: [&str; 5] = ["kafka_topic", "kafka_partition", "object_path", "object_offset", "proof_secret"];

/// The columns of a batch from which records are made.
pub(crate) struct RecordColumns<'b> {
    columns: Vec<RecordColumn<'b>>,
    pub(crate) topic: &'b StringArray,
    pub(crate) partition: &'b PrimitiveArray<Int32Type>,
    pub(crate) offset: &'b PrimitiveArray<Int64Type>,
}

enum RecordColumn<'b> {
    Varying {
        number: u8,
        nulls: Option<&'b NullBuffer>,
        values: Values<'b>,
    },
    /// Adjacent columns with one value in all rows: encoded, with their numbers.
    Constant(Vec<u8>),
}

enum Values<'b> {
    Bytes { ends: &'b [i32], bytes: &'b [u8] },
    Time(&'b [i64]),
    Int32(&'b [i32]),
    Int64(&'b [i64]),
    Float64(&'b [f64]),
    Bool(&'b BooleanArray),
}

impl<'b> RecordColumns<'b> {
    /// The columns of `batch`. `None` if it does not have all columns of `table`.
    pub(crate) fn of(table: Table, batch: &'b RecordBatch) -> Option<Self> {
        let mut columns: Vec<RecordColumn<'_>> = Vec::new();
        for (number, field) in table.schema().fields().iter().enumerate() {
            if LEFT_OUT.contains(&field.name().as_str()) {
                continue;
            }
            let column = batch.column_by_name(field.name())?;
            // Most columns of a batch have no value.
            if column.null_count() == column.len() {
                continue;
            }
            let number = u8::try_from(number).ok()?;
            let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
            let values = Values::of(column)?;
            if nulls.is_some() || !values.is_constant() {
                columns.push(RecordColumn::Varying { number, nulls, values });
                continue;
            }
            let mut encoded = match columns.pop_if(|before| matches!(before, RecordColumn::Constant(_))) {
                Some(RecordColumn::Constant(before)) => before,
                _ => Vec::new(),
            };
            encoded.push(number);
            values.append(0, &mut encoded);
            columns.push(RecordColumn::Constant(encoded));
        }
        Some(Self {
            columns,
            topic: batch.column_by_name("kafka_topic")?.as_string_opt()?,
            partition: batch.column_by_name("kafka_partition")?.as_primitive_opt()?,
            offset: batch.column_by_name("kafka_offset")?.as_primitive_opt()?,
        })
    }

    /// The topic of all rows, if they have the same.
    pub(crate) fn only_topic(&self) -> Option<&'b str> {
        let topic = self.topic;
        (!topic.is_empty() && Values::of(topic)?.is_constant()).then(|| topic.value(0))
    }

    /// Appends the record of `row`.
    pub(crate) fn append(&self, row: usize, salts: &mut Salts, record: &mut Vec<u8>) {
        let salt: [u8; SALT_BYTES] = salts.salt(self.offset.value(row));
        record.extend_from_slice(&salt);
        for column in &self.columns {
            column.append(row, record);
        }
    }
}

impl RecordColumn<'_> {
    fn append(&self, row: usize, record: &mut Vec<u8>) {
        match self {
            Self::Constant(encoded) => append_bytes(encoded, 0, encoded.len(), record),
            Self::Varying { number, nulls, values } => {
                if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                    record.push(*number);
                    values.append(row, record);
                }
            }
        }
    }
}

impl<'b> Values<'b> {
    fn of(column: &'b dyn Array) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => {
                let texts = column.as_string_opt::<i32>()?;
                Self::Bytes { ends: texts.value_offsets(), bytes: texts.value_data() }
            }
            DataType::Binary => {
                let values = column.as_binary_opt::<i32>()?;
                Self::Bytes { ends: values.value_offsets(), bytes: values.value_data() }
            }
            DataType::Timestamp(..) => Self::Time(column.as_primitive_opt::<TimestampMicrosecondType>()?.values()),
            DataType::Int32 => Self::Int32(column.as_primitive_opt::<Int32Type>()?.values()),
            DataType::Int64 => Self::Int64(column.as_primitive_opt::<Int64Type>()?.values()),
            DataType::Float64 => Self::Float64(column.as_primitive_opt::<Float64Type>()?.values()),
            DataType::Boolean => Self::Bool(column.as_boolean_opt()?),
            _ => return None,
        })
    }

    fn append(&self, row: usize, record: &mut Vec<u8>) {
        match self {
            Self::Bytes { ends, bytes } => {
                let (start, end) = (ends[row] as usize, ends[row + 1] as usize);
                append_varint((end - start) as u64, record);
                append_bytes(bytes, start, end, record);
            }
            Self::Time(values) => record.extend_from_slice(&values[row].to_be_bytes()),
            Self::Int32(values) => append_varint(zigzag(i64::from(values[row])), record),
            Self::Int64(values) => append_varint(zigzag(values[row]), record),
            Self::Float64(values) => record.extend_from_slice(&values[row].to_bits().to_be_bytes()),
            Self::Bool(values) => record.push(u8::from(values.value(row))),
        }
    }

    /// Whether all rows have the same value.
    fn is_constant(&self) -> bool {
        match self {
            Self::Bytes { ends, bytes } => {
                let (first, last) = (ends[0] as usize, ends[ends.len() - 1] as usize);
                let length = ends[1] - ends[0];
                // Without an early exit and overflow checks, the compiler vectorises the comparison.
                let is_even = ends.windows(2).fold(true, |even, pair| even & (pair[1].wrapping_sub(pair[0]) == length));
                let length = length as usize;
                // If all are as long as the first, all are equal when each equals the one before it.
                is_even && bytes[first..last - length] == bytes[first + length..last]
            }
            Self::Time(values) | Self::Int64(values) => values[1..] == values[..values.len() - 1],
            Self::Int32(values) => values[1..] == values[..values.len() - 1],
            Self::Float64(values) => values.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()),
            Self::Bool(values) => values.true_count() == 0 || values.true_count() == values.len(),
        }
    }
}

/// Appends `bytes[start..end]`. Most values are short: copying a fixed length and truncating takes a few instructions,
/// while a copy of any length is a call.
#[inline]
fn append_bytes(bytes: &[u8], start: usize, end: usize, record: &mut Vec<u8>) {
    const SHORT: usize = 32;
    match bytes.get(start..).and_then(|rest| rest.first_chunk::<SHORT>()) {
        Some(more) if end - start <= SHORT => {
            let length = record.len() + (end - start);
            record.extend_from_slice(more);
            record.truncate(length);
        }
        _ => record.extend_from_slice(&bytes[start..end]),
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn append_varint(mut number: u64, record: &mut Vec<u8>) {
    while number >= 0x80 {
        record.push(number as u8 | 0x80);
        number >>= 7;
    }
    record.push(number as u8);
}

/// The contents of an event's record.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRecord {
    /// The offset.
    pub offset: i64,
    /// The attributes as text, and the payload if there is one: JSON or text as `data`, base64 of bytes as
    /// `data_base64`. Columns derived from the payload are not repeated.
    pub event: serde_json::Value,
}

/// Reads the record of an event; `None` if the bytes are not one.
pub fn read_record(record: &[u8]) -> Option<ReadRecord> {
    use base64::Engine;
    let schema = Table::Events.schema();
    let mut rest = record.get(SALT_BYTES..)?;
    let mut event = serde_json::Map::new();
    let (mut offset, mut last) = (None, None);
    while let Some((number, behind)) = rest.split_first() {
        if last.replace(*number).is_some_and(|last| last >= *number) {
            return None;
        }
        rest = behind;
        let field = schema.fields().get(usize::from(*number))?;
        let name = field.name().as_str();
        match field.data_type() {
            DataType::Utf8 => {
                let text = std::str::from_utf8(take_bytes(&mut rest)?).ok()?;
                match name {
                    "extensions" => {
                        let serde_json::Value::Object(others) = serde_json::from_str(text).ok()? else { return None };
                        event.extend(others);
                    }
                    "data" => {
                        let data = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                        event.insert(name.to_owned(), data);
                    }
                    _ if *number < ATTRIBUTES => {
                        event.insert(name.to_owned(), text.into());
                    }
                    _ => {}
                }
            }
            DataType::Binary => {
                let bytes = base64::engine::general_purpose::STANDARD.encode(take_bytes(&mut rest)?);
                event.insert("data_base64".to_owned(), bytes.into());
            }
            DataType::Timestamp(..) => {
                let time = Timestamp(i64::from_be_bytes(*take(&mut rest)?));
                if *number < ATTRIBUTES {
                    event.insert(name.to_owned(), time.to_string().into());
                }
            }
            DataType::Int32 | DataType::Int64 => {
                let zigzag = take_varint(&mut rest)?;
                if name == "kafka_offset" {
                    offset = Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
                }
            }
            DataType::Float64 => take::<8>(&mut rest).map(|_| ())?,
            DataType::Boolean => take::<1>(&mut rest).map(|_| ())?,
            _ => return None,
        }
    }
    Some(ReadRecord { offset: offset?, event: event.into() })
}

/// The number of columns that hold attributes. They are the first columns.
const ATTRIBUTES: u8 = 11;

fn take<'r, const N: usize>(rest: &mut &'r [u8]) -> Option<&'r [u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(taken)
}

fn take_bytes<'r>(rest: &mut &'r [u8]) -> Option<&'r [u8]> {
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (bytes, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(bytes)
}

/// `None` also if the encoding is not the shortest one, or the number does not fit.
fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = *take::<1>(rest)?;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::{COLUMNS, Column, EventBatchBuilder, Position, decode_structured};
    use holdfast_proof::{Hash, RecordHasher, Secret};
    use proptest::prelude::*;

    const LINE: &[u8] = br#"{"specversion":"1.0","id":"1","source":"s","type":"chat.line","subject":"x","time":"2026-01-01T00:00:00Z","ext":"e","data":{"seq":-3,"sender":"agent","text":"hello"}}"#;

    fn batch(line: &[u8], offset: i64) -> RecordBatch {
        let mut builder = EventBatchBuilder::new();
        let position = Position { topic: "t", partition: 1, offset };
        builder.append(&decode_structured(line).unwrap(), position, Timestamp(5), false, None);
        builder.finish()
    }

    fn record(batch: &RecordBatch) -> Vec<u8> {
        let mut salts = Salts::new(&Secret([3; 32]), "t", 1);
        let mut record = Vec::new();
        RecordColumns::of(Table::Events, batch).unwrap().append(0, &mut salts, &mut record);
        record
    }

    #[test]
    fn a_record_is_what_the_format_says() {
        let record = record(&batch(LINE, 300));
        let mut expected = Salts::new(&Secret([3; 32]), "t", 1).salt(300).to_vec();
        let mut text = |number: u8, text: &str| {
            expected.extend([number, text.len() as u8]);
            expected.extend(text.as_bytes());
        };
        text(0, "1");
        text(1, "s");
        text(2, "chat.line");
        text(3, "x");
        expected.push(4); // time
        expected.extend(1_767_225_600_000_000i64.to_be_bytes());
        expected.extend([11, 0, 0, 0, 0, 0, 0, 0, 5]); // archived_at
        expected.extend([14, 0xd8, 0x04]); // kafka_offset: 300, which is 600 in zigzag
        expected.extend([15, 0]); // time_implausible
        expected.extend([17, 5]); // seq: -3
        expected.extend(b"\x12\x05agent");
        expected.extend(b"\x2c\x0b{\"ext\":\"e\"}");
        expected.extend([45, 42]);
        expected.extend(br#"{"seq":-3,"sender":"agent","text":"hello"}"#);
        assert_eq!(record, expected);
        let read = read_record(&record).unwrap();
        let event = &read.event;
        assert_eq!(
            (read.offset, &event["subject"], &event["time"], &event["ext"], &event["data"]["text"]),
            (300, &"x".into(), &"2026-01-01T00:00:00.000000Z".into(), &"e".into(), &"hello".into())
        );
        assert_eq!(event.as_object().unwrap().len(), 7);
        for end in 0..record.len() {
            assert!(read_record(&record[..end]).is_none_or(|part| part != read), "{end}");
        }
    }

    #[test]
    fn every_column_is_covered_but_those_in_the_leaf_and_those_that_may_change() {
        // The numbers are part of the format: columns are added at the end and never moved.
        assert_eq!((COLUMNS[42].name, COLUMNS[47].name, COLUMNS.len()), ("operational", "proof_secret", 48));
        assert_eq!(COLUMNS[usize::from(ATTRIBUTES)].column, Column::ArchivedAt);
        let original = record(&batch(LINE, 9));
        assert_ne!(original, record(&batch(LINE, 10)));
        let text = String::from_utf8(LINE.to_vec()).unwrap();
        for (from, to) in [("hello", "hallo"), ("\"seq\":-3", "\"seq\":4"), ("agent", "customer"), ("\"e\"", "\"f\"")] {
            assert_ne!(original, record(&batch(text.replace(from, to).as_bytes(), 9)), "{from}");
        }
        // One cell at a time: the record changes with every column but five.
        let row = batch(LINE, 9);
        let covered = (0..COLUMNS.len()).filter(|column| {
            let mut columns = row.columns().to_vec();
            columns[*column] = another(row.schema().field(*column).data_type());
            let changed = RecordBatch::try_new(row.schema(), columns).unwrap();
            // The offset also changes the salt; of the others the salt is the same.
            record(&changed) != original
        });
        let uncovered: Vec<&str> = {
            let covered: Vec<usize> = covered.collect();
            (0..COLUMNS.len()).filter(|column| !covered.contains(column)).map(|column| COLUMNS[column].name).collect()
        };
        assert_eq!(uncovered, LEFT_OUT);
    }

    #[test]
    fn one_value_in_all_rows_is_detected_as_constant() {
        let is_constant = |texts: &StringArray| Values::of(texts).unwrap().is_constant();
        for texts in [&["a"][..], &["ab", "ab", "ab"], &["", ""]] {
            assert!(is_constant(&StringArray::from(texts.to_vec())), "{texts:?}");
        }
        for texts in [["ab", "ab", "ac"], ["ab", "ac", "ab"], ["aa", "a", "aaa"], ["", "", "a"]] {
            assert!(!is_constant(&StringArray::from(texts.to_vec())), "{texts:?}");
        }
        assert!(is_constant(&StringArray::from(vec!["b", "aa", "aa", "c"]).slice(1, 2)));
        let floats = |values: [f64; 2]| arrow_array::Float64Array::from(values.to_vec());
        assert!(!Values::of(&floats([0.0, -0.0])).unwrap().is_constant());
        assert!(Values::of(&floats([f64::NAN, f64::NAN])).unwrap().is_constant());
    }

    #[test]
    fn a_record_does_not_depend_on_its_neighbours() {
        let lines: Vec<String> = [("1", "a", 1), ("1", "a", 2), ("22", "a", 2), ("1", "", 2)]
            .iter()
            .map(|(id, source, seq)| {
                format!(
                    r#"{{"specversion":"1.0","id":"{id}","source":"{source}x","type":"chat.line","subject":"x","time":"2026-01-01T00:00:00Z","data":{{"seq":{seq}}}}}"#
                )
            })
            .collect();
        for rows in [&[0usize, 0, 0][..], &[0, 1], &[0, 2, 0], &[3, 0, 1, 2], &[1, 3]] {
            let mut builder = EventBatchBuilder::new();
            for row in rows {
                let position = Position { topic: "t", partition: 1, offset: 7 };
                let event = decode_structured(lines[*row].as_bytes()).unwrap();
                builder.append(&event, position, Timestamp(5), false, None);
            }
            let together = builder.finish();
            let columns = RecordColumns::of(Table::Events, &together).unwrap();
            for (place, row) in rows.iter().enumerate() {
                let (mut salts, mut found) = (Salts::new(&Secret([3; 32]), "t", 1), Vec::new());
                columns.append(place, &mut salts, &mut found);
                assert_eq!(found, record(&batch(lines[*row].as_bytes(), 7)), "{rows:?}");
            }
        }
    }

    /// A value that no column of the batch has.
    fn another(kind: &DataType) -> arrow_array::ArrayRef {
        use arrow_array::*;
        use std::sync::Arc;
        match kind {
            DataType::Utf8 => Arc::new(StringArray::from(vec!["another"])),
            DataType::Binary => Arc::new(BinaryArray::from(vec![b"another".as_slice()])),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(vec![77]).with_timezone("UTC")),
            DataType::Int32 => Arc::new(Int32Array::from(vec![77])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![77])),
            DataType::Float64 => Arc::new(Float64Array::from(vec![7.5])),
            DataType::Boolean => Arc::new(BooleanArray::from(vec![true])),
            other => panic!("a column of type {other}"),
        }
    }

    #[test]
    fn the_hash_is_that_of_a_leaf() {
        let batch = batch(LINE, 9);
        let columns = RecordColumns::of(Table::Events, &batch).unwrap();
        let (mut salts, mut hasher) = (Salts::new(&Secret([3; 32]), "t", 1), RecordHasher::default());
        hasher.add(|bytes| columns.append(0, &mut salts, bytes));
        let hash: Hash = holdfast_proof::record_hash(&record(&batch));
        assert_eq!(hasher.hashes(), [hash]);
    }

    proptest! {
        #[test]
        fn numbers_are_read_back(number: i64) {
            let mut bytes = Vec::new();
            append_varint(zigzag(number), &mut bytes);
            let mut rest = bytes.as_slice();
            let read = take_varint(&mut rest).unwrap();
            prop_assert_eq!(((read >> 1) as i64 ^ -((read & 1) as i64), rest.len()), (number, 0));
        }

        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_record(&bytes);
        }

        #[test]
        fn every_number_has_exactly_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 1..12)) {
            let mut rest = bytes.as_slice();
            if let Some(number) = take_varint(&mut rest) {
                let mut again = Vec::new();
                append_varint(number, &mut again);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
