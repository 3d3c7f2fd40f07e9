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
use arrow_array::{Array, RecordBatch};
use std::borrow::Cow;

/// The canonical bytes of an event.
pub fn canonical_bytes(event: &Event<'_>) -> Vec<u8> {
    let mut attributes = event.attributes();
    attributes.sort_unstable();

    let payload = event.data_bytes();
    let mut bytes = Vec::with_capacity(256 + payload.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(b"holdfast event 1\n");
    for (name, value) in attributes {
        for text in [name, &value] {
            bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes.extend_from_slice(&0u32.to_be_bytes());
    match (&event.data, payload) {
        (Data::Text(_), Some(payload)) => append_payload(&mut bytes, 1, payload),
        (Data::Binary(_), Some(payload)) => append_payload(&mut bytes, 2, payload),
        _ => bytes.push(0),
    }
    bytes
}

fn append_payload(bytes: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    bytes.push(kind);
    bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    bytes.extend_from_slice(payload);
}

/// The canonical bytes of the event in one row of a batch that has all columns of a data file. `None` where the batch
/// lacks a column or a required value, as when a tier was not decrypted.
pub fn canonical_bytes_of_row(batch: &RecordBatch, row: usize) -> Option<Vec<u8>> {
    let column = |column: Column| batch.column_by_name(COLUMNS[column as usize].name);
    let text = |name: Column| -> Option<Option<Cow<'_, str>>> {
        let array = column(name)?.as_string_opt::<i32>()?;
        Some(array.is_valid(row).then(|| Cow::Borrowed(array.value(row))))
    };
    let extensions = match text(Column::Extensions)? {
        None => Vec::new(),
        Some(json) => serde_json::from_str::<std::collections::BTreeMap<String, String>>(&json)
            .ok()?
            .into_iter()
            .map(|(name, value)| (Cow::Owned(name), Cow::Owned(value)))
            .collect(),
    };
    let binary = column(Column::DataBinary)?.as_binary_opt::<i32>()?;
    let data = match text(Column::Data)? {
        Some(text) => Data::Text(text),
        None if binary.is_valid(row) => Data::Binary(Cow::Borrowed(binary.value(row))),
        None => Data::None,
    };
    let event = Event {
        id: text(Column::Id)??,
        source: text(Column::Source)??,
        type_: text(Column::Type)??,
        subject: text(Column::Subject)??,
        time: Timestamp(column(Column::Time)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)),
        datacontenttype: text(Column::DataContentType)?,
        dataschema: text(Column::DataSchema)?,
        ticket: text(Column::Ticket)?,
        agent: text(Column::Agent)?,
        portal: text(Column::Portal)?,
        customer: text(Column::Customer)?,
        extensions,
        data,
        members: Vec::new(),
    };
    Some(canonical_bytes(&event))
}
