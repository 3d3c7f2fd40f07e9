//! The part of an event that a session is folded from, as it stands in a row of `events`.

use crate::fold::tells_of_a_session;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use serde_json::Value;

/// The columns of `events` that are read; `data` only by who may.
pub(crate) const COLUMNS: [&str; 25] = [
    "id",
    "source",
    "type",
    "subject",
    "time",
    "ticket",
    "agent",
    "portal",
    "customer",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "mode",
    "queue",
    "rating",
    "resolved",
    "resolution",
    "ended_by",
    "duration",
    "waited",
    "recording_id",
    "operational",
    "archived_at",
    "time_implausible",
    "data",
];

/// An event. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) time: i64,
    /// The time that it is filed under: its own, or that of its arrival where its own is too far off.
    pub(crate) filed: i64,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) ticket: Option<&'a str>,
    pub(crate) agent: Option<&'a str>,
    pub(crate) portal: Option<&'a str>,
    pub(crate) customer: Option<&'a str>,
    pub(crate) mode: Option<&'a str>,
    pub(crate) queue: Option<&'a str>,
    pub(crate) rating: Option<i32>,
    pub(crate) resolved: Option<&'a str>,
    pub(crate) resolution: Option<&'a str>,
    pub(crate) ended_by: Option<&'a str>,
    pub(crate) duration: Option<f64>,
    pub(crate) waited: Option<f64>,
    pub(crate) recording: Option<&'a str>,
    /// JSON of the operational fields without a column.
    pub(crate) operational: Option<&'a str>,
    /// The customer's words in a survey, where they may be read.
    pub(crate) feedback: Option<String>,
}

/// The columns of one batch.
pub(crate) struct EventColumns<'b> {
    texts: [Option<&'b StringArray>; 16],
    time: &'b TimestampMicrosecondArray,
    archived: &'b TimestampMicrosecondArray,
    implausible: &'b BooleanArray,
    partition: &'b Int32Array,
    offset: &'b Int64Array,
    rating: Option<&'b Int32Array>,
    duration: Option<&'b Float64Array>,
    waited: Option<&'b Float64Array>,
}

const TEXTS: [&str; 16] = [
    "id",
    "source",
    "type",
    "subject",
    "kafka_topic",
    "ticket",
    "agent",
    "portal",
    "customer",
    "mode",
    "queue",
    "resolved",
    "resolution",
    "ended_by",
    "recording_id",
    "operational",
];

impl<'b> EventColumns<'b> {
    /// Finds the columns; `None` where one that every row has is missing or of another type.
    pub(crate) fn of(batch: &'b RecordBatch) -> Option<Self> {
        let column = |name: &str| batch.column_by_name(name);
        let columns = Self {
            texts: TEXTS.map(|name| column(name).and_then(|column| column.as_string_opt::<i32>())),
            time: column("time")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            archived: column("archived_at")?.as_primitive_opt::<TimestampMicrosecondType>()?,
            implausible: column("time_implausible")?.as_boolean_opt()?,
            partition: column("kafka_partition")?.as_primitive_opt::<Int32Type>()?,
            offset: column("kafka_offset")?.as_primitive_opt::<Int64Type>()?,
            rating: column("rating").and_then(|column| column.as_primitive_opt::<Int32Type>()),
            duration: column("duration").and_then(|column| column.as_primitive_opt::<Float64Type>()),
            waited: column("waited").and_then(|column| column.as_primitive_opt::<Float64Type>()),
        };
        columns.texts[..5].iter().all(Option::is_some).then_some(columns)
    }

    fn text(&self, column: usize, row: usize) -> Option<&'b str> {
        self.texts[column].filter(|array| array.is_valid(row)).map(|array| array.value(row))
    }

    /// The event in a row; `None` when it tells of no session. `data` is the column of that name where it may be read.
    pub(crate) fn row(&self, row: usize, data: Option<&'b StringArray>) -> Option<EventRow<'b>> {
        let event_type = self.text(2, row)?;
        if !tells_of_a_session(event_type) {
            return None;
        }
        let data = data.filter(|data| event_type == "survey.submitted" && data.is_valid(row));
        let number =
            |array: Option<&'b Float64Array>| array.filter(|array| array.is_valid(row)).map(|array| array.value(row));
        Some(EventRow {
            id: self.text(0, row)?,
            source: self.text(1, row)?,
            event_type,
            subject: self.text(3, row)?,
            time: self.time.value(row),
            filed: if self.implausible.value(row) { self.archived.value(row) } else { self.time.value(row) },
            topic: self.text(4, row)?,
            partition: self.partition.value(row),
            offset: self.offset.value(row),
            ticket: self.text(5, row),
            agent: self.text(6, row),
            portal: self.text(7, row),
            customer: self.text(8, row),
            mode: self.text(9, row),
            queue: self.text(10, row),
            rating: self.rating.filter(|array| array.is_valid(row)).map(|array| array.value(row)),
            resolved: self.text(11, row),
            resolution: self.text(12, row),
            ended_by: self.text(13, row),
            duration: number(self.duration),
            waited: number(self.waited),
            recording: self.text(14, row),
            operational: self.text(15, row),
            feedback: data.and_then(|data| text_of(data.value(row), "feedback")),
        })
    }
}

/// A member of a JSON object that is a string.
pub(crate) fn text_of(json: &str, name: &str) -> Option<String> {
    match serde_json::from_str::<Value>(json).ok()?.as_object_mut()?.remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}
