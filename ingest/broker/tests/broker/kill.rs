//! The broker's process is killed several times during a stream. The producer and the consumer run in this process.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rand::Rng as _;
use rdkafka::{Message as _, consumer::Consumer as _, producer::FutureRecord};
use tokio_util::sync::CancellationToken;

use crate::client::{WAIT, collect, consumer, create_topic, producer, start_at};

const TOPIC: &str = "holdfast.events";
const DIRECTORY: &str = "HOLDFAST_TEST_BROKER_DIRECTORY";
const PORT: &str = "HOLDFAST_TEST_BROKER_PORT";
const KILLS: usize = 6;

/// Not a test: the process that is killed runs this. Without the variables it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let (Some(directory), Ok(port)) = (std::env::var_os(DIRECTORY), std::env::var(PORT)) else { return };
    let broker = start_at(Path::new(&directory), port.parse().unwrap()).await;
    broker.run_until(CancellationToken::new()).await.unwrap();
}

fn spawn(directory: &Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn wait_for(port: u16) {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(start.elapsed() < WAIT, "the broker's process does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_is_stored_exactly_once_after_kills() {
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let servers = format!("127.0.0.1:{port}");
    let mut process = spawn(directory.path(), port);
    wait_for(port).await;
    create_topic(&servers, TOPIC, 3).await;

    let over = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let sender = {
        let (over, acknowledged, servers) = (Arc::clone(&over), Arc::clone(&acknowledged), servers.clone());
        tokio::spawn(async move {
            let producer = producer(&servers);
            let mut deliveries = tokio::task::JoinSet::new();
            let mut number = 0_u64;
            while !over.load(Ordering::Acquire) {
                let (producer, acknowledged) = (producer.clone(), Arc::clone(&acknowledged));
                deliveries.spawn(async move {
                    let (key, payload) = ((number % 50).to_string(), number.to_string());
                    let record = FutureRecord::to(TOPIC).key(&key).payload(&payload);
                    producer.send(record, WAIT).await.map_err(|(error, _)| error)?;
                    acknowledged.fetch_add(1, Ordering::AcqRel);
                    Ok::<_, rdkafka::error::KafkaError>(number)
                });
                number += 1;
                if deliveries.len() > 2_000 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                if number.is_multiple_of(20) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            let mut numbers = Vec::new();
            while let Some(delivery) = deliveries.join_next().await {
                numbers.push(delivery.unwrap().unwrap());
            }
            numbers
        })
    };

    for _ in 0..KILLS {
        let before = acknowledged.load(Ordering::Acquire);
        let start = Instant::now();
        while acknowledged.load(Ordering::Acquire) < before + 1_000 {
            assert!(start.elapsed() < 2 * WAIT, "no progress after a kill");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let pause = rand::rng().random_range(0..60);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        process.kill().unwrap(); // SIGKILL
        process.wait().unwrap();
        process = spawn(directory.path(), port);
    }
    over.store(true, Ordering::Release);
    let mut numbers = sender.await.unwrap();
    numbers.sort_unstable();

    let reader = consumer(&servers, "after");
    reader.subscribe(&[TOPIC]).unwrap();
    let messages = collect(&reader, numbers.len());
    crate::client::assert_quiet(&reader);
    let mut seen = BTreeMap::new();
    for message in &messages {
        let number: u64 = String::from_utf8_lossy(message.payload().unwrap()).parse().unwrap();
        *seen.entry(number).or_insert(0) += 1;
    }
    let twice: Vec<_> = seen.iter().filter(|&(_, &times)| times > 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    assert!(seen.keys().copied().eq(numbers.iter().copied()), "{} acknowledged, {} stored", numbers.len(), seen.len());
    crate::rates::print(&format!("{KILLS} kills: {} acknowledged, all stored once", numbers.len()));
    process.kill().unwrap();
    process.wait().unwrap();
}
