//! The canonical bytes of an event: one form, whatever mode it came in, that proofs are made over.
//!
//! ```text
//! "holdfast event 1\n"
//! for every attribute that is there, in the order of the names' bytes:
//!     u32 length of the name, name, u32 length of the value, value
//! u32 0                      end of the attributes
//! u8  kind of the payload    0 none, 1 text, 2 binary
//! u64 length, payload        (absent for kind 0)
//! ```
//!
//! Lengths are big-endian, texts UTF-8. `time` is RFC 3339 in UTC with six digits behind the second; `specversion` is
//! the first line's business and not an attribute here. The payload is byte for byte what came; for a recording's chunk
//! it is the chunk's metadata, which names the SHA-256 of its bytes.

use crate::event::{Data, Event};
use crate::schema::{COLUMNS, Column};
use crate::time::Timestamp;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use std::collections::BTreeMap;

const FIRST_LINE: &[u8] = b"holdfast event 1\n";

/// The canonical bytes of an event.
pub fn canonical_bytes(event: &Event<'_>) -> Vec<u8> {
    let mut attributes = event.attributes();
    attributes.sort_unstable();

    let payload = event.data_bytes();
    let mut bytes = Vec::with_capacity(256 + payload.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(FIRST_LINE);
    for (name, value) in attributes {
        append_attribute(&mut bytes, name, &value);
    }
    bytes.extend_from_slice(&0u32.to_be_bytes());
    match (&event.data, payload) {
        (Data::Text(_), Some(payload)) => append_payload(&mut bytes, 1, payload),
        (Data::Binary(_), Some(payload)) => append_payload(&mut bytes, 2, payload),
        _ => bytes.push(0),
    }
    bytes
}

fn append_attribute(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for text in [name, value] {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
}

fn append_payload(bytes: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    bytes.push(kind);
    bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// The attributes that are texts and have a column, in the order of their names.
const TEXTS: [Column; 10] = [
    Column::Agent,
    Column::Customer,
    Column::DataContentType,
    Column::DataSchema,
    Column::Id,
    Column::Portal,
    Column::Source,
    Column::Subject,
    Column::Ticket,
    Column::Type,
];

impl TextAttribute<'_> {
    fn append(&self, row: usize, bytes: &mut Vec<u8>) {
        if self.column.is_valid(row) {
            let value = self.column.value(row).as_bytes();
            bytes.extend_from_slice(&self.head);
            bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
            bytes.extend_from_slice(value);
        }
    }
}

/// The columns of a batch from which canonical bytes are made.
#[derive(Debug)]
pub struct CanonicalColumns<'b> {
    /// The attributes that any row has and that are texts, in the order of their names, which is that of the canonical bytes.
    texts: Vec<TextAttribute<'b>>,
    /// How many of them stand before `time`.
    before_time: usize,
    time: &'b PrimitiveArray<TimestampMicrosecondType>,
    extensions: &'b StringArray,
    data: &'b StringArray,
    data_binary: &'b BinaryArray,
}

#[derive(Debug)]
struct TextAttribute<'b> {
    name: &'static str,
    /// Length and bytes of the name, as they stand in the canonical bytes.
    head: Vec<u8>,
    column: &'b StringArray,
}

impl<'b> CanonicalColumns<'b> {
    /// The columns of `batch`; `None` where it lacks one.
    pub fn of(batch: &'b RecordBatch) -> Option<Self> {
        let column = |column: Column| batch.column_by_name(COLUMNS[column as usize].name);
        let mut texts = Vec::with_capacity(TEXTS.len());
        for attribute in TEXTS {
            let name = COLUMNS[attribute as usize].name;
            let column = column(attribute)?.as_string_opt::<i32>()?;
            if column.null_count() < column.len() {
                let head = [&(name.len() as u32).to_be_bytes(), name.as_bytes()].concat();
                texts.push(TextAttribute { name, head, column });
            }
        }
        Some(Self {
            before_time: texts.iter().take_while(|text| text.name < "time").count(),
            texts,
            time: column(Column::Time)?.as_primitive_opt::<TimestampMicrosecondType>()?,
            extensions: column(Column::Extensions)?.as_string_opt::<i32>()?,
            data: column(Column::Data)?.as_string_opt::<i32>()?,
            data_binary: column(Column::DataBinary)?.as_binary_opt::<i32>()?,
        })
    }

    /// Appends the canonical bytes of the event in `row`. `None` where its extensions are not an object of texts.
    pub fn append(&self, row: usize, bytes: &mut Vec<u8>) -> Option<()> {
        bytes.extend_from_slice(FIRST_LINE);
        let time = Timestamp(self.time.value(row)).text();
        if self.extensions.is_null(row) {
            let (before, behind) = self.texts.split_at(self.before_time);
            for text in before {
                text.append(row, bytes);
            }
            append_attribute(bytes, "time", time.as_str());
            for text in behind {
                text.append(row, bytes);
            }
        } else {
            let others: BTreeMap<String, String> = serde_json::from_str(self.extensions.value(row)).ok()?;
            let mut all: Vec<(&str, &str)> = vec![("time", time.as_str())];
            let there = self.texts.iter().filter(|text| text.column.is_valid(row));
            all.extend(there.map(|text| (text.name, text.column.value(row))));
            all.extend(others.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            all.sort_unstable();
            for (name, value) in all {
                append_attribute(bytes, name, value);
            }
        }
        bytes.extend_from_slice(&0u32.to_be_bytes());
        if self.data.is_valid(row) {
            append_payload(bytes, 1, self.data.value(row).as_bytes());
        } else if self.data_binary.is_valid(row) {
            append_payload(bytes, 2, self.data_binary.value(row));
        } else {
            bytes.push(0);
        }
        Some(())
    }
}

/// The canonical bytes of the event in one row of a batch that has all columns of a data file. `None` where the batch
/// lacks a column, or its extensions are not what they must be.
pub fn canonical_bytes_of_row(batch: &RecordBatch, row: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(512);
    CanonicalColumns::of(batch)?.append(row, &mut bytes)?;
    Some(bytes)
}
