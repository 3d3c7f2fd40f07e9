use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::range::Range;

fn at(seconds: i64) -> DateTime<Utc> {
    "2026-05-10T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

fn columns(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(columns) => columns,
        _ => panic!("not an object"),
    }
}

/// An event whose row has these columns.
fn row(type_: &str, value: Value) -> EventRow {
    let columns = columns(value);
    EventRow {
        time: at(0),
        source: "urn:x".to_owned(),
        id: columns.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        type_: type_.to_owned(),
        seq: columns.get("seq").and_then(Value::as_i64),
        recording_id: columns.get("recording_id").and_then(Value::as_str).map(str::to_owned),
        size: columns.get("size").and_then(Value::as_u64),
        deliveries: columns.get("deliveries").and_then(Value::as_u64).unwrap_or(1),
        problems: None,
        columns,
    }
}

fn line(seq: i64, text: &str) -> EventRow {
    row("chat.line", json!({"seq": seq, "sender": "customer", "data": {"seq": seq, "text": text}}))
}

fn chunk(recording: &str, seq: i64) -> EventRow {
    row("recording.chunk", json!({"recording_id": recording, "seq": seq, "size": 1024}))
}

fn entries(events: Vec<EventRow>) -> Vec<Entry> {
    timeline(Facts { events, ..Facts::default() }).entries
}

fn event(entry: &Entry) -> &Event {
    match entry {
        Entry::Event(event) => event,
        Entry::Chunks(run) => panic!("{run:?} is no event"),
    }
}

fn run(entry: &Entry) -> &ChunkRun {
    match entry {
        Entry::Chunks(run) => run,
        Entry::Event(event) => panic!("{event:?} is no chunk"),
    }
}

#[test]
fn redacted_lines_lose_their_text_and_others_do_not() {
    let redaction = row("chat.redacted", json!({"seq": 1, "reason": "pci"}));
    let mut rows = vec![line(0, "4111 1111"), line(1, "4111 1111"), redaction];
    let entries = entries(rows.clone());
    assert_eq!(event(&entries[0]).fields["text"], "4111 1111");
    assert_eq!(event(&entries[0]).redacted, None);
    assert!(!serde_json::to_string(&entries[1]).unwrap().contains("4111"));
    assert_eq!(event(&entries[1]).redacted.as_deref(), Some("pci"));
    assert_eq!(event(&entries[1]).fields["sender"], "customer");

    redact(&mut rows);
    assert_eq!(rows[0].columns["data"]["text"], "4111 1111");
    assert!(!serde_json::to_string(&rows[1].columns).unwrap().contains("4111"));
    assert_eq!(rows[1].columns[REDACTED], "pci");
    assert!(!rows[0].columns.contains_key(REDACTED));
}

#[test]
fn a_line_is_redacted_also_before_its_redaction_and_without_a_reason() {
    let entries = entries(vec![row("chat.redacted", json!({"seq": 0})), line(0, "4111"), line(-1, "kept")]);
    assert_eq!(event(&entries[1]).redacted.as_deref(), Some(""));
    assert!(!event(&entries[1]).fields.contains_key("text"));
    assert_eq!(event(&entries[2]).fields["text"], "kept");
}

#[test]
fn fields_come_from_every_tier_and_leave_the_envelope_out() {
    let columns = json!({
        "id": "1", "type": "session.joined", "subject": "s-1", "kafka_offset": 7, "deliveries": 2, "class": "general",
        "role": "customer", "operational": {"a": 1}, "personal": {"name": "Ann"}, "data": {"a": 2, "b": [3]},
        "extensions": {"c": 4},
    });
    let entries = entries(vec![row("session.joined", columns)]);
    let expected = json!({"role": "customer", "a": 2, "name": "Ann", "b": [3]});
    assert_eq!(Value::Object(event(&entries[0]).fields.clone()), expected);
    assert_eq!(event(&entries[0]).deliveries, 2);
}

#[test]
fn data_that_is_not_json_has_no_fields() {
    let entries = entries(vec![row("vendor.thing", json!({"data": "plain", "size": 5}))]);
    assert_eq!(Value::Object(event(&entries[0]).fields.clone()), json!({"size": 5}));
}

#[test]
fn consecutive_chunks_of_a_recording_are_one_entry() {
    let mut twice = chunk("r-1", 1);
    twice.deliveries = 3;
    twice.problems = Some("last is not true or false".to_owned());
    let others = [chunk("r-1", 3), chunk("r-2", 4), row("recording.paused", json!({})), chunk("r-2", 5)];
    let entries = entries([chunk("r-1", 0), twice].into_iter().chain(others).collect());
    let numbers: Vec<Option<Range>> =
        entries.iter().filter(|entry| matches!(entry, Entry::Chunks(_))).map(|entry| run(entry).numbers).collect();
    let range = |first, last| Some(Range { first, last });
    assert_eq!(numbers, [range(0, 1), range(3, 3), range(4, 4), range(5, 5)]);
    let first = run(&entries[0]);
    assert_eq!((first.chunks, first.bytes, first.duplicates, first.with_problems), (2, 2048, 2, 1));
    assert_eq!((first.time, first.recording_id.as_deref()), (at(0), Some("r-1")));
}

#[test]
fn chunks_with_extreme_numbers_or_without_a_number_are_not_joined() {
    let mut unnumbered = chunk("r-1", 0);
    unnumbered.seq = None;
    let mut large = chunk("r-1", i64::MAX);
    large.size = Some(u64::MAX);
    let entries = entries(vec![unnumbered.clone(), unnumbered, large.clone(), large, chunk("r-1", i64::MIN)]);
    assert_eq!(entries.iter().map(|entry| run(entry).chunks).collect::<Vec<_>>(), [1; 5]);
    assert_eq!(run(&entries[0]).numbers, None);
}

#[test]
fn a_time_line_counts_events_and_duplicates() {
    let mut twice = line(0, "hello");
    twice.deliveries = 4;
    let time_line = timeline(Facts { events: vec![twice, chunk("r-1", 0), chunk("r-1", 1)], ..Facts::default() });
    assert_eq!((time_line.events, time_line.duplicates, time_line.entries.len()), (3, 3, 2));
}

#[test]
fn a_time_line_is_serialised_with_the_kind_of_each_entry() {
    let facts = Facts {
        session: "s-1".to_owned(),
        summary: SessionSummary { state: Some("ended".to_owned()), rating: Some(4), ..SessionSummary::default() },
        recordings: vec![RecordingSummary {
            recording_id: "r-1".to_owned(),
            missing: Some("2".to_owned()),
            ..RecordingSummary::default()
        }],
        events: vec![line(0, "hello"), chunk("r-1", 0), chunk("r-1", 1)],
        withheld: vec![Withheld { column: "personal".to_owned(), tier: "personal".to_owned(), files: 1, of_files: 2 }],
    };
    let value = serde_json::to_value(timeline(facts)).unwrap();
    assert_eq!((&value["session"], &value["summary"]["rating"]), (&json!("s-1"), &json!(4)));
    assert_eq!((&value["recordings"][0]["missing"], &value["withheld"][0]["of_files"]), (&json!("2"), &json!(2)));
    let entry = &value["entries"][0];
    assert_eq!((&entry["entry"], &entry["type"]), (&json!("event"), &json!("chat.line")));
    assert_eq!((&entry["time"], &entry["fields"]["text"]), (&json!("2026-05-10T08:00:00Z"), &json!("hello")));
    let chunks = &value["entries"][1];
    assert_eq!((&chunks["entry"], &chunks["numbers"]), (&json!("chunks"), &json!({"first": 0, "last": 1})));
}

/// Events of all kinds. Each has a text of its own; the text of a chat line is `<number>`.
fn events() -> impl Strategy<Value = Vec<EventRow>> {
    let event = (0..4u8, prop::option::of("r-[12]"), prop::option::of(-1..6i64), 1..4u64);
    prop::collection::vec(event, 0..40).prop_map(|events| {
        let event = |(number, (kind, recording, seq, deliveries)): (usize, (u8, Option<String>, Option<i64>, u64))| {
            let type_ = ["chat.line", "chat.redacted", "recording.chunk", "session.noted"][usize::from(kind)];
            let columns = json!({
                "id": number.to_string(), "seq": seq, "recording_id": recording, "deliveries": deliveries,
                "data": {"text": format!("<{number}>")},
            });
            row(type_, columns)
        };
        events.into_iter().enumerate().map(event).collect()
    })
}

proptest! {
    #[test]
    fn every_event_is_in_exactly_one_entry_or_joined_into_one(rows in events()) {
        let time_line = timeline(Facts { events: rows.clone(), ..Facts::default() });
        let mut rest = rows.as_slice();
        for entry in &time_line.entries {
            let count = match entry {
                Entry::Event(_) => 1,
                Entry::Chunks(run) => run.chunks as usize,
            };
            let (own, others) = rest.split_at(count);
            rest = others;
            match entry {
                Entry::Event(event) => {
                    prop_assert_eq!((&event.id, &event.type_), (&own[0].id, &own[0].type_));
                    prop_assert_ne!(event.type_.as_str(), "recording.chunk");
                }
                Entry::Chunks(run) => {
                    prop_assert!(own.iter().all(|row| row.type_ == "recording.chunk"));
                    prop_assert!(own.iter().all(|row| row.recording_id == run.recording_id));
                    let expected: Vec<Option<i64>> = match run.numbers {
                        Some(numbers) => (numbers.first..=numbers.last).map(Some).collect(),
                        None => vec![None],
                    };
                    prop_assert_eq!(own.iter().map(|row| row.seq).collect::<Vec<_>>(), expected);
                }
            }
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(time_line.events, rows.len() as u64);
        prop_assert_eq!(time_line.duplicates, rows.iter().map(|row| row.deliveries - 1).sum::<u64>());
    }

    #[test]
    fn runs_are_as_long_as_they_can_be(rows in events()) {
        let entries = entries(rows);
        for pair in entries.windows(2) {
            if let [Entry::Chunks(one), Entry::Chunks(next)] = pair {
                let is_next = one.numbers.zip(next.numbers).is_some_and(|(one, next)| one.last + 1 == next.first);
                prop_assert!(one.recording_id != next.recording_id || !is_next, "{:?} {:?}", one, next);
            }
        }
    }

    #[test]
    fn the_text_of_a_line_is_shown_unless_an_event_redacts_it(rows in events()) {
        let shown = serde_json::to_string(&entries(rows.clone())).unwrap();
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.type_ == "chat.line") {
            let is_redacted =
                row.seq.is_some() && rows.iter().any(|other| other.type_ == "chat.redacted" && other.seq == row.seq);
            prop_assert_eq!(shown.contains(&format!("<{number}>")), !is_redacted);
        }
    }
}
