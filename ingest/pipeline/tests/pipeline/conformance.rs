//! What holds for every broker and every store, written once.

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

use crate::sent::{Fate, Sent, noise};
use crate::world::{BrokerKind, StoreKind, World};
use crate::{bad_input, faults, groups};

macro_rules! conformance {
    ($($pair:ident: $broker:ident, $store:ident;)*) => {
        $(mod $pair {
            use super::*;
            conformance!(@tests $broker, $store:
                super::every_acknowledged_event_is_archived_once,
                super::a_restart_goes_on_where_the_log_ends,
                super::killed_archivers_lose_nothing,
                super::what_the_gateway_accepted_is_archived,
                super::a_stop_archives_what_was_read,
                super::chunks_are_archived_as_they_come,
                bad_input::bad_input_becomes_dead_letters,
                bad_input::unlikely_events_are_archived,
                faults::failed_puts_are_tried_again,
                faults::lost_answers_do_no_harm,
                faults::slow_puts_are_waited_for,
                faults::a_full_disk_is_waited_for,
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
            let world = require!(World::start(BrokerKind::$broker, StoreKind::$store).await);
            $module::$case(&world).await;
        })*
    };
}

conformance! {
    apache_and_folder: Apache, Folder;
    apache_and_s3: Apache, S3;
    embedded_and_folder: Embedded, Folder;
    embedded_and_memory: Embedded, Memory;
}

/// Lines of chat and answers to surveys of some sessions.
pub(crate) fn events(world: &World, prefix: &str, sessions: usize, lines: usize) -> Vec<Sent> {
    (0..lines)
        .flat_map(|line| (0..sessions).map(move |session| (session, line)))
        .map(|(session, line)| {
            let session = format!("{prefix}-{session}");
            if line % 10 == 9 {
                Sent::binary(world.events(), &session, line)
            } else {
                Sent::chat(world.events(), &session, line)
            }
        })
        .collect()
}

/// Chunks of one recording.
fn chunks(world: &World, session: &str, recording: &str, seqs: impl IntoIterator<Item = i64>) -> Vec<Sent> {
    let chunk = |seq: i64| {
        let length = 20_000 + 7_000 * usize::try_from(seq).unwrap();
        Sent::chunk(world.recordings(), session, recording, seq, noise(seq as u64 + 1, length))
    };
    seqs.into_iter().map(chunk).collect()
}

/// Both what waited before the archiver came and what comes while it runs; events, chunks and dead letters.
async fn every_acknowledged_event_is_archived_once(world: &World) {
    world.send(events(world, "before", 7, 120)).await;
    world.send(chunks(world, "before-1", "r-1", 0..12)).await;
    let archiver = world.archiver();
    archiver.ready().await;
    world.send(events(world, "while", 5, 60)).await;
    world.send(vec![Sent::new(world.events(), "no event", Fate::Dead { reason: "invalid_json" })]).await;
    world.send(chunks(world, "while-1", "r-2", 0..5)).await;
    let contents = world.settle_and_check().await;
    assert_eq!((contents.events.len(), contents.dead.len()), (7 * 120 + 12 + 5 * 60 + 5, 1));
    assert!(contents.events.iter().all(|row| row.class == "general"));
    archiver.stop().await;
    world.check().await;
}

async fn a_restart_goes_on_where_the_log_ends(world: &World) {
    for round in 0..3 {
        world.send(events(world, &format!("round-{round}"), 3, 40)).await;
        // The third time in a group that Kafka has never heard of: where to go on stands in the log, not in the group.
        let archiver = if round == 2 { world.stranger() } else { world.archiver() };
        world.settle().await;
        archiver.stop().await;
        world.check().await;
    }
    // With nothing new, nothing is written.
    let before = world.archive.table(holdfast_archive::Table::Events).snapshot().await.unwrap().version;
    let archiver = world.stranger();
    archiver.ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    archiver.stop().await;
    let after = world.archive.table(holdfast_archive::Table::Events).snapshot().await.unwrap().version;
    assert_eq!(before, after);
    world.check().await;
}

/// Archivers come and are killed at moments that a seed decides, while events flow.
async fn killed_archivers_lose_nothing(world: &World) {
    let moments = noise(20_261_123, 6);
    for (round, moment) in moments.into_iter().enumerate() {
        world.send(events(world, &format!("kill-{round}"), 4, 40)).await;
        world.send(chunks(world, &format!("kill-{round}-1"), &format!("r-{round}"), 0..3)).await;
        let archiver = world.stranger();
        archiver.ready().await;
        tokio::time::sleep(Duration::from_millis(u64::from(moment) * 3)).await;
        archiver.kill();
    }
    let archiver = world.stranger();
    world.settle_and_check().await;
    archiver.stop().await;
    world.check().await;
}

/// The whole way in: HTTP, an idempotent producer, Kafka, the archive.
async fn what_the_gateway_accepted_is_archived(world: &World) {
    let settings = GatewaySettings {
        events_topic: world.events().to_owned(),
        recordings_topic: world.recordings().to_owned(),
        tokens: vec![ApiToken::new("test", "a token")],
        ..GatewaySettings::default()
    };
    let producer = KafkaProducer::new(&world.kafka).unwrap();
    let gateway = Gateway::new(settings, Arc::new(producer), system_clock(), &mut Registry::default()).unwrap();
    let post = async |path: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        let mut request = Request::post(path).header("authorization", "Bearer a token");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = gateway.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{path}");
    };
    let archiver = world.archiver();
    archiver.ready().await;

    let structured: Vec<Sent> = (0..3).map(|line| Sent::chat(world.events(), "http", line)).collect();
    for sent in &structured {
        let body = sent.value.clone().unwrap();
        post("/v1/events", &[("content-type", "application/cloudevents+json")], body).await;
    }
    let batch: Vec<Sent> = (3..60).map(|line| Sent::chat(world.events(), "http", line)).collect();
    let bodies: Vec<_> = batch.iter().map(|sent| String::from_utf8(sent.value.clone().unwrap()).unwrap()).collect();
    let body = format!("[{}]", bodies.join(",")).into_bytes();
    post("/v1/events", &[("content-type", "application/cloudevents-batch+json")], body).await;
    let chunk = Sent::chunk(world.recordings(), "http", "r-http", 3, noise(3, 50_000));
    let headers: Vec<(String, String)> = chunk
        .headers
        .iter()
        .map(|(name, value)| (name.replace("ce_", "ce-"), String::from_utf8(value.clone()).unwrap()))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    post("/v1/events", &headers, chunk.value.clone().unwrap()).await;

    // The gateway does not say where in Kafka they stand.
    for sent in structured.into_iter().chain(batch).chain([chunk]) {
        world.expectation().add(None, sent);
    }
    world.settle_and_check().await;
    archiver.stop().await;
}

/// A stop in the middle of a backlog, while the store is slow, archives what was read; the rest is there the next time.
async fn a_stop_archives_what_was_read(world: &World) {
    let archiver = world.archiver();
    archiver.ready().await;
    let slow = Rule::new(Fault::Delay(Duration::from_millis(300))).on(&[Operation::Put]);
    archiver.faults.inject(slow);
    world.send(events(world, "stop", 5, 200)).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    archiver.stop().await;
    let archived = world.rows().await;
    assert!(archived > 0, "what was read before the stop is archived by it");
    let archiver = world.archiver();
    world.settle_and_check().await;
    archiver.stop().await;
}

/// Chunks out of order, twice, and with holes: rows and bytes are as they came.
async fn chunks_are_archived_as_they_come(world: &World) {
    let archiver = world.archiver();
    archiver.ready().await;
    world.send(chunks(world, "s-order", "r-order", [2, 0, 1, 3])).await;
    world.send(chunks(world, "s-twice", "r-twice", [0, 1, 1, 2, 0])).await;
    world.send(chunks(world, "s-hole", "r-hole", [0, 1, 5, 9])).await;
    // The same number again, with other bytes and a flush between.
    world.settle().await;
    let other = Sent::chunk(world.recordings(), "s-hole", "r-hole", 5, noise(99, 1_234));
    world.send(vec![other]).await;
    // A lost answer of a put makes the archiver put again: the object is recognised as its own.
    let lost = archiver.faults.inject(
        Rule::new(Fault::FailAfter(Failure::Transient))
            .on(&[Operation::Put])
            .path_contains("recordings/")
            .when(When::First(2)),
    );
    world.send(chunks(world, "s-lost", "r-lost", 0..6)).await;
    let contents = world.settle_and_check().await;
    assert!(archiver.faults.fired(lost) > 0);
    let seqs = |id: &str| -> Vec<i64> {
        let mut rows: Vec<_> = contents.events.iter().filter(|row| row.id.starts_with(id)).collect();
        rows.sort_by_key(|row| row.place.clone());
        rows.iter().map(|row| row.seq.unwrap()).collect()
    };
    assert_eq!(seqs("r-order-"), [2, 0, 1, 3]);
    assert_eq!(seqs("r-twice-"), [0, 1, 1, 2, 0]);
    assert_eq!(seqs("r-hole-"), [0, 1, 5, 9, 5]);
    archiver.stop().await;
}
