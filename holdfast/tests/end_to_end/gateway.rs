//! The HTTP API of a running server, and how soon SQL finds an accepted event.

use std::io::Write;
use std::time::{Duration, Instant};

use holdfast_testkit::kafka::clients::{self, Record};
use reqwest::StatusCode;
use serde_json::Value;

use crate::installation::{Installation, stop};
use crate::sender::{BATCH, STRUCTURED, Sender, chat};

/// From the 202 until SQL finds the event, with the default settings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_finds_an_accepted_event_within_six_seconds() {
    let installation = Installation::new().await;
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let archive = holdfast_archive::open_store("archive", installation.path(), &Default::default()).unwrap();
    let identity = std::fs::read_to_string(installation.secret("manager.identity")).unwrap();
    let identity = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().parse().unwrap();
    let archive = holdfast_archive::Archive::new(archive);
    let session = holdfast_query::Session::new(holdfast_query::SessionOptions::new(archive, vec![identity])).unwrap();
    let mut quickest = Duration::MAX;
    // The best of several attempts, because other tests use the machine too.
    for attempt in 0..4 {
        let response = sender.event(&chat(&format!("fresh-{attempt}"), "s-fresh", attempt, "how soon?")).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let accepted = Instant::now();
        let statement = format!("SELECT id FROM archive.events WHERE id = 'fresh-{attempt}'");
        while session.sql(&statement).await.unwrap().collect().await.unwrap().iter().all(|rows| rows.num_rows() == 0) {
            assert!(accepted.elapsed() < Duration::from_secs(30), "it is not in SQL after 30 seconds");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        quickest = quickest.min(accepted.elapsed());
        if quickest < Duration::from_secs(6) {
            break;
        }
    }
    println!("found after {quickest:?}");
    assert!(quickest < Duration::from_secs(6), "{quickest:?}");
    stop(server).await;
}

/// Each refusal has its status and reason, and no refused request is archived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_refused_with_a_reason() {
    let installation = Installation::new().await;
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let event = chat("refused", "s-refused", 0, "x").to_string();
    let structured = |body: Vec<u8>| sender.post("/v1/events").header("content-type", STRUCTURED).body(body);
    let cases = [
        (
            401,
            "missing_token",
            sender.post_without_token("/v1/events").header("content-type", STRUCTURED).body(event.clone()),
        ),
        (401, "invalid_token", sender.post_without_token("/v1/events").bearer_auth("not it").body(event.clone())),
        (400, "invalid_json", structured(b"{\"specversion\":".to_vec())),
        (400, "invalid_utf8", structured(b"{\"specversion\":\"\xff\"}".to_vec())),
        (400, "missing_attribute", structured(b"{\"specversion\":\"1.0\"}".to_vec())),
        (400, "duplicate_key", structured(b"{\"id\":\"1\",\"id\":\"2\"}".to_vec())),
        (400, "nested_too_deep", structured(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into())),
        (400, "invalid_time", structured(event.replace("10:00:00Z", "10:00:00").into())),
        (400, "invalid_json", structured(event.replace("\"x\"", "\"\0\"").into())),
        // One invalid event refuses the whole batch.
        (
            400,
            "missing_attribute",
            sender.post("/v1/events").header("content-type", BATCH).body(format!("[{event},{{}}]")),
        ),
        (400, "empty", sender.post("/v1/recordings/s/r/chunks/0?first_ms=0&last_ms=9").body(Vec::new())),
        (400, "invalid_query", sender.post("/v1/recordings/s/r/chunks/0?first_ms=0").body("x")),
        (413, "", structured(vec![b' '; 50 << 20])),
        (413, "", sender.post("/v1/events").header("content-type", BATCH).body(vec![b' '; 50 << 20])),
        (413, "", sender.post("/v1/recordings/s/r/chunks/0?first_ms=0&last_ms=9").body(vec![7; 50 << 20])),
        // A small body that decompresses to fifty megabytes.
        (413, "", structured(gzip(&vec![b' '; 50 << 20])).header("content-encoding", "gzip")),
        (413, "", structured(zstd::encode_all(&*vec![b' '; 50 << 20], 1).unwrap()).header("content-encoding", "zstd")),
        (415, "unsupported_media_type", sender.post("/v1/events").header("content-type", "text/html").body("x")),
        (415, "unsupported_encoding", structured(event.clone().into()).header("content-encoding", "br")),
    ];
    for (number, (status, reason, request)) in cases.into_iter().enumerate() {
        let response = request.send().await.unwrap_or_else(|error| panic!("case {number}, {status} {reason}: {error}"));
        assert_eq!(response.status().as_u16(), status, "case {number}: {reason}");
        let problem: Value = response.json().await.unwrap();
        assert!(reason.is_empty() || problem["reason"] == reason, "case {number}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
    }
    stop(server).await;
    // The tables need not exist: no event was accepted.
    let events = installation.number("SELECT count(*) AS n FROM archive.events").await;
    let letters = installation.number("SELECT count(*) AS n FROM archive.dead_letters").await;
    assert_eq!((events, letters), (0, 0));
}

/// Structured, batch and binary mode, chunks, and compressed bodies; and messages that are produced directly to Kafka.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_from_every_interface_are_archived() {
    let installation = Installation::new().await.set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1");
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let structured = |body: Vec<u8>| sender.post("/v1/events").header("content-type", STRUCTURED).body(body);
    let one = |id: &str| chat(id, "s-ways", 1, "one of the ways").to_string().into_bytes();
    let binary = |id: &str| {
        let attributes = [
            ("ce-specversion", "1.0"),
            ("ce-source", "urn:x"),
            ("ce-type", "survey.submitted"),
            ("ce-subject", "s-ways"),
            ("ce-time", "2026-11-20T10:00:00+01:00"),
            ("ce-color", "blue"),
            ("content-type", "application/json"),
        ];
        let request = sender.post("/v1/events").header("ce-id", id).body(r#"{"rating":4,"feedback":"fine"}"#);
        attributes.into_iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    let requests = [
        structured(one("structured")),
        structured(gzip(&one("gzip"))).header("content-encoding", "gzip"),
        structured(zstd::encode_all(&*one("zstd"), 3).unwrap()).header("content-encoding", "zstd"),
        binary("binary"),
    ];
    for request in requests {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.json::<Value>().await.unwrap()["accepted"], 1);
    }
    let batch: Vec<Value> = (0..50).map(|number| chat(&format!("batch-{number}"), "s-ways", number, "x")).collect();
    sender.batch(&batch).await;
    for seq in [0, 1, 3] {
        sender.chunk("s-ways", "r-ways", seq, vec![u8::try_from(seq).unwrap(); 40_000]).await;
    }
    // Messages that are produced directly to Kafka are not validated. Invalid ones become dead letters.
    let records = [
        Record::new("holdfast.events", "no event").key("s-ways").header("producer", "crm-bridge"),
        Record::tombstone("holdfast.events", "s-ways"),
    ];
    let positions = clients::produce(&installation.broker, &records).await.unwrap();
    stop(server).await;

    assert_eq!(installation.number("SELECT count(*) AS n FROM archive.events").await, 4 + 50 + 3);
    let rows = installation.sql("SELECT session, rating, feedback FROM archive.surveys").await;
    assert_eq!(rows, [serde_json::json!({"session": "s-ways", "rating": 4, "feedback": "fine"})]);
    let rows = installation.sql("SELECT recording_id, chunks, bytes, missing FROM archive.recordings").await;
    let expected = serde_json::json!({"recording_id": "r-ways", "chunks": 3, "bytes": 120_000, "missing": "2"});
    assert_eq!(rows, [expected]);
    let rows = installation
        .sql("SELECT kafka_topic, kafka_partition, kafka_offset, reason, headers FROM archive.dead_letters ORDER BY kafka_offset")
        .await;
    let places: Vec<_> =
        rows.iter().map(|row| (row["kafka_partition"].as_i64(), row["kafka_offset"].as_i64())).collect();
    let expected: Vec<_> =
        positions.iter().map(|position| (Some(i64::from(position.partition)), Some(position.offset))).collect();
    assert_eq!(places, expected);
    let reasons: Vec<_> = rows.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["invalid_json", "empty"]);
    assert!(rows[0]["headers"].as_str().unwrap().contains("crm-bridge"));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
