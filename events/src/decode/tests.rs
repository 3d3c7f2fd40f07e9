//! What is an event and what is not, and that the three modes give the same event.

use crate::{
    Chunk, Data, DecodeError, Event, MAX_CHUNK_SEQ, canonical_bytes, decode_binary, decode_structured, split_batch,
};
use proptest::prelude::*;

const LINE: &str = r#"{"specversion":"1.0","id":"a-1","source":"urn:x","type":"chat.line","subject":"s1","time":"2026-01-31T10:30:00+01:00","datacontenttype":"application/json","agent":"ann","externalkey":"K7","data":{"seq":0,"sender":"agent","text":"caf\u00e9 \"x\""}}"#;

#[test]
fn a_structured_event_is_read() {
    let event = decode_structured(LINE.as_bytes()).unwrap();
    assert_eq!((event.id.as_ref(), event.type_.as_ref(), event.subject.as_ref()), ("a-1", "chat.line", "s1"));
    assert_eq!(event.time.to_string(), "2026-01-31T09:30:00.000000Z");
    assert_eq!(event.agent.as_deref(), Some("ann"));
    assert_eq!(event.extensions, [("externalkey".into(), "K7".into())]);
    assert_eq!(event.data, Data::Text(r#"{"seq":0,"sender":"agent","text":"caf\u00e9 \"x\""}"#.into()));
    let fields: Vec<_> =
        event.fields().map(|field| (field.name.clone().into_owned(), field.text().into_owned())).collect();
    assert_eq!(fields[2], ("text".to_owned(), "café \"x\"".to_owned()));
    assert_eq!(event.problems(), None);
}

/// The line with one piece of its text exchanged.
fn broken(find: &str, replace: &str) -> DecodeError {
    assert!(LINE.contains(find));
    decode_structured(LINE.replacen(find, replace, 1).as_bytes()).unwrap_err()
}

#[test]
fn invalid_events_are_refused_with_their_reason() {
    for (error, reason) in [
        (broken(r#""id":"a-1","#, ""), "missing_attribute"),
        (broken(r#""a-1""#, r#""""#), "missing_attribute"),
        (broken(r#""a-1""#, "null"), "missing_attribute"),
        (broken(r#""subject":"s1","#, ""), "missing_attribute"),
        (broken(r#""1.0""#, r#""0.3""#), "unsupported_version"),
        (broken(r#""a-1""#, r#"["a-1"]"#), "invalid_attribute"),
        (broken(r#""a-1""#, r#""a\u0000b""#), "invalid_attribute"),
        (broken("externalkey", "external_key"), "invalid_attribute"),
        (broken("+01:00", ""), "invalid_time"),
        (broken("2026-01-31T10:30:00+01:00", "today"), "invalid_time"),
        (broken(r#""seq":0"#, r#""seq":0,"seq":1"#), "duplicate_key"),
        (broken(r#""agent":"ann""#, r#""agent":"ann","agent":"bob""#), "duplicate_key"),
        (broken(r#""data":{"#, r#""data_base64":"AAAA","data":{"#), "two_payloads"),
        (broken(r#""data":{"seq":0,"sender":"agent","text":"caf\u00e9 \"x\""}"#, r#""data_base64":"#), "invalid_json"),
        (broken(r#"{"seq":0,"#, r#"{"seq":00,"#), "invalid_json"),
        (broken("}}", "}"), "invalid_json"),
        (decode_structured(b"[]").unwrap_err(), "not_an_event"),
        (decode_structured(b"\"text\"").unwrap_err(), "not_an_event"),
        (decode_structured(b"").unwrap_err(), "empty"),
        (decode_structured(b"   ").unwrap_err(), "invalid_json"),
        (decode_structured(b"{\"id\":\"\xff\"}").unwrap_err(), "invalid_utf8"),
        (decode_structured(&LINE.as_bytes()[..100]).unwrap_err(), "invalid_json"),
        (decode_structured("{\"data\":".repeat(10_000).as_bytes()).unwrap_err(), "nested_too_deep"),
    ] {
        assert_eq!(error.reason(), reason, "{error}");
    }
    assert_eq!(
        broken(r#""time":"2026-01-31T10:30:00+01:00","#, "").to_string(),
        "the required attribute `time` is missing; every event needs specversion, id, source, type, subject and time"
    );
}

#[test]
fn nul_bytes_are_refused_raw_and_kept_escaped() {
    assert_eq!(broken("caf", "caf\0").reason(), "invalid_json");
    let with = LINE.replacen("caf", "caf\\u0000", 1);
    let event = decode_structured(with.as_bytes()).unwrap();
    assert!(event.fields().any(|field| field.text().contains('\0')));
}

#[test]
fn other_payloads_keep_their_kind() {
    let with = |datacontenttype: &str, payload: &str| {
        let json = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"2026-01-01T00:00:00Z","datacontenttype":"{datacontenttype}",{payload}}}"#
        );
        let event = decode_structured(json.as_bytes()).unwrap();
        let again = event.to_structured_json();
        assert_eq!(canonical_bytes(&decode_structured(&again).unwrap()), canonical_bytes(&event), "{payload}");
        match event.data {
            Data::None => "none".to_owned(),
            Data::Text(text) => format!("text {text}"),
            Data::Binary(bytes) => format!("binary {bytes:?}"),
        }
    };
    assert_eq!(with("application/json", r#""data":[1, 2]"#), "text [1, 2]");
    assert_eq!(with("application/json", r#""data":"a\nb""#), r#"text "a\nb""#);
    assert_eq!(with("application/json", r#""data":null"#), "none");
    assert_eq!(with("text/plain", r#""data":"a\nb""#), "text a\nb");
    assert_eq!(with("application/octet-stream", r#""data_base64":"AAEC""#), "binary [0, 1, 2]");
    assert_eq!(with("application/vnd.acme+json", r#""data":{"a":1}"#), r#"text {"a":1}"#);
}

#[test]
fn binary_mode_gives_the_same_event() {
    let structured = decode_structured(LINE.as_bytes()).unwrap();
    let attributes: Vec<(&str, &[u8])> = vec![
        ("specversion", b"1.0"),
        ("id", b"a-1"),
        ("source", b"urn:x"),
        ("type", b"chat.line"),
        ("subject", b"s1"),
        ("time", b"2026-01-31T10:30:00+01:00"),
        ("agent", b"ann"),
        ("externalkey", b"K7"),
    ];
    let data = structured.data_bytes().unwrap();
    let event = decode_binary(attributes.clone(), Some("application/json"), data).unwrap();
    assert_eq!(canonical_bytes(&event), canonical_bytes(&structured));
    let twice: Vec<_> = attributes.iter().chain(&attributes[1..2]).copied().collect();
    assert_eq!(decode_binary(twice, None, data).unwrap_err().reason(), "invalid_attribute");
    assert_eq!(decode_binary(attributes, None, b"{\"a\":").unwrap_err().reason(), "invalid_json");
}

#[test]
fn batches_are_split() {
    let batch = format!(" [ {LINE} ,\n{LINE}]");
    let events = split_batch(batch.as_bytes()).unwrap();
    assert_eq!(events, [LINE.as_bytes(), LINE.as_bytes()]);
    assert_eq!(split_batch(b"[]").unwrap().len(), 0);
    for (batch, reason) in [
        (b"{}".as_slice(), "not_an_event"),
        (b"[{}", "invalid_json"),
        (b"[{}]]", "invalid_json"),
        (b"[{}}", "invalid_json"),
        (b"", "invalid_json"),
        (b"[{}]\xff", "invalid_utf8"),
    ] {
        let error = split_batch(batch).unwrap_err();
        assert_eq!((error.error.reason(), error.event), (reason, None), "{batch:?}");
    }
}

#[test]
fn an_error_in_a_batch_names_the_event() {
    let good = r#"{"a":1}"#;
    for (bad, reason) in [
        (br#"{"text":"so happy \ud83d"}"#.as_slice(), "invalid_json"),
        (br#"{"id":"1","id":"2"}"#, "duplicate_key"),
        (br#"{"data":{"x":1,"\u0078":2}}"#, "duplicate_key"),
        (br#"{"a":01}"#, "invalid_json"),
        (br#"{"text":"not closed"#, "invalid_json"),
        (b"{\"text\":\"latin 1: \xfc\"}", "invalid_utf8"),
        (b"{\"text\":\"\\ud83d\xff\"}", "invalid_utf8"),
        (b"5", "not_an_event"),
        (b"\"{}\"", "not_an_event"),
    ] {
        let batch = [format!("[{good}, {good},\n ").as_bytes(), bad, b"]"].concat();
        let error = split_batch(&batch).unwrap_err();
        let begins = batch.len() - 1 - bad.len();
        assert_eq!((error.error.reason(), error.event), (reason, Some((2, begins))), "{error}");
        // Alone, the event has the same error at the same byte.
        if reason != "not_an_event" && bad.ends_with(b"}") {
            assert_eq!(crate::decode_structured(bad).unwrap_err(), error.error);
        }
    }
    // What is wrong first counts.
    let error = split_batch(b"[{},{\"a\":tru},{\"b\":\"\xff\"}]").unwrap_err();
    assert_eq!((error.error.reason(), error.event), ("invalid_json", Some((1, 4))));
}

#[test]
fn an_event_of_a_batch_may_be_nested_as_deep_as_one_alone() {
    let nested = |depth: usize| LINE.replacen(r#""caf\u00e9 \"x\"""#, &("[".repeat(depth) + &"]".repeat(depth)), 1);
    let deepest = nested(crate::MAX_DEPTH - 2);
    assert_eq!(decode_structured(deepest.as_bytes()).map(|_| ()), Ok(()));
    assert_eq!(split_batch(format!("[{deepest}]").as_bytes()).map(|events| events.len()), Ok(1));
    let deeper = nested(crate::MAX_DEPTH - 1);
    let error = split_batch(format!("[{deeper}]").as_bytes()).unwrap_err();
    assert_eq!((error.event, error.error), (Some((0, 1)), decode_structured(deeper.as_bytes()).unwrap_err()));
}

#[test]
fn a_byte_order_mark_belongs_to_nothing() {
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    assert_eq!(
        canonical_bytes(&decode_structured(&marked(LINE)).unwrap()),
        canonical_bytes(&decode_structured(LINE.as_bytes()).unwrap())
    );
    assert_eq!(split_batch(&marked(&format!(" [{LINE}]"))).unwrap(), [LINE.as_bytes()]);
    let attributes = [
        ("specversion", "1.0"),
        ("id", "1"),
        ("source", "s"),
        ("type", "t"),
        ("subject", "x"),
        ("time", "2026-01-01T00:00:00Z"),
    ];
    let attributes = attributes.map(|(name, value)| (name, value.as_bytes()));
    let data = marked(r#" {"a":1}"#);
    assert_eq!(decode_binary(attributes, None, &data).unwrap().data, Data::Text(r#"{"a":1}"#.into()));
    // In a text it may be meant, and in the middle it is no JSON.
    let text = decode_binary(attributes, Some("text/plain"), &data).unwrap();
    assert_eq!(text.data_bytes(), Some(data.as_slice()));
    for json in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}", "{}\u{feff}"] {
        assert_eq!(decode_structured(json.as_bytes()).unwrap_err().reason(), "invalid_json", "{json:?}");
    }
}

#[test]
fn times_at_the_edges_of_rfc_3339_are_events_and_are_written_back() {
    for (time, written) in [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("0001-01-01T00:00:00+01:00", "0000-12-31T23:00:00.000000Z"),
        ("0000-01-01T00:00:00+23:59", "-0001-12-31T00:01:00.000000Z"),
        ("9999-12-31T23:59:59.9999999-05:00", "+10000-01-01T04:59:59.999999Z"),
        ("9999-12-31T23:59:60.999999-23:59", "+10000-01-01T23:59:00.999999Z"),
    ] {
        let json = LINE.replacen("2026-01-31T10:30:00+01:00", time, 1);
        let event = decode_structured(json.as_bytes()).unwrap();
        assert_eq!(event.time.to_string(), written);
        let written = event.to_structured_json();
        assert_eq!(canonical_bytes(&decode_structured(&written).unwrap()), canonical_bytes(&event), "{time}");
    }
    for time in
        ["+10000-01-01T23:59:01Z", "-0001-12-31T00:00:59.999999Z", "+294247-01-10T04:00:54Z", "-290000-01-01T00:00:00Z"]
    {
        assert_eq!(broken("2026-01-31T10:30:00+01:00", time).reason(), "invalid_time", "{time}");
    }
}

#[test]
fn a_million_headers_take_no_longer_than_reading_them() {
    let names: Vec<String> = (0..1_000_000).map(|number| format!("x{number}")).collect();
    let required = [
        ("specversion", "1.0"),
        ("id", "1"),
        ("source", "s"),
        ("type", "t"),
        ("subject", "x"),
        ("time", "2026-01-01T00:00:00Z"),
    ];
    let attributes = || required.into_iter().chain(names.iter().map(|name| (name.as_str(), "")));
    let bytes = |(name, value): (_, &'static str)| (name, value.as_bytes());
    let event = decode_binary(attributes().map(bytes), None, b"").unwrap();
    assert_eq!(event.extensions.len(), names.len());
    let twice = decode_binary(attributes().chain([("x7", "")]).map(bytes), None, b"").unwrap_err();
    assert!(twice.to_string().contains("`x7` is invalid: it occurs twice"), "{twice}");
}

fn chunk_event<'a>(seq: &'a str, sha256: Option<&'a str>) -> Event<'a> {
    let mut attributes: Vec<(&str, &[u8])> = vec![
        ("specversion", b"1.0"),
        ("id", b"r-1"),
        ("source", b"urn:x"),
        ("type", b"recording.chunk"),
        ("subject", b"s1"),
        ("time", b"2026-01-31T10:30:00Z"),
        ("recordingid", b"rec"),
        ("seq", seq.as_bytes()),
        ("firstms", b"0"),
        ("lastms", b"1999"),
        ("last", b"true"),
    ];
    attributes.extend(sha256.map(|digest| ("sha256", digest.as_bytes())));
    decode_binary(attributes, Some("video/webm"), b"abc").unwrap()
}

#[test]
fn a_chunk_becomes_a_row_that_describes_it() {
    // SHA-256 of "abc", FIPS 180-2, appendix B.1.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let event = chunk_event("4", Some(digest));
    let chunk = Chunk::of(&event).unwrap().unwrap();
    assert_eq!((chunk.recording_id, chunk.seq, chunk.last, chunk.bytes), ("rec", 4, Some(true), b"abc".as_slice()));
    let row = event.describing_chunk(&mut super::Decoder::default()).unwrap();
    assert!(row.extensions.is_empty());
    assert_eq!(row.problems(), None);
    assert_eq!(
        row.data,
        Data::Text(
            format!(r#"{{"recording_id":"rec","seq":4,"first_ms":0,"last_ms":1999,"size":3,"sha256":"{digest}","last":true,"media_type":"video/webm"}}"#).into()
        )
    );
    for (seq, sha256) in [("-1", None), ("x", None), ("4.5", None), ("1e400", None), ("", None), ("4", Some("00"))] {
        assert_eq!(Chunk::of(&chunk_event(seq, sha256)).unwrap_err().reason(), "invalid_chunk");
    }
}

#[test]
fn the_number_of_a_chunk_has_a_bound_and_may_be_written_as_json_writes_it() {
    let number = |seq: &str| Chunk::of(&chunk_event(seq, None)).map(|chunk| chunk.map(|chunk| chunk.seq));
    for (text, seq) in [("0", 0), ("5.0", 5), ("2147483647", MAX_CHUNK_SEQ), ("2.147483647e9", MAX_CHUNK_SEQ)] {
        assert_eq!(number(text), Ok(Some(seq)), "{text}");
    }
    for text in ["2147483648", "4611686018427387904", "9223372036854775807", "9223372036854775808"] {
        let error = number(text).unwrap_err();
        assert!(error.to_string().ends_with(&format!("from 0 to {MAX_CHUNK_SEQ}")), "{error}");
    }
}

proptest! {
    #[test]
    fn structured_json_is_read_back(
        id in "\\PC{1,12}", text in "\\PC{0,30}", extension in "[a-z0-9]{1,8}x", value in "\\PC{0,8}", binary in any::<bool>()
    ) {
        let mut data = String::new();
        crate::escape_into(&mut data, &text);
        let mut event = decode_structured(LINE.as_bytes()).unwrap();
        event.id = id.into();
        event.members.clear();
        event.data = if binary { Data::Binary(text.as_bytes().to_vec().into()) } else { Data::Text(data.into()) };
        event.extensions = vec![(extension.into(), value.into())];
        let json = event.to_structured_json();
        let again = decode_structured(&json).unwrap();
        prop_assert_eq!(canonical_bytes(&again), canonical_bytes(&event));
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), at in 0usize..200, byte in any::<u8>()) {
        let _ = decode_structured(&bytes);
        let _ = split_batch(&bytes);
        let _ = decode_binary([("id", bytes.as_slice())], None, &bytes);
        let mut line = LINE.as_bytes().to_vec();
        line[at] = byte;
        if let Ok(event) = decode_structured(&line) {
            let _ = event.problems();
            let _ = event.to_structured_json();
        }
    }
}
