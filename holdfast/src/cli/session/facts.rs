//! Rows of the query engine as facts of `holdfast-timeline`. Pure.

use anyhow::Context as _;
use holdfast_timeline::{Delivery, EventRow, Position, RecordingSummary, SessionSummary};
use serde_json::Value;

use super::rows::{Row, count, integer, is, number, string, time};

/// The columns that hold JSON as text.
const JSON_COLUMNS: [&str; 4] = ["data", "operational", "personal", "extensions"];

/// A row of the time line.
pub(super) fn event(mut row: Row) -> anyhow::Result<EventRow> {
    for name in JSON_COLUMNS {
        if let Some(Value::String(text)) = row.get(name)
            && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
        {
            row.insert(name.to_owned(), value);
        }
    }
    Ok(EventRow {
        time: time(&row, "time")?.context("an event has no time")?,
        source: string(&row, "source").unwrap_or_default(),
        id: string(&row, "id").unwrap_or_default(),
        type_: string(&row, "type").unwrap_or_default(),
        seq: integer(&row, "seq"),
        recording_id: string(&row, "recording_id"),
        size: count(&row, "size"),
        deliveries: count(&row, "deliveries").unwrap_or(1),
        problems: string(&row, "problems"),
        columns: row,
    })
}

/// A row of `archive.sessions`.
pub(super) fn summary(row: &Row) -> anyhow::Result<SessionSummary> {
    Ok(SessionSummary {
        state: string(row, "state"),
        broken_off: is(row, "broken_off"),
        ticket: string(row, "ticket"),
        customer: string(row, "customer"),
        portal: string(row, "portal"),
        agent: string(row, "agent"),
        requested_at: time(row, "requested_at")?,
        started_at: time(row, "started_at")?,
        ended_at: time(row, "ended_at")?,
        waited: number(row, "waited"),
        handled: number(row, "handled"),
        resolution: string(row, "resolution"),
        rating: integer(row, "rating"),
        resolved: string(row, "resolved"),
    })
}

/// A row of `archive.recordings`.
pub(super) fn recording(row: &Row) -> RecordingSummary {
    RecordingSummary {
        recording_id: string(row, "recording_id").unwrap_or_default(),
        chunks: count(row, "chunks").unwrap_or(0),
        bytes: count(row, "bytes"),
        first_ms: count(row, "first_ms"),
        last_ms: count(row, "last_ms"),
        complete: is(row, "complete"),
        missing: string(row, "missing"),
    }
}

/// A row of `archive.events`, of which the operational columns were read.
pub(super) fn delivery(row: &Row) -> anyhow::Result<Delivery> {
    let operational: Value = match row.get("operational").and_then(Value::as_str) {
        Some(json) => serde_json::from_str(json).context("the column `operational` of an event is not JSON")?,
        None => Value::Null,
    };
    Ok(Delivery {
        time: time(row, "time")?.context("an event has no time")?,
        position: Position {
            topic: string(row, "kafka_topic").unwrap_or_default(),
            partition: integer(row, "kafka_partition").and_then(|number| number.try_into().ok()).unwrap_or_default(),
            offset: integer(row, "kafka_offset").unwrap_or_default(),
        },
        source: string(row, "source").unwrap_or_default(),
        id: string(row, "id").unwrap_or_default(),
        type_: string(row, "type").unwrap_or_default(),
        seq: integer(row, "seq"),
        recording_id: string(row, "recording_id"),
        first_ms: integer(row, "first_ms"),
        last_ms: integer(row, "last_ms"),
        last: is(row, "last"),
        participant_id: string(row, "participant_id"),
        chunks: operational["chunks"].as_i64(),
        at_ms: operational["at_ms"].as_i64(),
        what: operational["what"].as_str().map(str::to_owned),
        granted: operational["granted"].as_bool(),
        has_problems: is(row, "has_problems"),
    })
}
