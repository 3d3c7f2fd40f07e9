//! No file of the broker contains any part of a message in clear text.

use std::{fs, path::Path};

use rdkafka::{
    consumer::Consumer as _,
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
};

use crate::client::{WAIT, collect, consumer, create_topic, headers, producer, start};

const SECRETS: [&str; 4] =
    ["customer-hazelnut-key", "card 4929 1111 2222 3333", "header-mulberry-value", "ce_quincename"];

fn search(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut bytes = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        bytes += content.len();
        for secret in SECRETS {
            if content.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(format!("{secret:?} in {}", path.display()));
            }
        }
    }
    assert!(bytes > 100_000, "the broker has written only {bytes} bytes");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_contains_a_planted_secret() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, "holdfast.events", 2).await;
    let producer = producer(&servers);
    for number in 0..300 {
        let value = format!("{} {number} {}", SECRETS[1], "x".repeat(500));
        let record = FutureRecord::to("holdfast.events")
            .key(SECRETS[0])
            .payload(&value)
            .headers(OwnedHeaders::new().insert(Header { key: SECRETS[3], value: Some(SECRETS[2]) }));
        producer.send(record, WAIT).await.unwrap();
    }
    let reader = consumer(&servers, "reader");
    reader.subscribe(&["holdfast.events"]).unwrap();
    let messages = collect(&reader, 300);
    assert_eq!(messages.len(), 300);
    assert_eq!(headers(&messages[0])[SECRETS[3]], SECRETS[2].as_bytes());
    reader.commit_consumer_state(rdkafka::consumer::CommitMode::Sync).unwrap();

    // While it runs (log and shared memory), and after it has stopped (database).
    assert_eq!(search(directory.path()), Vec::<String>::new());
    drop((reader, producer));
    broker.stop().await.unwrap();
    assert_eq!(search(directory.path()), Vec::<String>::new());
}
