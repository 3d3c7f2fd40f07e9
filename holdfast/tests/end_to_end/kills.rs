//! SIGKILL, at pseudorandom times, while events are sent.

use std::time::{Duration, Instant};

use holdfast_testkit::kafka::Kafka;
use holdfast_testkit::kafka::clients::{self, Record};
use holdfast_testkit::require;
use tokio_util::sync::CancellationToken;

use crate::installation::{Installation, TIMEOUT, stop};
use crate::sender::{Sender, Sent, chat};

const KILLS: usize = 20;

/// Pseudorandom delays, the same in every run (SplitMix64).
struct Delays(u64);

impl Delays {
    /// Between `min` and `max` milliseconds.
    fn next(&mut self, min: u64, max: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Duration::from_millis(min + (number ^ (number >> 31)) % (max - min))
    }
}

/// Gateway, built-in broker and archiver in one process, killed twenty times while two clients send over HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_the_whole_server_lose_nothing() {
    let installation = Installation::new().await.with_short_intervals();
    let stopping = CancellationToken::new();
    let senders: Vec<_> = ["left", "right"]
        .map(|name| tokio::spawn(Sender::new(&installation).send_until(name.to_owned(), stopping.clone())))
        .into_iter()
        .collect();

    let mut delays = Delays(202_611);
    let begun = Instant::now();
    for kill in 0..KILLS {
        let mut server = installation.start();
        // Some are killed while they start, most while they archive.
        if kill % 5 != 4 {
            server.wait_ready(&installation.http, TIMEOUT).await.expect("the server gets ready");
        }
        tokio::time::sleep(delays.next(20, 1_000)).await;
        assert!(server.ended().is_none(), "it ended before it was killed: {}", server.stderr());
        server.kill();
    }
    println!("{KILLS} kills in {:?}", begun.elapsed());
    let before = installation.number("SELECT count(*) AS n FROM archive.events").await;
    let server = installation.serve().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stopping.cancel();
    let mut sent = Sent::default();
    for sender in senders {
        sent.add(sender.await.unwrap());
    }
    println!("{} acknowledged, {} unknown, {before} archived before", sent.acknowledged.len(), sent.unknown.len());
    assert!(sent.acknowledged.len() > 200, "the server acknowledged too few events");
    assert!(before > 0, "the killed servers archived nothing");
    sent.wait_until_archived(&installation).await;
    stop(server).await;
    sent.check(&installation).await;
}

/// A process that only archives, killed twenty times while events are produced into Apache Kafka.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_of_the_archiver_lose_nothing() {
    let kafka = require!(Kafka::start().await);
    let bootstrap = kafka.bootstrap().to_owned();
    let installation = Installation::new().await.with_short_intervals().set("KAFKA__BROKERS", &bootstrap);
    let archiver = || installation.program.spawn(&["serve", "--roles", "archiver"]).expect("the program starts");
    // The first one creates the topics.
    let mut first = archiver();
    first.wait_ready(&installation.http, TIMEOUT).await.expect("the archiver gets ready");

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
    let mut delays = Delays(4);
    let begun = Instant::now();
    for kill in 1..KILLS {
        let mut process = archiver();
        if kill % 5 != 4 {
            process.wait_ready(&installation.http, TIMEOUT).await.expect("the archiver gets ready");
        }
        tokio::time::sleep(delays.next(20, 1_000)).await;
        assert!(process.ended().is_none(), "it ended before it was killed: {}", process.stderr());
        process.kill();
    }
    println!("{KILLS} kills in {:?}", begun.elapsed());
    let before = installation.number("SELECT count(*) AS n FROM archive.events").await;
    stopping.cancel();
    let sent = producing.await.unwrap();
    println!("{} acknowledged, {before} archived before", sent.acknowledged.len());
    assert!(before > 0, "the killed archivers archived nothing");
    let mut process = archiver();
    process.wait_ready(&installation.http, TIMEOUT).await.expect("the archiver gets ready");
    sent.wait_until_archived(&installation).await;
    stop(process).await;
    sent.check(&installation).await;
}
