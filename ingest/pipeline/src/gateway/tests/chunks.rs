//! Recording chunks, on their own route and among events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn header<'s>(sent: &'s Sent, name: &str) -> Option<&'s str> {
    sent.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_chunk_becomes_a_binary_mode_event() {
    let fixture = fixture(Behaviour::Acknowledge);
    let request = chunk_request("s%2F1/rec-1/chunks/7?first_ms=7000&last_ms=7999&last=true").header("ce-agent", "ann");
    let response = fixture.send(request.body(vec![0x1a, 0x45, 0, 0xff].into()).unwrap()).await;
    assert_eq!(
        (response.status, response.body),
        (StatusCode::ACCEPTED, serde_json::json!({"accepted": 1, "events": []}))
    );
    let sent = fixture.sent().remove(0);
    assert_eq!((sent.topic.as_str(), sent.key.as_str()), ("holdfast.recordings", "s/1"));
    assert_eq!(sent.value, [0x1a, 0x45, 0, 0xff]);
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_type", "recording.chunk"),
        ("ce_subject", "s/1"),
        ("ce_id", "rec-1-7"),
        ("ce_source", "urn:holdfast:gateway"),
        ("ce_time", "2026-01-31T09:30:00.000000Z"),
        ("ce_recordingid", "rec-1"),
        ("ce_seq", "7"),
        ("ce_firstms", "7000"),
        ("ce_lastms", "7999"),
        ("ce_last", "true"),
        ("ce_agent", "ann"),
        ("content-type", "video/webm"),
    ] {
        assert_eq!(header(&sent, name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn headers_may_set_a_chunks_attributes() {
    let fixture = fixture(Behaviour::Acknowledge);
    let request = chunk_request("s1/r1/chunks/0?first_ms=0&last_ms=0")
        .header("ce-id", "x")
        .header("ce-source", "urn:y")
        .header("ce-time", "2026-02-01T00:00:00Z")
        .header("ce-sha256", "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a")
        .header("content-type", "audio/ogg; codecs=opus")
        .header("content-encoding", "zstd");
    let body = zstd::encode_all([1u8].as_slice(), 1).unwrap();
    assert_eq!(fixture.send(request.body(body.into()).unwrap()).await.status, StatusCode::ACCEPTED);
    let sent = fixture.sent().remove(0);
    assert_eq!((header(&sent, "ce_id"), header(&sent, "ce_source")), (Some("x"), Some("urn:y")));
    assert_eq!(header(&sent, "content-type"), Some("audio/ogg; codecs=opus"));
    assert_eq!((header(&sent, "ce_last"), sent.value.as_slice()), (None, [1].as_slice()));
}

#[tokio::test]
async fn an_invalid_chunk_is_rejected_with_its_reason() {
    let fixture = fixture(Behaviour::Acknowledge);
    for (place, reason) in [
        ("s/r/chunks/x?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/-1?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/+1?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/2147483648?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/9223372036854775807?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/99999999999999999999?first_ms=0&last_ms=1", "invalid_path"),
        ("%ff/r/chunks/0?first_ms=0&last_ms=1", "invalid_path"),
        ("s/%00/chunks/0?first_ms=0&last_ms=1", "invalid_path"),
        ("s/r/chunks/0", "invalid_query"),
        ("s/r/chunks/0?first_ms=0", "invalid_query"),
        ("s/r/chunks/0?first_ms=5&last_ms=4", "invalid_query"),
        ("s/r/chunks/0?first_ms=-5&last_ms=4", "invalid_query"),
        ("s/r/chunks/0?first_ms=0&last_ms=4&last_ms=5", "invalid_query"),
        ("s/r/chunks/0?first_ms=0&last_ms=4&last=yes", "invalid_query"),
        ("s/r/chunks/0?first_ms=0&last_ms=4&lst=true", "invalid_query"),
    ] {
        let response = fixture.send(chunk_request(place).body(vec![1].into()).unwrap()).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason), "{place}");
    }
    for (name, value, reason) in [
        ("ce-subject", "other", "invalid_attribute"),
        ("ce-type", "chat.line", "invalid_attribute"),
        ("ce-seq", "0", "invalid_attribute"),
        ("ce-time", "yesterday", "invalid_time"),
        ("ce-id", "", "missing_attribute"),
        ("ce-sha256", "00", "invalid_chunk"),
    ] {
        let request = chunk_request("s/r/chunks/0?first_ms=0&last_ms=1").header(name, value);
        let response = fixture.send(request.body(vec![1].into()).unwrap()).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason), "{name}");
    }
    for media_type in ["text/plain", "application/json", "application/cloudevents+json", "webm"] {
        let request = chunk_request("s/r/chunks/0?first_ms=0&last_ms=1").header("content-type", media_type);
        let response = fixture.send(request.body(vec![1].into()).unwrap()).await;
        assert_eq!(response.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
    }
    let place = "s/r/chunks/0?first_ms=0&last_ms=1";
    let empty = fixture.send(chunk_request(place).body(Body::empty()).unwrap()).await;
    assert_eq!((empty.status, empty.reason()), (StatusCode::BAD_REQUEST, "empty"));
    let large = fixture.send(chunk_request(place).body(vec![0; 300_001].into()).unwrap()).await;
    assert_eq!((large.status, large.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let unauthenticated = Request::post(format!("/v1/recordings/{place}")).body(vec![1].into()).unwrap();
    assert_eq!(fixture.send(unauthenticated).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.sent(), []);
    fixture.assert_idle();
}

#[tokio::test]
async fn the_number_of_a_chunk_has_a_bound_on_both_routes() {
    let fixture = fixture(Behaviour::Acknowledge);
    let place = |seq: u64| format!("s/r/chunks/{seq}?first_ms=0&last_ms=9223372036854775807");
    let greatest = fixture.send(chunk_request(&place(2_147_483_647)).body(vec![1].into()).unwrap()).await;
    assert_eq!(greatest.status, StatusCode::ACCEPTED);
    let beyond = fixture.send(chunk_request(&place(2_147_483_648)).body(vec![1].into()).unwrap()).await;
    assert_eq!(beyond.detail(), "seq is not a whole number from 0 to 2147483647");
    let chunk = |seq: &str| {
        event("1")
            .replace("chat.line", "recording.chunk")
            .replace(r#""data":{"seq":0,"sender":"agent","text":"hello"}"#, &format!(
                r#""datacontenttype":"video/webm","recordingid":"r","seq":{seq},"firstms":0,"lastms":1,"data_base64":"AA==""#
            ))
    };
    assert_eq!(fixture.post(STRUCTURED, chunk("5.0")).await.status, StatusCode::ACCEPTED);
    for seq in ["2147483648", "9223372036854775807", "1e400", "4.5"] {
        let response = fixture.post(STRUCTURED, chunk(seq)).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, "invalid_chunk"), "{seq}");
        assert!(response.detail().contains("from 0 to 2147483647"), "{}", response.detail());
    }
    assert_eq!(fixture.sent().len(), 2);
    fixture.assert_idle();
}

#[tokio::test]
async fn a_chunk_among_events_is_published_to_the_recordings_topic() {
    let fixture = fixture(Behaviour::Acknowledge);
    let bytes = vec![0xfe; 200_000];
    let request = events_request()
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "urn:x")
        .header("ce-type", "recording.chunk")
        .header("ce-subject", "s1")
        .header("ce-time", "2026-01-31T09:30:00Z")
        .header("ce-recordingid", "r1")
        .header("ce-seq", "0")
        .header("ce-firstms", "0")
        .header("ce-lastms", "999")
        .header("content-type", "video/webm");
    // Above the limit of an event, but below that of a chunk.
    assert_eq!(fixture.send(request.body(bytes.clone().into()).unwrap()).await.status, StatusCode::ACCEPTED);

    let structured = |bytes: &[u8], seq: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"2","source":"urn:x","type":"recording.chunk","subject":"s1","time":"2026-01-31T09:30:00Z","datacontenttype":"video/webm","agent":"ann","recordingid":"r1","seq":{seq},"firstms":1000,"lastms":1999,"last":true,"data_base64":"{}"}}"#,
            STANDARD.encode(bytes)
        )
    };
    let body = format!("[{},{}]", event("3"), structured(&[0xfe, 0], "1"));
    assert_eq!(fixture.post(BATCH, body).await.status, StatusCode::ACCEPTED);

    let sent = fixture.sent();
    let topics: Vec<_> = sent.iter().map(|sent| sent.topic.as_str()).collect();
    assert_eq!(topics, ["holdfast.recordings", "holdfast.events", "holdfast.recordings"]);
    assert_eq!((sent[0].value.len(), sent[2].value.as_slice()), (200_000, [0xfe, 0].as_slice()));
    for (name, value) in
        [("ce_id", "2"), ("ce_seq", "1"), ("ce_last", "true"), ("ce_agent", "ann"), ("content-type", "video/webm")]
    {
        assert_eq!(header(&sent[2], name), Some(value));
    }

    let response = fixture.post(BATCH, format!("[{},{}]", event("3"), structured(&[1], "-1"))).await;
    assert_eq!(
        (response.status, response.reason(), &response.body["index"]),
        (StatusCode::BAD_REQUEST, "invalid_chunk", &1.into())
    );
}
