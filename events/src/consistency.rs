//! Whether a row's columns follow from its attributes and its payload.
//!
//! ```text
//! row ─▶ attributes and payload ─▶ event ─▶ columns again ─▶ the same?
//! ```
//!
//! Rows of an older version may have other columns than this version derives. So this check only narrows down a change
//! that was found otherwise; alone it proves nothing.

use crate::batch::{ChunkPlace, EventBatchBuilder, Position};
use crate::decode::decode_structured;
use crate::event::{Data, Event};
use crate::schema::{COLUMNS, Column};
use crate::time::Timestamp;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Whether the columns of a row follow from its attributes and its payload. `None` if the batch lacks columns.
pub fn is_consistent(batch: &RecordBatch, row: usize) -> Option<bool> {
    let column = |column: Column| batch.column_by_name(COLUMNS[column as usize].name);
    let text = |name: Column| -> Option<Option<&str>> {
        let array = column(name)?.as_string_opt::<i32>()?;
        Some(array.is_valid(row).then(|| array.value(row)))
    };
    let time = |name: Column| Some(Timestamp(column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)));
    let own = |name: Column| Some(text(name)?.map(Cow::Borrowed));
    let extensions: BTreeMap<String, String> = match text(Column::Extensions)? {
        None => BTreeMap::new(),
        Some(json) => match serde_json::from_str(json) {
            Ok(extensions) => extensions,
            Err(_) => return Some(false),
        },
    };
    let binary = column(Column::DataBinary)?.as_binary_opt::<i32>()?;
    let data = match text(Column::Data)? {
        Some(text) => Data::Text(Cow::Borrowed(text)),
        None if binary.is_valid(row) => Data::Binary(Cow::Borrowed(binary.value(row))),
        None => Data::None,
    };
    let event = Event {
        id: Cow::Borrowed(text(Column::Id)??),
        source: Cow::Borrowed(text(Column::Source)??),
        type_: Cow::Borrowed(text(Column::Type)??),
        subject: Cow::Borrowed(text(Column::Subject)??),
        time: time(Column::Time)?,
        datacontenttype: own(Column::DataContentType)?,
        dataschema: own(Column::DataSchema)?,
        ticket: own(Column::Ticket)?,
        agent: own(Column::Agent)?,
        portal: own(Column::Portal)?,
        customer: own(Column::Customer)?,
        extensions: extensions.into_iter().map(|(name, value)| (Cow::Owned(name), Cow::Owned(value))).collect(),
        data,
        members: Vec::new(),
    };
    let json = event.to_structured_json();
    let Ok(event) = decode_structured(&json) else { return Some(false) };
    let place = match text(Column::ObjectPath)? {
        Some(path) => {
            Some(ChunkPlace { path, offset: column(Column::ObjectOffset)?.as_primitive_opt::<Int64Type>()?.value(row) })
        }
        None => None,
    };
    let position = Position {
        topic: text(Column::KafkaTopic)??,
        partition: column(Column::KafkaPartition)?.as_primitive_opt::<Int32Type>()?.value(row),
        offset: column(Column::KafkaOffset)?.as_primitive_opt::<Int64Type>()?.value(row),
    };
    let implausible = column(Column::TimeImplausible)?.as_boolean_opt()?.value(row);
    let mut builder = EventBatchBuilder::new();
    builder.append(&event, position, time(Column::ArchivedAt)?, implausible, place);
    let again = builder.finish();
    let differs = |spec: &&crate::ColumnSpec| {
        let stored = batch.column_by_name(spec.name).map(|column| column.slice(row, 1));
        stored.is_none_or(|stored| stored.to_data() != again.column(spec.column as usize).to_data())
    };
    Some(!COLUMNS.iter().filter(|spec| spec.column != Column::ProofSecret).any(|spec| differs(&spec)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    #[test]
    fn a_column_that_does_not_follow_from_the_payload_is_detected() {
        let mut builder = EventBatchBuilder::new();
        for (offset, data) in
            [(0, r#"{"seq":3,"sender":"agent","text":"hello"}"#), (1, r#"{"seq":4,"sender":"agent","text":"x"}"#)]
        {
            let json = format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"chat.line","subject":"x","time":"2026-01-01T00:00:00Z","ext":"e","data":{data}}}"#
            );
            let position = Position { topic: "t", partition: 1, offset };
            builder.append(&decode_structured(json.as_bytes()).unwrap(), position, Timestamp(5), false, None);
        }
        let batch = builder.finish();
        assert_eq!((is_consistent(&batch, 0), is_consistent(&batch, 1)), (Some(true), Some(true)));
        let mut columns = batch.columns().to_vec();
        columns[Column::Seq as usize] = Arc::new(Int64Array::from(vec![3, 5])) as ArrayRef;
        let changed = RecordBatch::try_new(batch.schema(), columns).unwrap();
        assert_eq!((is_consistent(&changed, 0), is_consistent(&changed, 1)), (Some(true), Some(false)));
    }
}
