//! Tests that every pair of broker and store must pass.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use holdfast_ingest::gateway::{ApiToken, Gateway, GatewaySettings, system_clock};
use holdfast_ingest::producer::KafkaProducer;
use holdfast_testkit::faults::{Failure, Fault, Operation, Rule, When};
use holdfast_testkit::require;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tower::ServiceExt;

use crate::fixture::{BrokerKind, Fixture, StoreKind};
use crate::sent::{Outcome, Sent, noise};
use crate::{bad_input, faults, groups};

macro_rules! conformance {
    ($($pair:ident: $broker:ident, $store:ident;)*) => {
        $(mod $pair {
            use super::*;
            conformance!(@tests $broker, $store:
                super::every_acknowledged_event_is_archived_once,
                super::a_restart_continues_at_the_logs_offsets,
                super::killed_archivers_lose_nothing,
                super::events_accepted_by_the_gateway_are_archived,
                super::a_stopped_archiver_archives_what_it_has_read,
                super::chunks_are_archived_as_received,
                bad_input::bad_input_becomes_dead_letters,
                bad_input::unusual_events_are_archived,
                faults::failed_puts_are_retried,
                faults::successful_puts_that_report_an_error_are_recognised,
                faults::the_archiver_waits_for_slow_puts,
                faults::the_archiver_waits_while_the_disk_is_full,
                groups::two_archivers_share_and_hand_over,
                groups::a_rebalance_during_an_outage_loses_nothing,
                groups::a_zombie_is_fenced,
                groups::a_zombie_of_the_same_group_is_fenced,
            );
        })*
    };
    (@tests $broker:ident, $store:ident: $($module:ident::$case:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fixture = require!(Fixture::start(BrokerKind::$broker, StoreKind::$store).await);
            $module::$case(&fixture).await;
        })*
    };
}

conformance! {
    apache_and_folder: Apache, Folder;
    apache_and_s3: Apache, S3;
    embedded_and_folder: Embedded, Folder;
    embedded_and_memory: Embedded, Memory;
}

/// Chat lines and surveys of several sessions.
pub(crate) fn events(fixture: &Fixture, prefix: &str, sessions: usize, lines: usize) -> Vec<Sent> {
    (0..lines)
        .flat_map(|line| (0..sessions).map(move |session| (session, line)))
        .map(|(session, line)| {
            let session = format!("{prefix}-{session}");
            if line % 10 == 9 {
                Sent::binary(fixture.events(), &session, line)
            } else {
                Sent::chat(fixture.events(), &session, line)
            }
        })
        .collect()
}

/// Chunks of one recording.
fn chunks(fixture: &Fixture, session: &str, recording: &str, seqs: impl IntoIterator<Item = i64>) -> Vec<Sent> {
    let chunk = |seq: i64| {
        let length = 20_000 + 7_000 * usize::try_from(seq).unwrap();
        Sent::chunk(fixture.recordings(), session, recording, seq, noise(seq as u64 + 1, length))
    };
    seqs.into_iter().map(chunk).collect()
}

/// Events, chunks and dead letters, sent before the archiver starts and while it runs.
async fn every_acknowledged_event_is_archived_once(fixture: &Fixture) {
    fixture.send(events(fixture, "before", 7, 120)).await;
    fixture.send(chunks(fixture, "before-1", "r-1", 0..12)).await;
    let archiver = fixture.archiver();
    archiver.ready().await;
    fixture.send(events(fixture, "while", 5, 60)).await;
    fixture.send(vec![Sent::new(fixture.events(), "no event", Outcome::DeadLetter { reason: "invalid_json" })]).await;
    fixture.send(chunks(fixture, "while-1", "r-2", 0..5)).await;
    let contents = fixture.wait_and_check().await;
    assert_eq!((contents.events.len(), contents.dead.len()), (7 * 120 + 12 + 5 * 60 + 5, 1));
    assert!(contents.events.iter().all(|row| row.class == "general"));
    archiver.stop().await;
    fixture.check().await;
}

async fn a_restart_continues_at_the_logs_offsets(fixture: &Fixture) {
    for round in 0..3 {
        fixture.send(events(fixture, &format!("round-{round}"), 3, 40)).await;
        // The third time in a new group: the start offsets are in the log, not in the group.
        let archiver = if round == 2 { fixture.archiver_in_new_group() } else { fixture.archiver() };
        fixture.wait_until_archived().await;
        archiver.stop().await;
        fixture.check().await;
    }
    // Without new events, nothing is written.
    let before = fixture.archive.table(holdfast_archive::Table::Events).snapshot().await.unwrap().version;
    let archiver = fixture.archiver_in_new_group();
    archiver.ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    archiver.stop().await;
    let after = fixture.archive.table(holdfast_archive::Table::Events).snapshot().await.unwrap().version;
    assert_eq!(before, after);
    fixture.check().await;
}

/// Archivers start and are killed at pseudo-random moments, while events are sent.
async fn killed_archivers_lose_nothing(fixture: &Fixture) {
    let moments = noise(20_261_123, 6);
    for (round, moment) in moments.into_iter().enumerate() {
        fixture.send(events(fixture, &format!("kill-{round}"), 4, 40)).await;
        fixture.send(chunks(fixture, &format!("kill-{round}-1"), &format!("r-{round}"), 0..3)).await;
        let archiver = fixture.archiver_in_new_group();
        archiver.ready().await;
        tokio::time::sleep(Duration::from_millis(u64::from(moment) * 3)).await;
        archiver.kill();
    }
    let archiver = fixture.archiver_in_new_group();
    fixture.wait_and_check().await;
    archiver.stop().await;
    fixture.check().await;
}

/// The whole pipeline: HTTP, an idempotent producer, Kafka, the archive.
async fn events_accepted_by_the_gateway_are_archived(fixture: &Fixture) {
    let settings = GatewaySettings {
        events_topic: fixture.events().to_owned(),
        recordings_topic: fixture.recordings().to_owned(),
        tokens: vec![ApiToken::new("test", "a token")],
        ..GatewaySettings::default()
    };
    let producer = KafkaProducer::new(&fixture.kafka).unwrap();
    let gateway = Gateway::new(settings, Arc::new(producer), system_clock(), &mut Registry::default()).unwrap();
    let post = async |path: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        let mut request = Request::post(path).header("authorization", "Bearer a token");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = gateway.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{path}");
    };
    let archiver = fixture.archiver();
    archiver.ready().await;

    let structured: Vec<Sent> = (0..3).map(|line| Sent::chat(fixture.events(), "http", line)).collect();
    for sent in &structured {
        let body = sent.value.clone().unwrap();
        post("/v1/events", &[("content-type", "application/cloudevents+json")], body).await;
    }
    let batch: Vec<Sent> = (3..60).map(|line| Sent::chat(fixture.events(), "http", line)).collect();
    let bodies: Vec<_> = batch.iter().map(|sent| String::from_utf8(sent.value.clone().unwrap()).unwrap()).collect();
    let body = format!("[{}]", bodies.join(",")).into_bytes();
    post("/v1/events", &[("content-type", "application/cloudevents-batch+json")], body).await;
    let chunk = Sent::chunk(fixture.recordings(), "http", "r-http", 3, noise(3, 50_000));
    let headers: Vec<(String, String)> = chunk
        .headers
        .iter()
        .map(|(name, value)| (name.replace("ce_", "ce-"), String::from_utf8(value.clone()).unwrap()))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    post("/v1/events", &headers, chunk.value.clone().unwrap()).await;

    // The gateway does not report positions in Kafka.
    for sent in structured.into_iter().chain(batch).chain([chunk]) {
        fixture.expectation().add(None, sent);
    }
    fixture.wait_and_check().await;
    archiver.stop().await;
}

/// A stop during a backlog, while the store is slow, archives what was read. The next archiver archives the rest.
async fn a_stopped_archiver_archives_what_it_has_read(fixture: &Fixture) {
    let archiver = fixture.archiver();
    archiver.ready().await;
    let slow = Rule::new(Fault::Delay(Duration::from_millis(300))).on(&[Operation::Put]);
    archiver.faults.inject(slow);
    fixture.send(events(fixture, "stop", 5, 200)).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    archiver.stop().await;
    let archived = fixture.rows().await;
    assert!(archived > 0, "the stopped archiver archives what it has read");
    let archiver = fixture.archiver();
    fixture.wait_and_check().await;
    archiver.stop().await;
}

/// Chunks out of order, duplicated, and with gaps: rows and bytes are as received.
async fn chunks_are_archived_as_received(fixture: &Fixture) {
    let archiver = fixture.archiver();
    archiver.ready().await;
    fixture.send(chunks(fixture, "s-order", "r-order", [2, 0, 1, 3])).await;
    fixture.send(chunks(fixture, "s-twice", "r-twice", [0, 1, 1, 2, 0])).await;
    fixture.send(chunks(fixture, "s-hole", "r-hole", [0, 1, 5, 9])).await;
    // The same number again, with other bytes and after a flush.
    fixture.wait_until_archived().await;
    let other = Sent::chunk(fixture.recordings(), "s-hole", "r-hole", 5, noise(99, 1_234));
    fixture.send(vec![other]).await;
    // A put that succeeds and reports an error is retried: the archiver recognises its object.
    let lost = archiver.faults.inject(
        Rule::new(Fault::FailAfter(Failure::Transient))
            .on(&[Operation::Put])
            .path_contains("recordings/")
            .when(When::First(2)),
    );
    fixture.send(chunks(fixture, "s-lost", "r-lost", 0..6)).await;
    let contents = fixture.wait_and_check().await;
    assert!(archiver.faults.fired(lost) > 0);
    let seqs = |id: &str| -> Vec<i64> {
        let mut rows: Vec<_> = contents.events.iter().filter(|row| row.id.starts_with(id)).collect();
        rows.sort_by_key(|row| row.position.clone());
        rows.iter().map(|row| row.seq.unwrap()).collect()
    };
    assert_eq!(seqs("r-order-"), [2, 0, 1, 3]);
    assert_eq!(seqs("r-twice-"), [0, 1, 1, 2, 0]);
    assert_eq!(seqs("r-hole-"), [0, 1, 5, 9, 5]);
    archiver.stop().await;
}
