//! Generated Kafka messages: events and chunks that are right, nearly right and wrong, with numbers and times at their
//! edges.

use crate::choices::Choices;
use rdkafka::Timestamp;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use std::fmt::Write;

/// Partitions of each topic.
const PARTITIONS: usize = 2;
/// Messages of one case, at most.
const MESSAGES: usize = 24;
const TOPICS: [&str; 2] = ["holdfast.events", "holdfast.recordings"];
const TYPES: [&str; 14] = [
    "chat.line",
    "chat.redacted",
    "session.requested",
    "session.queued",
    "session.started",
    "session.abandoned",
    "session.ended",
    "survey.submitted",
    "diagnostics.collected",
    "recording.started",
    "recording.chunk",
    "ticket.changed",
    "archive.queried",
    "weather.changed",
];
const FIELDS: [&str; 18] = [
    "seq",
    "sender",
    "text",
    "rating",
    "waited",
    "duration",
    "position",
    "size",
    "first_ms",
    "last",
    "mode",
    "reason",
    "resolved",
    "resolution",
    "recording_id",
    "customer_name",
    "granted",
    "report",
];
const TIMES: [&str; 10] = [
    "2026-11-20T10:00:00Z",
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.9999999-05:00",
    "1677-09-21T00:12:43Z",
    "2262-04-11T23:47:17Z",
    "2016-12-31T23:59:60Z",
    "1969-12-31T23:59:59.999999Z",
    "yesterday",
    "",
];
const NUMBERS: [&str; 10] = [
    "5.0",
    "4e0",
    "-0",
    "0.1",
    "1e400",
    "1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "1E+2",
];

/// The messages of one case, in the order of their offsets, which begin anywhere and have no holes.
pub fn messages(choices: &mut Choices<'_>) -> Vec<OwnedMessage> {
    let mut next = [[0_i64; PARTITIONS]; TOPICS.len()];
    for offset in next.iter_mut().flatten() {
        *offset = *choices.one_of(&[0, 0, 7, 1 << 40, 1 << 62]);
    }
    let count = 1 + choices.below(MESSAGES);
    let mut seq = choices.integer();
    let message = |_| {
        let (topic, partition) = (choices.below(TOPICS.len()), choices.below(PARTITIONS));
        let offset = next[topic][partition];
        next[topic][partition] += 1;
        // Most chunks follow the one before, so that several share an object.
        seq = if choices.once_in(4) { choices.integer() } else { seq.wrapping_add(1) };
        let (headers, value) = content(choices, seq);
        let key = (!choices.once_in(8)).then(|| choices.bytes(12));
        let time = if choices.once_in(8) { Timestamp::NotAvailable } else { Timestamp::CreateTime(choices.integer()) };
        let headers = (!headers.is_empty()).then(|| owned(&headers));
        OwnedMessage::new(value, key, TOPICS[topic].to_owned(), time, partition as i32, offset, headers)
    };
    (0..count).map(message).collect()
}

/// Headers in order; the value of one may be null.
type HeaderList = Vec<(String, Option<Vec<u8>>)>;

fn owned(headers: &HeaderList) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |all, (name, value)| {
        // The client's own limit: it takes the name as a text of C.
        let name = name.replace('\0', "");
        all.insert(Header { key: &name, value: value.as_ref() })
    })
}

/// The headers and the value of a message.
fn content(choices: &mut Choices<'_>, seq: i64) -> (HeaderList, Option<Vec<u8>>) {
    match choices.below(10) {
        0 => (Vec::new(), None),
        1 => (odd_headers(choices), Some(choices.bytes(64))),
        2..=4 => (Vec::new(), Some(damaged(choices, structured))),
        5..=6 => {
            let mut headers = attributes(choices);
            headers.extend(odd_headers(choices));
            (headers, Some(damaged(choices, data)))
        }
        _ => {
            let mut headers = chunk_attributes(choices, seq);
            if choices.once_in(8) {
                headers.extend(odd_headers(choices));
            }
            (headers, Some(choices.bytes(200)))
        }
    }
}

/// What `make` makes, sometimes with a byte changed or the end missing.
fn damaged(choices: &mut Choices<'_>, make: fn(&mut Choices<'_>) -> String) -> Vec<u8> {
    let mut bytes = make(choices).into_bytes();
    if choices.once_in(6) && !bytes.is_empty() {
        let place = choices.below(bytes.len());
        match choices.below(3) {
            0 => bytes.truncate(place),
            1 => bytes[place] = choices.below(256) as u8,
            _ => bytes.insert(place, choices.below(256) as u8),
        }
    }
    bytes
}

/// An event in structured mode.
fn structured(choices: &mut Choices<'_>) -> String {
    let mut json = String::from(if choices.once_in(16) { "\u{feff}{" } else { "{" });
    for (name, value) in required(choices) {
        let _ = write!(json, "{}:{},", quoted(&name), quoted(&value));
    }
    for _ in 0..choices.below(4) {
        let name = *choices.one_of(&["agent", "portal", "customer", "ticket", "color", "datacontenttype", "Bad Name"]);
        let _ = write!(json, "{}:{},", quoted(name), value(choices, 1));
    }
    let _ = match choices.below(12) {
        10 => write!(json, "\"data_base64\":{}}}", quoted(choices.one_of::<&str>(&["", "AAAA", "%%", "/w=="]))),
        11 => write!(json, "\"data\":{}}}", value(choices, 3)),
        _ => write!(json, "\"data\":{}}}", data(choices)),
    };
    json
}

/// The required attributes, of which one may be missing or odd.
fn required(choices: &mut Choices<'_>) -> Vec<(String, String)> {
    let subject = format!("s-{}", choices.below(4));
    let id = if choices.once_in(8) { choices.text(30) } else { choices.below(50).to_string() };
    let mut all: Vec<(String, String)> = vec![
        ("specversion".to_owned(), "1.0".to_owned()),
        ("id".to_owned(), id),
        ("source".to_owned(), "urn:holdfast:test".to_owned()),
        ("type".to_owned(), (*choices.one_of(&TYPES)).to_owned()),
        ("subject".to_owned(), if choices.once_in(8) { choices.text(30) } else { subject }),
        ("time".to_owned(), time(choices)),
    ];
    if choices.once_in(12) {
        all.remove(choices.below(all.len()));
    }
    all
}

fn time(choices: &mut Choices<'_>) -> String {
    if choices.once_in(3) {
        return (*choices.one_of(&TIMES)).to_owned();
    }
    // A wide range of dates in one flush, the 30th of February among them.
    let (year, month, day) = (1990 + choices.below(60), 1 + choices.below(12), 1 + choices.below(31));
    let (hour, fraction) = (choices.below(24), choices.below(1_000_000));
    let zone = choices.one_of(&["Z", "Z", "Z", "+05:30", "-12:00"]);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:59:00.{fraction:06}{zone}")
}

/// The object of an event's data.
fn data(choices: &mut Choices<'_>) -> String {
    let mut json = String::from("{");
    for place in 0..choices.below(6) {
        let name = *choices.one_of(&FIELDS);
        let separator = if place == 0 { "" } else { "," };
        let _ = write!(json, "{separator}{}:{}", quoted(name), value(choices, 3));
    }
    json.push('}');
    json
}

/// A value of JSON with at most `levels` levels.
fn value(choices: &mut Choices<'_>, levels: usize) -> String {
    match choices.below(if levels > 0 { 9 } else { 7 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => choices.integer().to_string(),
        3 => (*choices.one_of(&NUMBERS)).to_owned(),
        4..=6 => quoted(&choices.text(20)),
        7 => {
            let inner: Vec<String> = (0..choices.below(4)).map(|_| value(choices, levels - 1)).collect();
            format!("[{}]", inner.join(","))
        }
        _ => {
            let inner: Vec<String> = (0..choices.below(4))
                .map(|number| format!("\"{}{number}\":{}", choices.one_of(&FIELDS), value(choices, levels - 1)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The attributes of an event in binary mode.
fn attributes(choices: &mut Choices<'_>) -> HeaderList {
    let mut headers: HeaderList =
        required(choices).into_iter().map(|(name, value)| (format!("ce_{name}"), Some(value.into_bytes()))).collect();
    let media_type = *choices.one_of(&["application/json", "text/plain", "application/cloudevents+json", "\u{fffd}"]);
    headers.push(("content-type".to_owned(), Some(media_type.as_bytes().to_vec())));
    headers
}

fn chunk_attributes(choices: &mut Choices<'_>, seq: i64) -> HeaderList {
    let subject = format!("s-{}", choices.below(3));
    let recording = format!("r-{}", choices.below(2));
    let time = if choices.once_in(4) { time(choices) } else { "2026-11-20T10:00:00Z".to_owned() };
    let seq = if choices.once_in(12) { (*choices.one_of(&NUMBERS)).to_owned() } else { seq.to_string() };
    let mut all = vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", format!("{recording}-{seq}")),
        ("ce_source", "urn:holdfast:test".to_owned()),
        ("ce_type", "recording.chunk".to_owned()),
        ("ce_subject", subject),
        ("ce_time", time),
        ("ce_recordingid", recording),
        ("ce_seq", seq),
        ("ce_firstms", choices.integer().to_string()),
        ("ce_lastms", choices.integer().to_string()),
        ("content-type", "video/webm".to_owned()),
    ];
    if choices.once_in(4) {
        all.push(("ce_last", (*choices.one_of(&["true", "false", "perhaps"])).to_owned()));
    }
    if choices.once_in(12) {
        all.remove(choices.below(all.len()));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), Some(value.into_bytes()))).collect()
}

/// Headers that no sender should send: null, twice, of any bytes, and rarely ten thousand of them.
fn odd_headers(choices: &mut Choices<'_>) -> HeaderList {
    let count = if choices.once_in(200) { 10_000 } else { choices.below(3) };
    let header = |_| {
        let name = match choices.below(4) {
            0 => String::new(),
            1 => "ce_color".to_owned(),
            2 => "ce_id".to_owned(),
            _ => choices.text(10),
        };
        (name, (!choices.once_in(3)).then(|| choices.bytes(10)))
    };
    (0..count).map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::{Headers, Message};
    use std::collections::BTreeMap;

    #[test]
    fn cases_have_every_kind_of_message_and_offsets_without_holes() {
        let (mut nulls, mut structured, mut chunks, mut wide) = (0, 0, 0, 0);
        for seed in 0..2_000 {
            let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
            for message in messages(&mut Choices::seeded(seed)) {
                let key = (message.topic().to_owned(), message.partition());
                let expected = next.insert(key, message.offset() + 1);
                assert!(expected.is_none_or(|expected| expected == message.offset()));
                nulls += usize::from(message.payload().is_none());
                structured += usize::from(message.payload().is_some_and(|value| value.starts_with(b"{\"spec")));
                let headers = message.headers().map_or(0, Headers::count);
                wide += usize::from(headers >= 10_000);
                chunks +=
                    usize::from(message.headers().is_some_and(|headers| {
                        headers.iter().any(|header| header.value == Some(&b"recording.chunk"[..]))
                    }));
            }
        }
        assert!(
            nulls > 100 && structured > 1_000 && chunks > 1_000 && wide > 1,
            "{nulls} {structured} {chunks} {wide}"
        );
        // A fuzzer begins with no bytes at all.
        assert_eq!(messages(&mut Choices::of(&[])).len(), 1);
    }
}
