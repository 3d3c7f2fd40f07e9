//! Which events are accepted, how they are published, and how the others are rejected.

use super::*;

#[tokio::test]
async fn a_structured_event_is_published_byte_for_byte() {
    let fixture = fixture(Behaviour::Acknowledge);
    let body = event("1").replace("\"seq\":0", " \"seq\" : 0");
    let response = fixture.post("application/cloudevents+json; charset=UTF-8", body.clone()).await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.body, serde_json::json!({"accepted": 1, "events": []}));
    let headers = vec![("content-type".to_owned(), STRUCTURED.to_owned())];
    let expected =
        Sent { topic: "holdfast.events".to_owned(), key: "s-1".to_owned(), value: body.into_bytes(), headers };
    assert_eq!(fixture.sent(), [expected]);
}

#[tokio::test]
async fn a_batch_is_published_as_single_events() {
    let fixture = fixture(Behaviour::Acknowledge);
    let body = format!(" [ {} ,\n{}]", event("1"), event("2"));
    let response = fixture.post(BATCH, body).await;
    assert_eq!((response.status, &response.body["accepted"]), (StatusCode::ACCEPTED, &2.into()));
    let sent = fixture.sent();
    assert_eq!([sent[0].key.as_str(), sent[1].key.as_str()], ["s-1", "s-2"]);
    assert_eq!(sent[1].value, event("2").into_bytes());
    let empty = fixture.post(BATCH, "[]").await;
    assert_eq!((empty.status, &empty.body["accepted"]), (StatusCode::ACCEPTED, &0.into()));
}

fn binary(headers: &[(&str, &str)]) -> axum::http::request::Builder {
    let mut builder = events_request();
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder
}

const ATTRIBUTES: [(&str, &str); 6] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "urn:x"),
    ("ce-type", "survey.submitted"),
    ("ce-subject", "s-1"),
    ("ce-time", "2026-01-31T09:30:00Z"),
];

#[tokio::test]
async fn binary_mode_stays_binary_mode() {
    let fixture = fixture(Behaviour::Acknowledge);
    let request =
        binary(&ATTRIBUTES).header("ce-customer", "Caf%C3%A9%20%22x%22").header("content-type", "application/json");
    let response = fixture.send(request.body(r#"{"rating":5}"#.into()).unwrap()).await;
    assert_eq!((response.status, &response.body["events"]), (StatusCode::ACCEPTED, &serde_json::json!([])));
    let sent = fixture.sent().remove(0);
    assert_eq!((sent.key.as_str(), sent.value.as_slice()), ("s-1", br#"{"rating":5}"#.as_slice()));
    let header = |name: &str| sent.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("ce_specversion"), Some("1.0"));
    assert_eq!(header("ce_customer"), Some("Café \"x\""));
    assert_eq!(header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_success_reports_deviations_from_the_catalogue() {
    let fixture = fixture(Behaviour::Acknowledge);
    let wrong = event("2").replace(r#""seq":0,"#, "");
    let unknown = event("3").replace("chat.line", "espresso.brewed");
    let response = fixture.post(BATCH, format!("[{},{wrong},{unknown}]", event("1"))).await;
    assert_eq!((response.status, &response.body["accepted"]), (StatusCode::ACCEPTED, &3.into()));
    assert_eq!(response.body["events"], serde_json::json!([{"index": 1, "id": "2", "problems": "seq is missing"}]));
    assert_eq!(fixture.sent().len(), 3);
}

#[tokio::test]
async fn an_invalid_event_is_rejected_with_its_reason() {
    let fixture = fixture(Behaviour::Acknowledge);
    let good = event("1");
    let deep = good.replace("\"hello\"", &format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)));
    for (body, reason) in [
        (good.replace("}}", "}").into_bytes(), "invalid_json"),
        (b"not json".to_vec(), "invalid_json"),
        (Vec::new(), "empty"),
        (good.replace("hello", "\u{1}").into_bytes(), "invalid_json"),
        (good.replace("hello", "\0").into_bytes(), "invalid_json"),
        ([&good.as_bytes()[..20], b"\xff\xfe", &good.as_bytes()[20..]].concat(), "invalid_utf8"),
        (good.replace(r#""id":"1","#, "").into_bytes(), "missing_attribute"),
        (good.replace(r#""subject":"s-1","#, "").into_bytes(), "missing_attribute"),
        (good.replace(r#""seq":0"#, r#""seq":0,"seq":1"#).into_bytes(), "duplicate_key"),
        (good.replace("+01:00", "").into_bytes(), "invalid_time"),
        (good.replace(r#""1.0""#, r#""0.3""#).into_bytes(), "unsupported_version"),
        (deep.into_bytes(), "nested_too_deep"),
        (format!("[{good}]").into_bytes(), "not_an_event"),
    ] {
        let response = fixture.post(STRUCTURED, body).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason), "{response:?}");
        assert_eq!(response.body["type"], format!("urn:holdfast:problem:{reason}"));
        assert!(response.body.get("index").is_none());
    }
    assert_eq!(fixture.sent(), []);
    let metrics = fixture.metrics();
    assert!(
        metrics.contains(r#"gateway_rejected_requests_total{route="events",reason="duplicate_key"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"gateway_requests_total{route="events",status="400"} 13"#), "{metrics}");
    fixture.assert_idle();
}

#[tokio::test]
async fn past_and_future_times_and_an_escaped_nul_are_valid() {
    let fixture = fixture(Behaviour::Acknowledge);
    for body in [
        event("1").replace("2026-01-31T10:30:00+01:00", "1970-01-01T00:00:00Z"),
        event("1").replace("2026-01-31T10:30:00+01:00", "2090-12-31T00:00:00Z"),
        event("1").replace("2026-01-31T10:30:00+01:00", "0001-01-01T00:00:00Z"),
        event("1").replace("2026-01-31T10:30:00+01:00", "9999-12-31T23:59:59.9999999-05:00"),
        event("1").replace("hello", "\\u0000"),
        event("1"),
        event("1"),
    ] {
        assert_eq!(fixture.post(STRUCTURED, body).await.status, StatusCode::ACCEPTED);
    }
    assert_eq!(fixture.sent().len(), 7);
}

#[tokio::test]
async fn nothing_of_a_batch_with_an_invalid_event_is_published() {
    let fixture = fixture(Behaviour::Acknowledge);
    let body = format!("[{},{},{}]", event("1"), event("2").replace("+01:00", ""), event("3"));
    let response = fixture.post(BATCH, body).await;
    assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, "invalid_time"));
    assert_eq!(response.body["index"], 1);
    let begins = format!("byte {} of the body", event("1").len() + 2);
    assert!(response.detail().contains(&begins), "{}", response.detail());
    for (body, reason) in [
        (format!("[{},", event("1")), "invalid_json"),
        (event("1"), "not_an_event"),
        (format!("[{},5]", event("1")), "not_an_event"),
    ] {
        let response = fixture.post(BATCH, body).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason));
    }
    assert_eq!(fixture.sent(), []);
}

#[tokio::test]
async fn an_error_in_the_json_of_a_batch_names_the_event() {
    let fixture = fixture(Behaviour::Acknowledge);
    let (first, good) = (event("1"), event("3"));
    for (bad, reason) in [
        (event("2").replace("hello", "so happy \\ud83d").into_bytes(), "invalid_json"),
        (event("2").replace(r#""seq":0"#, r#""seq":0,"seq":1"#).into_bytes(), "duplicate_key"),
        (event("2").replace("hello", "\u{1}").into_bytes(), "invalid_json"),
        (event("2").chars().map(|letter| if letter == 'o' { 0xff } else { letter as u8 }).collect(), "invalid_utf8"),
        (b"5".to_vec(), "not_an_event"),
    ] {
        let body = [b"[".as_slice(), first.as_bytes(), b",", &bad, b",", good.as_bytes(), b"]"].concat();
        let response = fixture.post(BATCH, body).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason), "{response:?}");
        assert_eq!(response.body["index"], 1, "{response:?}");
        let begins = format!("begins at byte {} of the body", first.len() + 2);
        assert!(response.detail().contains(&begins), "{}", response.detail());
    }
    let unfinished = fixture.post(BATCH, format!("[{first}")).await;
    assert_eq!((unfinished.reason(), unfinished.body.get("index")), ("invalid_json", None));
    assert_eq!(fixture.sent(), []);
}

#[tokio::test]
async fn a_byte_order_mark_before_an_event_or_a_batch_belongs_to_nothing() {
    let fixture = fixture(Behaviour::Acknowledge);
    for (content_type, body) in [(STRUCTURED, event("1")), (BATCH, format!("[{}]", event("1")))] {
        let response = fixture.post(content_type, format!("\u{feff}{body}")).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
    }
    for sent in fixture.sent() {
        assert_eq!((sent.key.as_str(), sent.value), ("s-1", event("1").into_bytes()));
    }
    for nothing in ["\u{feff}", "\u{feff}\u{feff}{}"] {
        assert_eq!(fixture.post(STRUCTURED, nothing).await.status, StatusCode::BAD_REQUEST, "{nothing:?}");
    }
    assert_eq!(fixture.sent().len(), 2);
}

#[tokio::test]
async fn access_records_of_senders_are_rejected() {
    let fixture = fixture(Behaviour::Acknowledge);
    let forged = event("2").replace("chat.line", "archive.queried");
    for (content_type, body, index) in [
        (STRUCTURED, forged.clone(), None),
        (BATCH, format!("[{},{forged}]", event("1")), Some(1)),
        (STRUCTURED, forged.replace("archive.queried", "archive.invented"), None),
        (STRUCTURED, forged.replace("archive", "\\u0061rchive"), None),
    ] {
        let response = fixture.post(content_type, body).await;
        assert_eq!((response.status, response.reason()), (StatusCode::FORBIDDEN, "reserved_type"), "{response:?}");
        assert_eq!(response.body.get("index").and_then(|index| index.as_u64()), index);
    }
    let attributes = ATTRIBUTES.map(|(name, value)| (name, if name == "ce-type" { "archive.denied" } else { value }));
    let request = binary(&attributes).header("content-type", "application/json").body("{}".into()).unwrap();
    assert_eq!(fixture.send(request).await.reason(), "reserved_type");
    assert_eq!(fixture.sent(), []);
    let near = event("3").replace("chat.line", "archives.opened");
    assert_eq!(fixture.post(STRUCTURED, near).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn invalid_headers_are_rejected() {
    let fixture = fixture(Behaviour::Acknowledge);
    for (extra, reason) in [
        (("ce-customer", "50% off"), "invalid_percent_encoding"),
        (("ce-customer", "%ff"), "invalid_utf8"),
        (("ce-customer", "%00"), "invalid_attribute"),
        (("ce-customer", "\"open"), "invalid_quoting"),
        (("ce-external_key", "1"), "invalid_attribute"),
        (("ce-id", "2"), "duplicate_header"),
        (("ce-datacontenttype", "text/plain"), "invalid_attribute"),
        (("ce-data", "{}"), "invalid_attribute"),
        (("authorization", "Bearer x"), "duplicate_header"),
    ] {
        let request = binary(&ATTRIBUTES).header(extra.0, extra.1).header("content-type", "application/json");
        let response = fixture.send(request.body("{}".into()).unwrap()).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, reason), "{extra:?}");
        assert!(!response.detail().contains("50%"));
    }
    for left_out in ATTRIBUTES {
        let rest: Vec<_> = ATTRIBUTES.into_iter().filter(|attribute| *attribute != left_out).collect();
        let response = fixture.send(binary(&rest).body("{}".into()).unwrap()).await;
        assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, "missing_attribute"));
    }
    assert_eq!(fixture.sent(), []);
}

#[tokio::test]
async fn other_content_types_are_not_supported() {
    let fixture = fixture(Behaviour::Acknowledge);
    for content_type in [
        "application/json",
        "text/plain",
        "application/cloudevents+avro",
        "application/cloudevents-batch+protobuf",
        "application/cloudevents+json; charset=iso-8859-1",
        "",
    ] {
        let response = fixture.post(content_type, event("1")).await;
        assert_eq!(
            (response.status, response.reason()),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            "{content_type}"
        );
    }
    let none = fixture.send(events_request().body(event("1").into()).unwrap()).await;
    assert_eq!(none.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(fixture.sent(), []);
}

#[tokio::test]
async fn a_sender_without_a_valid_token_is_rejected() {
    let fixture = fixture(Behaviour::Acknowledge);
    let request = |value: Option<&str>| {
        let request = Request::post("/v1/events").header("content-type", STRUCTURED);
        let request = value.into_iter().fold(request, |request, value| request.header("authorization", value));
        request.body(event("1").into()).unwrap()
    };
    for (value, reason, challenge) in [
        (None, "missing_token", "Bearer"),
        (Some("Basic dTpw"), "missing_token", "Bearer"),
        (Some("Bearer"), "missing_token", "Bearer"),
        (Some("Bearer "), "missing_token", "Bearer"),
        (Some("Bearer wrong"), "invalid_token", "Bearer error=\"invalid_token\""),
        (Some("Bearer correct-hors"), "invalid_token", "Bearer error=\"invalid_token\""),
    ] {
        let response = fixture.send(request(value)).await;
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{value:?}");
        assert_eq!(response.header("www-authenticate").map(|value| &value[..6]), Some("Bearer"));
        if value != Some("Bearer ") {
            assert_eq!((response.reason(), response.header("www-authenticate")), (reason, Some(challenge)));
        }
    }
    assert_eq!(fixture.sent(), []);
    for value in ["Bearer correct-horse", "bearer battery-staple"] {
        assert_eq!(fixture.send(request(Some(value))).await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn other_methods_and_paths_do_not_exist() {
    let fixture = fixture(Behaviour::Acknowledge);
    let get = Request::get("/v1/events").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(get).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = Request::post("/v2/events").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(elsewhere).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn invalid_settings_are_rejected() {
    let publisher = || fixture(Behaviour::Acknowledge).publisher as Arc<dyn Publisher>;
    for broken in [
        GatewaySettings { tokens: Vec::new(), ..settings() },
        GatewaySettings { tokens: vec![ApiToken::new("x", " \n")], ..settings() },
        GatewaySettings { max_in_flight: 0, ..settings() },
        GatewaySettings { max_in_flight_bytes: 500_000, ..settings() },
    ] {
        let refused = Gateway::new(broken, publisher(), system_clock(), &mut Registry::default());
        assert!(refused.is_err_and(|error| error.to_string().contains("gateway")));
    }
    assert!(!format!("{:?}", settings()).contains(TOKEN));
}
