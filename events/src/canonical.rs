//! The canonical bytes of an event: the same in every CloudEvents mode, and the same when computed from the event's
//! row. They serve to compare two events, and are not stored.
//!
//! ```text
//! "holdfast event 1\n"
//! for every attribute that is present, in the order of the names' bytes:
//!     u32 length of the name, name, u32 length of the value, value
//! u32 0                      end of the attributes
//! u8  kind of the payload    0 none, 1 text, 2 binary
//! u64 length, payload        (absent for kind 0)
//! ```
//!
//! Lengths are big-endian, texts UTF-8. `time` is written as by [`Timestamp::text`]. The first line implies
//! `specversion`, which is not an attribute here. The payload is byte for byte as received; for a recording's
//! chunk it is the chunk's metadata, which contains the SHA-256 of its bytes.

use crate::event::{Data, Event};
use crate::schema::{COLUMNS, Column};
use crate::time::Timestamp;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
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

/// The attributes of type text that have a column.
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

/// The canonical bytes of the event in one row of a batch that has all columns of a data file. `None` if the batch
/// lacks a column, or the row's extensions are not an object of strings.
pub fn canonical_bytes_of_row(batch: &RecordBatch, row: usize) -> Option<Vec<u8>> {
    let column = |column: Column| batch.column_by_name(COLUMNS[column as usize].name);
    let text = |of: Column| column(of)?.as_string_opt::<i32>();
    let time = column(Column::Time)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let mut attributes = BTreeMap::from([("time".to_owned(), Timestamp(time.value(row)).to_string())]);
    for attribute in TEXTS {
        let values = text(attribute)?;
        if values.is_valid(row) {
            attributes.insert(COLUMNS[attribute as usize].name.to_owned(), values.value(row).to_owned());
        }
    }
    let extensions = text(Column::Extensions)?;
    if extensions.is_valid(row) {
        attributes.extend(serde_json::from_str::<BTreeMap<String, String>>(extensions.value(row)).ok()?);
    }
    let (data, binary) = (text(Column::Data)?, column(Column::DataBinary)?.as_binary_opt::<i32>()?);

    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(FIRST_LINE);
    for (name, value) in &attributes {
        append_attribute(&mut bytes, name, value);
    }
    bytes.extend_from_slice(&0u32.to_be_bytes());
    if data.is_valid(row) {
        append_payload(&mut bytes, 1, data.value(row).as_bytes());
    } else if binary.is_valid(row) {
        append_payload(&mut bytes, 2, binary.value(row));
    } else {
        bytes.push(0);
    }
    Some(bytes)
}
