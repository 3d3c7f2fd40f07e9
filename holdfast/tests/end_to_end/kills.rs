//! SIGKILL, at moments that a seed decides, while events flow.

use std::time::{Duration, Instant};

use holdfast_testkit::kafka::Kafka;
use holdfast_testkit::kafka::clients::{self, Record};
use holdfast_testkit::require;
use tokio_util::sync::CancellationToken;

use crate::place::{LIMIT, Place, stop};
use crate::sender::{Sender, Sent, chat};

const KILLS: usize = 20;

/// Numbers that look random and are the same in every run (SplitMix64).
struct Moments(u64);

impl Moments {
    fn next(&mut self, least: u64, most: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Duration::from_millis(least + (number ^ (number >> 31)) % (most - least))
    }
}

/// Gateway, embedded broker and archiver in one process, killed twenty times while two clients post over HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_the_whole_server_lose_nothing() {
    let place = Place::new().await.in_a_hurry();
    let stopping = CancellationToken::new();
    let senders: Vec<_> = ["left", "right"]
        .map(|name| tokio::spawn(Sender::new(&place).pour(name.to_owned(), stopping.clone())))
        .into_iter()
        .collect();

    let mut moments = Moments(202_611);
    let begun = Instant::now();
    for kill in 0..KILLS {
        let mut server = place.start();
        // Some die while they start, most while they work.
        if kill % 5 != 4 {
            server.wait_ready(&place.http, LIMIT).await.expect("the server gets ready");
        }
        tokio::time::sleep(moments.next(20, 1_000)).await;
        assert!(server.ended().is_none(), "it ended by itself: {}", server.stderr());
        server.kill();
    }
    println!("{KILLS} kills in {:?}", begun.elapsed());
    let before = place.number("SELECT count(*) AS n FROM archive.events").await;
    let server = place.serve().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stopping.cancel();
    let mut sent = Sent::default();
    for sender in senders {
        sent.add(sender.await.unwrap());
    }
    println!("{} acknowledged, {} open, {before} archived before", sent.acknowledged.len(), sent.open.len());
    assert!(sent.acknowledged.len() > 200, "the server hardly took anything");
    assert!(before > 0, "the killed servers archived nothing");
    sent.settle(&place).await;
    stop(server).await;
    sent.check(&place).await;
}

/// A process that only archives, killed twenty times while events are produced into Apache Kafka.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_the_archiver_lose_nothing() {
    let kafka = require!(Kafka::start().await);
    let bootstrap = kafka.bootstrap().to_owned();
    let place = Place::new().await.in_a_hurry().set("KAFKA__BROKERS", &bootstrap);
    let archiver = || place.program.spawn(&["serve", "--roles", "archiver"]).expect("the program starts");
    // The first one creates the topics.
    let mut first = archiver();
    first.wait_ready(&place.http, LIMIT).await.expect("the archiver gets ready");

    let stopping = CancellationToken::new();
    let stopped = stopping.clone();
    let producing = tokio::spawn(async move {
        let mut sent = Sent::default();
        for round in 0usize.. {
            if stopped.is_cancelled() {
                break;
            }
            let ids: Vec<String> = (0..40).map(|part| format!("kafka-{round}-{part}")).collect();
            let record = |id: &String| {
                let session = format!("session-{}", id.len() + round % 7);
                Record::new("holdfast.events", chat(id, &session, round, "a line").to_string()).key(session)
            };
            let records: Vec<Record> = ids.iter().map(record).collect();
            clients::produce(&bootstrap, &records).await.expect("Kafka acknowledges");
            sent.acknowledged.extend(ids);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        sent
    });
    first.kill();
    let mut moments = Moments(4);
    let begun = Instant::now();
    for kill in 1..KILLS {
        let mut process = archiver();
        if kill % 5 != 4 {
            process.wait_ready(&place.http, LIMIT).await.expect("the archiver gets ready");
        }
        tokio::time::sleep(moments.next(20, 1_000)).await;
        assert!(process.ended().is_none(), "it ended by itself: {}", process.stderr());
        process.kill();
    }
    println!("{KILLS} kills in {:?}", begun.elapsed());
    let before = place.number("SELECT count(*) AS n FROM archive.events").await;
    stopping.cancel();
    let sent = producing.await.unwrap();
    println!("{} acknowledged, {before} archived before", sent.acknowledged.len());
    assert!(before > 0, "the killed archivers archived nothing");
    let mut process = archiver();
    process.wait_ready(&place.http, LIMIT).await.expect("the archiver gets ready");
    sent.settle(&place).await;
    stop(process).await;
    sent.check(&place).await;
}
