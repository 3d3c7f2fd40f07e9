//! The columns of `events` that a session is folded from.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use serde_json::Value;

/// The columns of `events` that are read. `data` is read only with permission for its tier.
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

/// A row of `events`. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRow<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) subject: &'a str,
    /// The event's time; `None` if it is implausible.
    pub(crate) time: Option<i64>,
    /// The filing time: the event's time, or that of its arrival if its time is implausible.
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
    /// The operational fields without a column, as JSON.
    pub(crate) operational: Option<&'a str>,
    /// The customer's feedback in a survey, if it may be read.
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
    /// Finds the columns. `None` if a required column is missing or has another type.
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

    /// The event in a row; `None` if its subject is not a session. `data` is the column of that name, if it may be
    /// read.
    pub(crate) fn row(&self, row: usize, data: Option<&'b StringArray>) -> Option<EventRow<'b>> {
        let event_type = self.text(2, row)?;
        if !is_session_event(event_type) {
            return None;
        }
        let data = data.filter(|data| event_type == "survey.submitted" && data.is_valid(row));
        // Earlier versions archived negative durations in their columns.
        let seconds = |array: Option<&'b Float64Array>| {
            array.filter(|array| array.is_valid(row)).map(|array| array.value(row)).filter(is_duration)
        };
        let time = (!self.implausible.value(row)).then(|| self.time.value(row));
        Some(EventRow {
            id: self.text(0, row)?,
            source: self.text(1, row)?,
            event_type,
            subject: self.text(3, row)?,
            time,
            filed: time.unwrap_or_else(|| self.archived.value(row)),
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
            duration: seconds(self.duration),
            waited: seconds(self.waited),
            recording: self.text(14, row),
            operational: self.text(15, row),
            feedback: data.and_then(|data| text_member(data.value(row), "feedback")),
        })
    }
}

/// Whether the subject of events of this type is a session.
pub(crate) fn is_session_event(event_type: &str) -> bool {
    let family = event_type.split('.').next().unwrap_or_default();
    matches!(
        family,
        "session"
            | "consent"
            | "connection"
            | "reboot"
            | "code"
            | "chat"
            | "diagnostics"
            | "file"
            | "control"
            | "whiteboard"
            | "url"
            | "clipboard"
            | "recording"
            | "survey"
    )
}

/// Whether these seconds can be a duration.
pub(crate) fn is_duration(seconds: &f64) -> bool {
    *seconds >= 0.0
}

/// A string member of a JSON object.
pub(crate) fn text_member(json: &str, name: &str) -> Option<String> {
    match serde_json::from_str::<Value>(json).ok()?.as_object_mut()?.remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_session_families_are_session_events() {
        for session in ["session.started", "chat.line", "survey.submitted", "code.issued"] {
            assert!(is_session_event(session), "{session}");
        }
        for other in ["agent.presence", "queue.measured", "ticket.opened", "archive.queried", "sessions.x", ""] {
            assert!(!is_session_event(other), "{other}");
        }
    }
}
