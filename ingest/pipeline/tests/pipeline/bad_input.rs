//! Invalid messages, each with its dead letter; and unusual events that are valid.

use holdfast_events::Timestamp;

use crate::fixture::Fixture;
use crate::readback::Contents;
use crate::sent::{Outcome, SOURCE, Sent};

/// A structured-mode event with the given members after `source`.
fn structured(rest: &str) -> Vec<u8> {
    format!(r#"{{"specversion":"1.0","source":"{SOURCE}",{rest}}}"#).into_bytes()
}

/// A complete event with this id, and more members.
fn whole(id: &str, more: &str) -> Vec<u8> {
    structured(&format!(r#""id":"{id}","type":"chat.line","subject":"s-odd","time":"2026-11-20T10:00:00Z"{more}"#))
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Messages that become dead letters, with the reason.
fn dead(fixture: &Fixture) -> Vec<Sent> {
    let topic = fixture.events();
    let letter = |reason, value: Vec<u8>| Sent::new(topic, value, Outcome::DeadLetter { reason });
    let text = |reason, value: &str| letter(reason, value.as_bytes().to_vec());
    let chunk = |reason, seq: &str, more: &[(&str, &str)]| {
        let mut sent = Sent::chunk(fixture.recordings(), "s-bad", "r-bad", 0, b"bytes of a chunk".to_vec());
        sent.headers.retain(|(name, _)| name != "ce_seq");
        sent.outcome = Outcome::DeadLetter { reason };
        let sent = if seq.is_empty() { sent } else { sent.header("ce_seq", seq) };
        more.iter().fold(sent, |sent, (name, value)| sent.header(name, *value))
    };
    let mut all = vec![
        text("invalid_json", "not JSON at all"),
        text("invalid_json", r#"{"specversion":"1.0","id":"cut of"#),
        text("invalid_json", r#"{"specversion":"1.0"} and more"#),
        letter("invalid_json", whole("nul", ",\"data\":{\"text\":\"a\0b\"}")),
        letter("invalid_json", vec![0; 64]),
        letter("invalid_utf8", [whole("utf8", "").as_slice(), b"\xff\xfe"].concat()),
        letter("invalid_utf8", "{\"id\":\"latin 1: ü\"}".chars().map(|letter| letter as u8).collect()),
        letter("duplicate_key", whole("twice", r#","id":"other""#)),
        letter("duplicate_key", whole("twice", r#","data":{"text":"a","deep":{"x":1,"\u0078":2}}"#)),
        letter("nested_too_deep", whole("deep", &format!(r#","data":{}"#, nested(10_000)))),
        text("nested_too_deep", &nested(10_000)),
        text("not_an_event", "[]"),
        text("not_an_event", "\"a text\""),
        text("not_an_event", "17"),
        letter("invalid_time", structured(r#""id":"1","type":"t","subject":"s","time":"2026-11-20T10:00:00""#)),
        letter("invalid_time", structured(r#""id":"1","type":"t","subject":"s","time":"yesterday""#)),
        letter("invalid_time", structured(r#""id":"1","type":"t","subject":"s","time":"2026-02-30T10:00:00Z""#)),
        letter("invalid_time", structured(r#""id":"1","type":"t","subject":"s","time":"+294247-01-10T04:00:54Z""#)),
        letter("invalid_attribute", whole("control\\u0000character", "")),
        letter("invalid_attribute", whole("extension", r#","BadName":"x""#)),
        letter("invalid_attribute", whole("structure", r#","color":{"red":1}"#)),
        letter("invalid_base64", whole("base64", r#","data_base64":"%%%""#)),
        letter("two_payloads", whole("payloads", r#","data":{},"data_base64":"AAAA""#)),
        text(
            "unsupported_version",
            r#"{"specversion":"0.3","id":"1","source":"s","type":"t","subject":"s","time":"2026-11-20T10:00:00Z"}"#,
        ),
        letter("empty", Vec::new()),
        // A tombstone: a key and no value.
        Sent { value: None, ..letter("empty", Vec::new()) },
        // Without a key and without valid JSON.
        Sent { key: None, ..letter("invalid_json", b"{{".to_vec()) },
        letter("invalid_json", b"{".to_vec()).header("", "").header("empty", "").header("bytes", b"\xff\x00".to_vec()),
        letter("missing_attribute", b"{}".to_vec()).header("ce_specversion", "1.0"),
        letter("missing_attribute", b"{}".to_vec()).header("ce_id", ""),
        letter("invalid_utf8", b"{}".to_vec()).header("ce_id", b"\xff".to_vec()),
        letter("invalid_attribute", b"{}".to_vec()).header("ce_id", "1").header("ce_id", "2"),
        letter("invalid_attribute", whole("media type", "")).header("content-type", b"\xff".to_vec()),
        chunk("invalid_chunk", "", &[]),
        chunk("invalid_chunk", "-1", &[]),
        chunk("invalid_chunk", "first", &[]),
        chunk("invalid_chunk", "4.5", &[]),
        chunk("invalid_chunk", "2147483648", &[]),
        chunk("invalid_chunk", "9223372036854775807", &[]),
        chunk("invalid_chunk", "9223372036854775807", &[]),
        chunk("invalid_chunk", "0", &[("ce_last", "perhaps")]),
        chunk("invalid_chunk", "0", &[("ce_sha256", &"0".repeat(64))]),
    ];
    // Each of the required attributes: absent, null and empty.
    for attribute in ["specversion", "id", "source", "type", "subject", "time"] {
        let members = [
            ("specversion", "1.0"),
            ("id", "1"),
            ("source", SOURCE),
            ("type", "t"),
            ("subject", "s"),
            ("time", "2026-11-20T10:00:00Z"),
        ];
        for instead in [None, Some("null"), Some("\"\"")] {
            let members: Vec<String> = members
                .iter()
                .filter_map(|(name, value)| match instead {
                    None if *name == attribute => None,
                    Some(instead) if *name == attribute => Some(format!("\"{name}\":{instead}")),
                    _ => Some(format!("\"{name}\":\"{value}\"")),
                })
                .collect();
            all.push(text("missing_attribute", &format!("{{{}}}", members.join(","))));
        }
    }
    all
}

/// A dead letter has everything about a message that is not an event.
pub(crate) async fn bad_input_becomes_dead_letters(fixture: &Fixture) {
    let archiver = fixture.archiver();
    archiver.ready().await;
    // In order, so that the n-th position belongs to the n-th message, with valid events between them.
    let letters = dead(fixture);
    let mut messages = Vec::new();
    for (number, letter) in letters.into_iter().enumerate() {
        messages.push(letter);
        messages.push(Sent::chat(fixture.events(), "s-good", number));
    }
    fixture.send(messages).await;
    let contents = fixture.wait_and_check().await;
    archiver.stop().await;

    let mut rest: Vec<_> = contents.dead.iter().collect();
    let expected: Vec<Sent> = {
        let expectation = fixture.expectation();
        expectation.messages().filter(|sent| matches!(sent.outcome, Outcome::DeadLetter { .. })).cloned().collect()
    };
    assert_eq!(rest.len(), expected.len());
    for sent in expected {
        let Outcome::DeadLetter { reason } = sent.outcome else { continue };
        let headers = (!sent.headers.is_empty()).then(|| headers_json(&sent.headers));
        let same = |row: &&crate::readback::DeadLetterRow| {
            row.reason == reason
                && row.position.0 == sent.topic
                && row.key == sent.key
                && row.value == sent.value
                && row.headers.as_deref().map(parsed) == headers
        };
        let index = rest.iter().position(same).unwrap_or_else(|| panic!("no dead letter has all of {sent:?}"));
        let row = rest.swap_remove(index);
        assert!(row.message.len() > 10, "{}", row.message);
        if let Some(value) = sent.value.as_deref().filter(|value| value.len() > 8) {
            let value = String::from_utf8_lossy(value);
            assert!(!row.message.contains(value.as_ref()), "a message quotes no value: {}", row.message);
        }
    }
}

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("headers are JSON")
}

fn headers_json(headers: &[(String, Vec<u8>)]) -> serde_json::Value {
    use base64::Engine;
    let value = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::json!(text),
        Err(_) => serde_json::json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
    };
    headers.iter().map(|(name, bytes)| serde_json::json!([name, value(bytes)])).collect()
}

/// Unknown types, implausible times, texts with unusual characters, and duplicate ids.
pub(crate) async fn unusual_events_are_archived(fixture: &Fixture) {
    let topic = fixture.events();
    let archived = |id: &str, value: Vec<u8>| Sent::new(topic, value, Outcome::archived(id));
    let timed = |id: &str, time: &str| {
        archived(id, structured(&format!(r#""id":"{id}","type":"t","subject":"s-odd","time":"{time}""#)))
    };
    let text = "x".repeat(3_000_000);
    let messages = vec![
        archived(
            "unknown",
            structured(
                r#""id":"unknown","type":"weather.changed","subject":"s-odd","time":"2026-11-20T10:00:00Z","data":[1,{"a":null}]"#,
            ),
        ),
        timed("1970", "1970-01-01T00:00:00Z"),
        timed("2090", "2090-06-01T00:00:00Z"),
        // The zero time and the last one of Go and .NET, and both in zones that move them into years that RFC 3339
        // cannot write.
        timed("year 1", "0001-01-01T00:00:00Z"),
        timed("year 9999", "9999-12-31T23:59:59.9999999Z"),
        timed("year 10000", "9999-12-31T23:59:59.9999999-05:00"),
        timed("year -1", "0000-01-01T00:00:00+01:00"),
        archived("mark", ["\u{feff}".as_bytes(), whole("mark", "").as_slice()].concat()),
        timed("zone", "2026-11-20T23:30:00-05:00"),
        timed("leap", "2016-12-31T23:59:60Z"),
        timed("long ago", "2009-02-13T23:31:30.123456789Z"),
        archived("nul", whole("nul", r#","data":{"text":"a\u0000b"}"#)),
        archived(
            "spaces",
            [b" \r\n\t", whole("spaces", r#" , "data" : { "text" : "as  it  came" } "#).as_slice(), b"\n"].concat(),
        ),
        archived("escapes", whole("escapes", r#","data":{"text":"\ud83d\ude00 \u00fc \/ \" \\"}"#)),
        archived("large", whole("large", &format!(r#","data":{{"text":"{text}"}}"#))),
        archived("numbers", whole("numbers", r#","data":{"seq":1e400,"rating":99999999999999999999,"sender":7}"#)),
        archived("no object", whole("no object", r#","data":"a text""#)),
        archived("again", whole("again", r#","data":{"text":"first"}"#)),
        archived("again", whole("again", r#","data":{"text":"first"}"#)),
        archived("again", whole("again", r#","data":{"text":"second, and another text"}"#)),
        archived("header", whole("header", "")).header("", "").header("trace", b"\xff".to_vec()),
        Sent { key: None, ..archived("keyless", whole("keyless", "")) },
    ];
    let archiver = fixture.archiver();
    archiver.ready().await;
    fixture.send(messages).await;
    let contents = fixture.wait_and_check().await;
    archiver.stop().await;

    assert!(contents.dead.is_empty());
    assert_eq!(contents.event("unknown").type_, "weather.changed");
    assert_eq!(contents.event("unknown").data.as_deref(), Some(r#"[1,{"a":null}]"#));
    assert_eq!(contents.event("nul").data.as_deref(), Some(r#"{"text":"a\u0000b"}"#));
    assert_eq!(contents.event("spaces").data.as_deref(), Some(r#"{ "text" : "as  it  came" }"#));
    assert_eq!(contents.events.iter().filter(|row| row.id == "again").count(), 3, "each duplicate is a row");
    filed(&contents, "1970", "1970-01-01T00:00:00Z", None);
    filed(&contents, "2090", "2090-06-01T00:00:00Z", None);
    filed(&contents, "year 1", "0001-01-01T00:00:00Z", None);
    filed(&contents, "year 9999", "9999-12-31T23:59:59.999999Z", None);
    filed(&contents, "year 10000", "+10000-01-01T04:59:59.999999Z", None);
    filed(&contents, "year -1", "-0001-12-31T23:00:00Z", None);
    filed(&contents, "zone", "2026-11-21T04:30:00Z", Some("2026-11-21"));
    filed(&contents, "leap", "2017-01-01T00:00:00Z", Some("2017-01-01"));
    filed(&contents, "long ago", "2009-02-13T23:31:30.123456Z", Some("2009-02-13"));
}

/// The event's time is kept. A plausible time is also the partition's date; otherwise the date is that of the arrival.
#[track_caller]
fn filed(contents: &Contents, id: &str, time: &str, date: Option<&str>) {
    let row = contents.event(id);
    assert_eq!(Timestamp(row.time), Timestamp::parse(time).unwrap(), "{id}");
    assert_eq!(row.implausible, date.is_none(), "{id}");
    let partition_date = Timestamp(0).plus_days(row.date.into()).date_text();
    assert_eq!(partition_date, date.map_or_else(|| Timestamp(row.archived_at).date_text(), str::to_owned), "{id}");
}
