//! Plaintext on the disk: none of the secrets that were sent, on any path through the system.

use std::time::Duration;

use holdfast_testkit::kafka::clients::{self, Record};
use holdfast_testkit::secrets;
use serde_json::json;

use crate::installation::{Installation, stop};
use crate::sender::{Sender, chat};

/// Each is planted in one field, so that a finding names the field that leaks.
const NEEDLES: [&str; 14] = [
    "needle-chat-text-81c2",
    "needle-event-id-5d19",
    "needle-source-77aa",
    "needle-subject-3fe0",
    "needle-agent-90bb",
    "needle-customer-name-c4d1",
    "needle-address-12.34.56.78",
    "needle-serial-e551",
    "needle-extension-0a6f",
    "needle-recording-bytes-b8d3",
    "needle-dead-value-41ce",
    "needle-dead-header-6c02",
    "needle-dead-key-d7f7",
    "needle-unknown-type-2b9e",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_on_the_disk_in_plain_text() {
    let installation = Installation::new().await.set("LOG__LEVEL", "debug").set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1");
    let server = installation.serve().await;
    plant(&installation, "stopped").await;
    // A refused event must not be in the log either.
    let sender = Sender::new(&installation);
    let refused = sender.event(&json!({"specversion": "1.0", "id": NEEDLES[1], "data": NEEDLES[0]})).await;
    assert_eq!(refused.status().as_u16(), 400);
    let body = refused.text().await.unwrap();
    assert!(NEEDLES.iter().all(|needle| !body.contains(needle)), "{body}");
    stop(server).await;
    scan(&installation);

    // Killed while the broker has events that are not archived, and while the archiver works.
    for round in 0..3 {
        let mut server = installation.serve().await;
        plant(&installation, &format!("killed-{round}")).await;
        tokio::time::sleep(Duration::from_millis(350 * round)).await;
        server.kill();
        scan(&installation);
    }

    // The events were archived. (Queried last, because the output of a command is scanned as a log.)
    let found = installation.sql(&format!("SELECT id FROM archive.events WHERE data LIKE '%{}%'", NEEDLES[0])).await;
    assert!(found.len() > 200, "{} events were archived", found.len());
    let letters = installation.number("SELECT count(*) AS n FROM archive.dead_letters").await;
    assert!(letters >= 2, "{letters} dead letters were archived");
}

/// Sends all secrets, each in its field.
async fn plant(installation: &Installation, round: &str) {
    let [text, id, source, subject, agent, name, address, serial, extension, bytes, value, header, key, unknown] =
        NEEDLES;
    let sender = Sender::new(installation);
    let mut events: Vec<_> = (0..200)
        .map(|number| chat(&format!("{id}-{round}-{number}"), subject, number, &format!("{text} {number}")))
        .collect();
    events.push(json!({
        "specversion": "1.0", "id": format!("{id}-{round}-started"), "source": source, "type": "session.started",
        "subject": subject, "time": "2026-11-20T10:00:00Z", "agent": agent, "externalkey": extension,
        "data": {
            "agent_id": agent, "customer_id": "c", "customer_name": name, "customer_ip": address,
            "device_serial": serial, "undocumented": text,
        },
    }));
    events.push(json!({
        "specversion": "1.0", "id": format!("{id}-{round}-unknown"), "source": source, "type": unknown,
        "subject": subject, "time": "1970-01-01T00:00:00Z", "data": { "name": name },
    }));
    sender.batch(&events).await;
    for seq in 0..3 {
        let chunk = format!("{bytes} ").repeat(4_000).into_bytes();
        sender.chunk("s-recorded", &format!("r-{round}"), seq, chunk).await;
    }
    let letters = [
        Record::new("holdfast.events", format!("{{{value}")).key(key).header("producer", header),
        Record::new("holdfast.recordings", format!("{value} as a chunk")).key(key).header("ce_id", header),
    ];
    clients::produce(&installation.broker, &letters).await.expect("the built-in broker acknowledges");
}

/// Searches all folders except `secrets`, all logs, and the configuration.
#[track_caller]
fn scan(installation: &Installation) {
    let token = installation.token();
    let password = std::fs::read_to_string(installation.secret("compliance.password")).unwrap();
    let identity = std::fs::read_to_string(installation.secret("compliance.identity")).unwrap();
    let identity = identity.lines().last().unwrap();
    let broker_key = std::fs::read_to_string(installation.secret("broker.key")).unwrap();
    let mut needles = NEEDLES.to_vec();
    needles.extend([token.as_str(), password.trim(), identity, broker_key.trim()]);
    let mut folders = 0;
    for entry in std::fs::read_dir(installation.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("secrets") {
            secrets::assert_none(&path, &needles);
            folders += 1;
        }
    }
    assert!(folders >= 2, "the archive and the broker's folder were searched");
    secrets::assert_none(installation.program.logs(), &needles);
    let config = std::fs::read_to_string(installation.path().join("holdfast.toml")).unwrap();
    assert!(needles.iter().all(|needle| !config.contains(needle)));
}
