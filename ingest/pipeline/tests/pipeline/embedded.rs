//! Tests of the embedded broker only: restarts under a running archiver, and deletion of archived records.

use std::time::Duration;

use holdfast_archive::Table;
use holdfast_ingest::kafka::trim_archived;
use holdfast_testkit::require;
use tokio_util::sync::CancellationToken;

use crate::conformance::events;
use crate::fixture::{BrokerKind, Fixture, LIMIT, StoreKind};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archiver_continues_after_restarts_of_the_broker() {
    let mut fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Folder).await);
    let archiver = fixture.archiver();
    for round in 0..3 {
        fixture.send(events(&fixture, &format!("round-{round}"), 5, 40)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        fixture.restart_broker().await;
    }
    fixture.send(events(&fixture, "last", 5, 40)).await;
    fixture.wait_and_check().await;
    archiver.stop().await;
    fixture.check().await;
}

/// The broker deletes archived records and no others. Archivers that start later continue at the right offsets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_records_are_deleted_from_the_broker() {
    let mut fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let stopping = CancellationToken::new();
    let (kafka, log, stop) = (fixture.kafka.clone(), fixture.archive.table(Table::Events), stopping.clone());
    let trimming =
        tokio::spawn(async move { trim_archived(&kafka, &log, Duration::from_millis(150), &stop).await.unwrap() });
    for round in 0..6 {
        fixture.send(events(&fixture, &format!("round-{round}"), 5, 30)).await;
        let archiver = fixture.archiver_in_new_group();
        archiver.ready().await;
        fixture.send(events(&fixture, &format!("more-{round}"), 5, 30)).await;
        if round % 2 == 0 {
            fixture.wait_until_archived().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            archiver.stop().await;
        } else {
            archiver.kill();
        }
        if round == 3 {
            fixture.restart_broker().await;
        }
    }
    let archiver = fixture.archiver_in_new_group();
    fixture.wait_and_check().await;
    let deadline = tokio::time::Instant::now() + LIMIT;
    while fixture.kept().await > 0 {
        assert!(tokio::time::Instant::now() < deadline, "the broker keeps {} records", fixture.kept().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    archiver.stop().await;
    // With no record left in the broker, the start offsets are still known.
    let archiver = fixture.archiver_in_new_group();
    archiver.ready().await;
    fixture.send(events(&fixture, "after", 5, 30)).await;
    fixture.wait_and_check().await;
    archiver.stop().await;
    stopping.cancel();
    trimming.await.unwrap();
}
