//! Senders that are known by the certificate of their client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use holdfast_events::{decode_binary, decode_structured};
use holdfast_server::ClientCertificate;

use super::*;

fn certified(path: &str, name: &str) -> axum::http::request::Builder {
    Request::post(path).extension(ClientCertificate { name: name.into() })
}

/// The value of the attribute `sender` of an event that was published.
fn sender(sent: &Sent) -> Option<String> {
    let content_type = sent.headers.iter().find(|(name, _)| name == "content-type");
    let event = if sent.topic == "holdfast.recordings" || sent.headers.iter().any(|(name, _)| name == "ce_id") {
        let attributes =
            sent.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce_")?, value.as_bytes())));
        decode_binary(attributes, content_type.map(|(_, value)| value.as_str()), &sent.value).unwrap()
    } else {
        decode_structured(&sent.value).unwrap()
    };
    event.extensions.iter().find(|(name, _)| name == "sender").map(|(_, value)| value.to_string())
}

#[tokio::test]
async fn the_name_in_the_certificate_authenticates_and_is_in_each_event() {
    let fixture = fixture(Behaviour::Acknowledge);
    let name = "spiffe://example.org/\"desk\"\\é";
    let structured = event("1").replace(r#""source""#, r#""color": "blue", "source""#);
    let chunk = format!(
        r#"{{"specversion":"1.0","id":"c","source":"urn:x","type":"recording.chunk","subject":"s","time":"2026-01-31T09:30:00Z",
        "recordingid":"r","seq":0,"firstms":0,"lastms":9,"datacontenttype":"video/webm","data_base64":"{}"}}"#,
        BASE64.encode([0x1a, 0x45])
    );
    for (content_type, body) in
        [(STRUCTURED, structured.clone()), (BATCH, batch(["2".to_owned(), "3".to_owned()])), (STRUCTURED, chunk)]
    {
        let request = certified("/v1/events", name).header("content-type", content_type).body(body.into()).unwrap();
        assert_eq!(fixture.send(request).await.status, StatusCode::ACCEPTED);
    }
    let binary = certified("/v1/events", name)
        .header("ce-specversion", "1.0")
        .header("ce-id", "4")
        .header("ce-source", "urn:x")
        .header("ce-type", "chat.line")
        .header("ce-subject", "s-4")
        .header("ce-time", "2026-01-31T09:30:00Z")
        .header("content-type", "application/json")
        .body("{}".into())
        .unwrap();
    assert_eq!(fixture.send(binary).await.status, StatusCode::ACCEPTED);
    let chunk = certified("/v1/recordings/s/r/chunks/1?first_ms=0&last_ms=9", name).body("x".into()).unwrap();
    assert_eq!(fixture.send(chunk).await.status, StatusCode::ACCEPTED);
    let sent = fixture.sent();
    assert_eq!(sent.len(), 6);
    for sent in &sent {
        assert_eq!(sender(sent).as_deref(), Some(name), "{sent:?}");
    }
    // Nothing else of the event has changed.
    let (before, after) =
        (decode_structured(structured.as_bytes()).unwrap(), decode_structured(&sent[0].value).unwrap());
    assert_eq!((&before.id, &before.time, &before.data), (&after.id, &after.time, &after.data));
    assert_eq!(after.extensions.len(), before.extensions.len() + 1);
    let metrics = fixture.metrics();
    assert!(metrics.contains("gateway_sender_events_total{kind=\"certificate\"} 6\n"), "{metrics}");
    // Whoever reads the metrics learns no name.
    assert!(!metrics.contains("desk"), "{metrics}");
    assert_eq!(fixture.post(STRUCTURED, event("5")).await.status, StatusCode::ACCEPTED);
    assert!(fixture.metrics().contains("gateway_sender_events_total{kind=\"token\"} 1\n"));
    fixture.assert_idle();
}

#[tokio::test]
async fn without_client_certificates_the_attribute_is_the_senders_own() {
    let fixture = fixture(Behaviour::Acknowledge);
    let claiming = event("1").replace(r#""id""#, r#""sender":"crm","id""#);
    for (content_type, body) in [(STRUCTURED, claiming.clone()), (BATCH, format!("[{claiming}]"))] {
        assert_eq!(fixture.post(content_type, body).await.status, StatusCode::ACCEPTED);
    }
    let chunk = chunk_request("s/r/chunks/1?first_ms=0&last_ms=9").header("ce-sender", "crm");
    assert_eq!(fixture.send(chunk.body("x".into()).unwrap()).await.status, StatusCode::ACCEPTED);
    let sent = fixture.sent();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|sent| sender(sent).as_deref() == Some("crm")), "{sent:?}");
    // Published as it was sent.
    assert_eq!(sent[0].value, claiming.as_bytes());
}

#[tokio::test]
async fn the_name_counts_as_a_part_of_the_event() {
    let fixture = fixture(Behaviour::Acknowledge);
    let of = |bytes: usize| {
        let rest = bytes - event("1").len();
        event("1").replace("hello", &format!("hello{}", "x".repeat(rest)))
    };
    // The limit of these settings.
    let largest = of(100_000);
    assert_eq!(fixture.post(STRUCTURED, largest.clone()).await.status, StatusCode::ACCEPTED);
    for (content_type, body) in [(STRUCTURED, largest.clone()), (BATCH, format!("[{largest}]"))] {
        let request = certified("/v1/events", "desk").header("content-type", content_type).body(body.into()).unwrap();
        let response = fixture.send(request).await;
        assert_eq!((response.status, response.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "event_too_large"));
    }
    let request = certified("/v1/events", "desk").header("content-type", STRUCTURED);
    assert_eq!(fixture.send(request.body(of(99_900).into()).unwrap()).await.status, StatusCode::ACCEPTED);
    fixture.assert_idle();
}

#[tokio::test]
async fn the_names_of_a_batch_count_among_the_bytes_in_flight() {
    let limits = GatewaySettings {
        max_event_bytes: 1_000,
        max_batch_bytes: 4_000,
        max_chunk_bytes: 1_000,
        max_in_flight_bytes: 8_000,
        ..settings()
    };
    let fixture = with_settings(Behaviour::Acknowledge, limits);
    let body = batch((10..32).map(|id| id.to_string()));
    assert!(body.len() <= 4_000, "{}", body.len());
    for (name, status) in [("x", StatusCode::ACCEPTED), ("x".repeat(255).as_str(), StatusCode::TOO_MANY_REQUESTS)] {
        let request = certified("/v1/events", name).header("content-type", BATCH).body(body.clone().into()).unwrap();
        assert_eq!(fixture.send(request).await.status, status, "{}", name.len());
        fixture.assert_idle();
    }
}

#[tokio::test]
async fn an_event_that_claims_another_sender_is_rejected() {
    let with_certificates = GatewaySettings { has_client_certificates: true, ..settings() };
    let fixture = with_settings(Behaviour::Acknowledge, with_certificates);
    let claims = |name: &str| event("1").replace(r#""id""#, &format!(r#""sender":{name},"id""#));
    let send = |request: axum::http::request::Builder, body: String| {
        fixture.send(request.header("content-type", STRUCTURED).body(body.into()).unwrap())
    };
    for other in [r#""crm""#, r#""Desk""#, "\"\"", "true"] {
        let response = send(certified("/v1/events", "desk"), claims(other)).await;
        assert_eq!((response.status, response.reason()), (StatusCode::FORBIDDEN, "other_sender"), "{other}");
        // The name of a token is from no authority, also if it is this one's own.
        for claimed in [claims(other), claims(r#""desk""#)] {
            let response = send(events_request(), claimed).await;
            assert_eq!((response.status, response.reason()), (StatusCode::FORBIDDEN, "other_sender"), "{other}");
        }
    }
    let of_batch = format!("[{},{}]", event("0"), claims(r#""crm""#));
    let request = certified("/v1/events", "desk").header("content-type", BATCH).body(of_batch.into()).unwrap();
    let response = fixture.send(request).await;
    assert_eq!((response.reason(), &response.body["index"]), ("other_sender", &1.into()));
    let chunk = chunk_request("s/r/chunks/1?first_ms=0&last_ms=9").header("ce-sender", "desk");
    assert_eq!(fixture.send(chunk.body("x".into()).unwrap()).await.reason(), "other_sender");
    assert_eq!(fixture.sent(), []);
    // Its own name may be claimed, and one that is null is no claim.
    for own in [claims(r#""desk""#), claims("null")] {
        assert_eq!(send(certified("/v1/events", "desk"), own).await.status, StatusCode::ACCEPTED);
    }
    assert!(fixture.sent().iter().all(|sent| sender(sent).as_deref() == Some("desk")));
    assert_eq!(send(events_request(), claims("null")).await.status, StatusCode::ACCEPTED);
    assert_eq!(sender(&fixture.sent()[2]), None);
}
