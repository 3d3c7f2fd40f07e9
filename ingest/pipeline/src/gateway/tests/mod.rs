//! The router with a fake publisher that the tests control.

mod acknowledgement;
mod bodies;
mod chunks;
mod responses;
mod senders;
mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use holdfast_events::Timestamp;
use http_body_util::BodyExt as _;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::producer::{Acknowledgement, Delivery, PublishError, Record};

const TOKEN: &str = "correct-horse";
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
/// 2026-01-31T09:30:00Z
const NOW: Timestamp = Timestamp(1_769_851_800_000_000);

/// A message as Kafka would receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    topic: String,
    key: String,
    value: Vec<u8>,
    headers: Vec<(String, String)>,
}

/// How the fake publisher behaves.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Acknowledge,
    AcknowledgeAfter(Duration),
    /// Never completes.
    Hang,
    /// Rejects at once.
    Reject(PublishError),
    /// Queues the message and fails later.
    Fail(PublishError),
    /// Queues this many messages, then is busy until the time has passed.
    BusyAfter(usize, Duration),
    /// Acknowledges all but the message at this index.
    FailAt(usize, PublishError),
}

struct FakePublisher {
    behaviour: Mutex<Behaviour>,
    sent: Mutex<Vec<Sent>>,
    started: tokio::time::Instant,
}

impl Publisher for FakePublisher {
    fn publish(&self, record: Record<'_>) -> Result<Delivery, PublishError> {
        let mut sent = self.sent.lock().unwrap();
        let behaviour = *self.behaviour.lock().unwrap();
        let index = sent.len();
        match behaviour {
            Behaviour::Reject(error) => return Err(error),
            Behaviour::BusyAfter(capacity, until) if index >= capacity && self.started.elapsed() < until => {
                return Err(PublishError::Busy);
            }
            _ => {}
        }
        sent.push(Sent {
            topic: record.topic.to_owned(),
            key: String::from_utf8(record.key.to_vec()).unwrap(),
            value: record.value.to_vec(),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), String::from_utf8(value.to_vec()).unwrap()))
                .collect(),
        });
        let acknowledged = Ok(Acknowledgement { partition: 0, offset: Some(index as i64) });
        Ok(Box::pin(async move {
            match behaviour {
                Behaviour::AcknowledgeAfter(delay) => tokio::time::sleep(delay).await,
                Behaviour::Hang => std::future::pending().await,
                Behaviour::Fail(error) => return Err(error),
                Behaviour::FailAt(failing, error) if failing == index => return Err(error),
                _ => {}
            }
            acknowledged
        }))
    }
}

struct Fixture {
    router: Router,
    gateway: Gateway,
    publisher: Arc<FakePublisher>,
    registry: Registry,
}

fn settings() -> GatewaySettings {
    GatewaySettings {
        tokens: vec![ApiToken::new("crm", "battery-staple"), ApiToken::new("desk", TOKEN)],
        max_event_bytes: 100_000,
        max_batch_bytes: 400_000,
        max_chunk_bytes: 300_000,
        max_in_flight: 100,
        max_in_flight_bytes: 1_000_000,
        ..GatewaySettings::default()
    }
}

fn fixture(behaviour: Behaviour) -> Fixture {
    with_settings(behaviour, settings())
}

fn with_settings(behaviour: Behaviour, settings: GatewaySettings) -> Fixture {
    let publisher = Arc::new(FakePublisher {
        behaviour: Mutex::new(behaviour),
        sent: Mutex::default(),
        started: tokio::time::Instant::now(),
    });
    let mut registry = Registry::default();
    let gateway =
        Gateway::new(settings, Arc::clone(&publisher) as Arc<dyn Publisher>, Arc::new(|| NOW), &mut registry).unwrap();
    Fixture { router: gateway.router(), gateway, publisher, registry }
}

/// A response with its body.
#[derive(Debug)]
struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl TestResponse {
    fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }

    fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Fixture {
    async fn send(&self, request: Request<Body>) -> TestResponse {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        if parts.status != StatusCode::ACCEPTED && !body.is_null() {
            assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(body["status"], parts.status.as_u16());
            for member in ["type", "title", "detail", "reason"] {
                assert!(body[member].is_string(), "{body}");
            }
        }
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, content_type: &str, body: impl Into<Body>) -> TestResponse {
        self.send(events_request().header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()).await
    }

    fn sent(&self) -> Vec<Sent> {
        self.publisher.sent.lock().unwrap().clone()
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.publisher.behaviour.lock().unwrap() = behaviour;
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }

    /// Nothing may stay reserved after a response.
    fn assert_idle(&self) {
        let metrics = self.metrics();
        assert!(metrics.contains("gateway_in_flight_bytes 0\n"), "{metrics}");
        assert!(metrics.contains("gateway_in_flight_events 0\n"), "{metrics}");
    }
}

fn events_request() -> axum::http::request::Builder {
    Request::post("/v1/events").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}

fn chunk_request(path_and_query: &str) -> axum::http::request::Builder {
    Request::post(format!("/v1/recordings/{path_and_query}")).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}

fn event(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"urn:x","type":"chat.line","subject":"s-{id}","time":"2026-01-31T10:30:00+01:00","data":{{"seq":0,"sender":"agent","text":"hello"}}}}"#
    )
}

fn batch(ids: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", ids.into_iter().map(|id| event(&id)).collect::<Vec<_>>().join(","))
}
