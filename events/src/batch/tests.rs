//! Rows contain the values of their events, and have the same canonical bytes.

use super::*;
use crate::{canonical_bytes, canonical_bytes_of_row, decode_structured};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use proptest::prelude::*;

const POSITION: Position<'static> = Position { topic: "holdfast.events", partition: 2, offset: 7 };

fn event_json(type_: &str, extra: &str, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"1","source":"s","type":"{type_}","subject":"x","time":"2026-01-01T00:00:00Z"{extra},"data":{data}}}"#
    )
}

fn batch_of(events: &[String]) -> RecordBatch {
    let mut builder = EventBatchBuilder::new();
    for json in events {
        builder.append(&decode_structured(json.as_bytes()).unwrap(), POSITION, Timestamp(0), false, None);
    }
    assert_eq!(builder.rows(), events.len());
    let batch = builder.finish();
    assert_eq!(builder.rows(), 0);
    batch
}

fn text(batch: &RecordBatch, column: Column, row: usize) -> Option<&str> {
    let array = batch.column(column as usize).as_string::<i32>();
    array.is_valid(row).then(|| array.value(row))
}

#[test]
fn fields_are_stored_in_the_column_of_their_tier() {
    let batch = batch_of(&[
        event_json("ticket.opened", "", r#"{"issue_type":"vpn","title":"secret"}"#),
        event_json(
            "session.started",
            r#","agent":"ann""#,
            r#"{"agent_id":"ann","customer_id":"c","customer_name":"Zoë \"Z\"","platform":"macOS","waited":1.5,"shoe_size":43}"#,
        ),
        event_json("survey.submitted", "", r#"{"rating":4,"resolved":"yes","feedback":"fine"}"#),
        event_json("survey.submitted", "", r#"{"rating":9}"#),
        event_json("acme.invented", "", r#"{"rating":3}"#),
    ]);
    assert_eq!(batch.num_rows(), 5);
    assert_eq!(text(&batch, Column::Operational, 0), Some(r#"{"issue_type":"vpn"}"#));
    assert_eq!(
        text(&batch, Column::Operational, 1),
        Some(r#"{"agent_id":"ann","customer_id":"c","platform":"macOS"}"#)
    );
    assert_eq!(text(&batch, Column::Personal, 1), Some(r#"{"customer_name":"Zoë \"Z\""}"#));
    assert_eq!(text(&batch, Column::Agent, 1), Some("ann"));
    assert_eq!(text(&batch, Column::Resolved, 2), Some("yes"));
    let rating = batch.column(Column::Rating as usize).as_primitive::<Int32Type>();
    assert_eq!(rating.iter().collect::<Vec<_>>(), [None, None, Some(4), None, None]);
    assert_eq!(text(&batch, Column::Problems, 3), Some("rating is out of its range"));
    assert_eq!(text(&batch, Column::Problems, 4), None);
    assert_eq!(text(&batch, Column::Data, 4), Some(r#"{"rating":3}"#));
    assert_eq!(batch.column(Column::KafkaOffset as usize).as_primitive::<Int64Type>().value(4), 7);
    assert_eq!(batch.column(Column::Seq as usize).null_count(), 5);
}

#[test]
fn whole_numbers_are_stored_as_such_however_json_writes_them() {
    let batch = batch_of(&[
        event_json("survey.submitted", "", r#"{"rating":5.0}"#),
        event_json("chat.line", "", r#"{"seq":9007199254740993.0,"sender":"agent","text":"x"}"#),
        event_json("recording.ended", "", r#"{"recording_id":"r","chunks":50e-1,"duration":1.0}"#),
        event_json("survey.submitted", "", r#"{"rating":4.5}"#),
    ]);
    let rating = batch.column(Column::Rating as usize).as_primitive::<Int32Type>();
    assert_eq!(rating.iter().collect::<Vec<_>>(), [Some(5), None, None, None]);
    assert_eq!(batch.column(Column::Seq as usize).as_primitive::<Int64Type>().value(1), 9_007_199_254_740_993);
    assert_eq!(text(&batch, Column::Operational, 2), Some(r#"{"chunks":5}"#));
    assert_eq!(text(&batch, Column::Data, 0), Some(r#"{"rating":5.0}"#), "the payload stays as it came");
    let problems: Vec<_> = (0..4).map(|row| text(&batch, Column::Problems, row)).collect();
    assert_eq!(problems, [None, None, None, Some("rating is not a whole number")]);
}

#[test]
fn negative_seconds_have_no_column() {
    let batch = batch_of(&[
        event_json("session.started", "", r#"{"agent_id":"a","customer_id":"c","waited":-30}"#),
        event_json("session.ended", "", r#"{"ended_by":"agent","resolution":"resolved","duration":-120}"#),
    ]);
    for column in [Column::Waited, Column::Duration] {
        assert_eq!(batch.column(column as usize).null_count(), 2);
    }
    assert_eq!(text(&batch, Column::Problems, 0), Some("waited is negative"));
    assert_eq!(text(&batch, Column::Problems, 1), Some("duration is negative"));
    assert_eq!(text(&batch, Column::Operational, 0), Some(r#"{"agent_id":"a","customer_id":"c"}"#));
}

#[test]
fn an_empty_builder_gives_an_empty_batch() {
    let batch = EventBatchBuilder::new().finish();
    assert_eq!((batch.num_rows(), batch.num_columns()), (0, COLUMNS.len()));
}

proptest! {
    #[test]
    fn canonical_bytes_survive_the_columns(
        rows in prop::collection::vec(("\\PC{1,8}", "\\PC{0,20}", prop::option::of("\\PC{1,8}"), prop::option::of("[a-z]{1,5}"), 0u8..4), 1..8)
    ) {
        let events: Vec<String> = rows.iter().map(|(id, payload, ticket, extension, kind)| {
            let mut json = String::from(r#"{"specversion":"1.0","source":"s","type":"chat.line","subject":"x","time":"2026-01-01T00:00:00.1234567+02:00""#);
            let mut member = |name: &str, value: &str| {
                json.push_str(&format!(",\"{name}\":"));
                crate::escape_into(&mut json, value);
            };
            member("id", id);
            if let Some(ticket) = ticket { member("ticket", ticket); }
            if let Some(extension) = extension { member(&format!("x{extension}"), payload); }
            match kind {
                0 => {}
                1 => json.push_str(&format!(r#","data":{{"seq": 3, "text" :{}}}"#, serde_json::to_string(payload).unwrap())),
                2 => json.push_str(r#","data_base64":"AAECAw==""#),
                _ => { member("datacontenttype", "text/plain"); member("data", payload); }
            }
            json.push('}');
            json
        }).collect();
        let batch = batch_of(&events);
        for (row, json) in events.iter().enumerate() {
            let event = decode_structured(json.as_bytes()).unwrap();
            prop_assert_eq!(canonical_bytes_of_row(&batch, row), Some(canonical_bytes(&event)));
        }
    }
}

#[test]
fn canonical_bytes_have_the_documented_form() {
    let json = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"2026-01-01T01:00:00+01:00","agent":"a","data":{"n": 1}}"#;
    let mut expected = b"holdfast event 1\n".to_vec();
    for (name, value) in [
        ("agent", "a"),
        ("id", "1"),
        ("source", "s"),
        ("subject", "x"),
        ("time", "2026-01-01T00:00:00.000000Z"),
        ("type", "t"),
    ] {
        for text in [name, value] {
            expected.extend((text.len() as u32).to_be_bytes());
            expected.extend(text.as_bytes());
        }
    }
    expected.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8]);
    expected.extend(br#"{"n": 1}"#);
    assert_eq!(canonical_bytes(&decode_structured(json.as_bytes()).unwrap()), expected);
}
