//! A client of the gateway that records what was acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::json;

use crate::installation::Installation;

pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";

/// Sends events to the gateway.
#[derive(Clone)]
pub(crate) struct Sender {
    client: Client,
    base: String,
    token: String,
}

/// The ids that were sent, by their outcome.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The response was 202.
    pub(crate) acknowledged: Vec<String>,
    /// Sent once, without a 202: the event may be stored or not.
    pub(crate) unknown: Vec<String>,
}

/// A line of chat.
pub(crate) fn chat(id: &str, session: &str, seq: usize, text: &str) -> serde_json::Value {
    json!({
        "specversion": "1.0", "id": id, "source": "urn:holdfast:sender", "type": "chat.line", "subject": session,
        "time": "2026-11-20T10:00:00Z", "agent": "a-1", "portal": "desk",
        "data": { "seq": seq, "sender": "customer", "text": text },
    })
}

impl Sender {
    pub(crate) fn new(installation: &Installation) -> Self {
        // Directly to loopback, whatever proxy the environment names.
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(40)).build().expect("an HTTP client");
        Self { client, base: format!("http://{}", installation.http), token: installation.token() }
    }

    /// A request with the token.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// A request without the token.
    pub(crate) fn post_without_token(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base))
    }

    /// Sends one event and returns the response.
    pub(crate) async fn event(&self, event: &serde_json::Value) -> Response {
        let request = self.post("/v1/events").header("content-type", STRUCTURED).body(event.to_string());
        request.send().await.expect("the gateway answers")
    }

    /// Sends a batch, which must be accepted.
    pub(crate) async fn batch(&self, events: &[serde_json::Value]) {
        let body = serde_json::Value::from(events).to_string();
        let request = self.post("/v1/events").header("content-type", BATCH).body(body);
        let response = request.send().await.expect("the gateway answers");
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{:?}", response.text().await);
    }

    /// Sends a recording chunk, which must be accepted.
    pub(crate) async fn chunk(&self, session: &str, recording: &str, seq: usize, bytes: Vec<u8>) {
        let (first, last) = (seq * 1000, seq * 1000 + 999);
        let path = format!("/v1/recordings/{session}/{recording}/chunks/{seq}?first_ms={first}&last_ms={last}");
        let response = self.post(&path).header("content-type", "video/webm").body(bytes).send().await;
        let response = response.expect("the gateway answers");
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{:?}", response.text().await);
    }

    /// Sends single events and batches, each id once, until `stop` is cancelled. `name` is the prefix of the ids. There
    /// are no retries: an event without a 202 may have been stored or not.
    pub(crate) async fn send_until(self, name: String, stop: tokio_util::sync::CancellationToken) -> Sent {
        let mut sent = Sent::default();
        for round in 0usize.. {
            if stop.is_cancelled() {
                break;
            }
            let size = if round % 4 == 3 { 12 } else { 1 };
            let ids: Vec<String> = (0..size).map(|part| format!("{name}-{round}-{part}")).collect();
            let session = format!("{name}-{}", round % 5);
            let events: Vec<_> = ids.iter().map(|id| chat(id, &session, round, "a line of chat")).collect();
            let (body, kind) = match events.as_slice() {
                [event] => (event.to_string(), STRUCTURED),
                events => (serde_json::Value::from(events).to_string(), BATCH),
            };
            let response = self.post("/v1/events").header("content-type", kind).body(body).send().await;
            if response.is_ok_and(|response| response.status() == StatusCode::ACCEPTED) {
                sent.acknowledged.extend(ids);
                tokio::time::sleep(Duration::from_millis(3)).await;
            } else {
                sent.unknown.extend(ids);
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
        sent
    }
}

impl Sent {
    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.unknown.extend(other.unknown);
    }

    /// Asserts that SQL finds each acknowledged id once, each unknown one at most once, and no other.
    pub(crate) async fn check(&self, installation: &Installation) {
        let rows = installation
            .sql("SELECT id, count(*) AS times FROM archive.events WHERE type NOT LIKE 'archive.%' GROUP BY id")
            .await;
        let mut found: BTreeMap<&str, i64> = rows
            .iter()
            .map(|row| (row["id"].as_str().expect("an id"), row["times"].as_i64().expect("a count")))
            .collect();
        let duplicates: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
        assert!(duplicates.is_empty(), "duplicates: {duplicates:?}");
        let lost: Vec<_> = self.acknowledged.iter().filter(|id| found.remove(id.as_str()).is_none()).collect();
        assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), self.acknowledged.len());
        for id in &self.unknown {
            found.remove(id.as_str());
        }
        assert!(found.is_empty(), "never sent: {found:?}");
    }

    /// Waits until SQL finds as many events as were acknowledged.
    pub(crate) async fn wait_until_archived(&self, installation: &Installation) {
        let deadline = tokio::time::Instant::now() + crate::installation::TIMEOUT;
        loop {
            let found =
                installation.number("SELECT count(*) AS n FROM archive.events WHERE type NOT LIKE 'archive.%'").await;
            if found >= i64::try_from(self.acknowledged.len()).unwrap() {
                return;
            }
            let now = tokio::time::Instant::now();
            assert!(now < deadline, "{found} of {} events were archived in time", self.acknowledged.len());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}
