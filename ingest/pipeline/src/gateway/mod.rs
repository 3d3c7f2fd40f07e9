//! The HTTP gateway: receives events and recording chunks, publishes them to Kafka, and responds after the
//! acknowledgement.
//!
//! ```text
//! request ─▶ sender ─▶ headers ─▶ budget ─▶ read body ─▶ decompress ─▶ decode all ─▶ publish all ─▶ acknowledged ─▶ 202
//!             401       400, 415   429       408, 413     400, 413      400, 403       429, 413      503
//! ```
//!
//! Every response other than 202 is a problem document (RFC 9457) with a stable `reason`. After 429 or 503 the sender
//! repeats the request: duplicates have the same `source` and `id`.

mod auth;
mod body;
mod budget;
mod chunk;
mod headers;
mod metrics;
mod prepare;
mod problem;
mod publish;
mod settings;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, RequestPartsExt as _, Router};
use prometheus_client::registry::Registry;
use serde::Serialize;

pub use auth::ApiToken;
pub use settings::{GatewayError, GatewaySettings};

pub use crate::clock::{Clock, system_clock};
use crate::producer::Publisher;
use auth::{Sender, Tokens};
use body::{BodyLimit, Encoding};
use budget::{Budget, Quota, Reservation};
use metrics::{Metrics, RejectionLabels, RequestLabels, RouteLabels};
use prepare::{EventLimits, Mode, Prepared, SenderAttribute, Warning};
use problem::Problem;
use publish::RequestPublisher;

/// Bodies of at least this size are decoded on a blocking thread.
const BLOCKING_BYTES: usize = 128 << 10;

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    settings: GatewaySettings,
    tokens: Tokens,
    budget: Arc<Budget>,
    publisher: RequestPublisher,
    clock: Clock,
    metrics: Metrics,
}

/// The body of a success response.
#[derive(Serialize)]
struct Accepted {
    /// How many events Kafka acknowledged.
    accepted: usize,
    /// Events that deviate from the catalogue.
    events: Vec<Warning>,
}

/// A request whose body may be read.
struct Admitted {
    mode: Mode,
    encoding: Encoding,
    limit: BodyLimit,
    reservation: Reservation,
}

#[derive(Clone, Copy)]
enum Route {
    Events,
    Chunks,
}

impl Route {
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Chunks => "chunks",
        }
    }
}

impl Gateway {
    /// Creates a gateway that publishes with `publisher` and registers its metrics in `registry`.
    ///
    /// # Errors
    /// The settings are invalid.
    pub fn new(
        settings: GatewaySettings,
        publisher: Arc<dyn Publisher>,
        clock: Clock,
        registry: &mut Registry,
    ) -> Result<Self, GatewayError> {
        settings.validate()?;
        let metrics = Metrics::register(registry);
        let budget = Arc::new(Budget {
            bytes: Quota::new(settings.max_in_flight_bytes, metrics.in_flight_bytes.clone()),
            events: Quota::new(settings.max_in_flight, metrics.in_flight_events.clone()),
        });
        let publisher = RequestPublisher::new(publisher, &settings, metrics.acknowledgement_seconds.clone());
        let tokens = Tokens::new(settings.tokens.clone());
        Ok(Self { shared: Arc::new(Shared { settings, tokens, budget, publisher, clock, metrics }) })
    }

    /// The routes under `/v1`.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v1/events", post(events))
            .route("/v1/recordings/{session}/{recording}/chunks/{seq}", post(chunks))
            // Each kind of body has its own limit.
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }

    fn retry_after_seconds(&self) -> u64 {
        self.shared.settings.retry_after.as_secs().max(1)
    }

    /// Processes a request and counts its result.
    async fn respond(&self, route: Route, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let shared = &self.shared;
        let result = match shared.tokens.sender(&parts) {
            // The body of a request whose sender is unknown is not read.
            Err(problem) => Err(problem),
            Ok(sender) => match self.accept(route, parts, body, &sender).await {
                Ok(accepted) => {
                    shared.metrics.count_events_of(sender.is_certified, accepted.accepted as u64);
                    Ok(accepted)
                }
                Err(problem) => {
                    let (route, reason) = (route.name(), problem.reason);
                    tracing::debug!(route, sender = &*sender.name, reason, "a request was rejected");
                    Err(problem)
                }
            },
        };
        let route = route.name();
        let response = match result {
            Ok(accepted) => {
                shared.metrics.accepted_events.get_or_create(&RouteLabels { route }).inc_by(accepted.accepted as u64);
                (StatusCode::ACCEPTED, Json(accepted)).into_response()
            }
            Err(problem) => {
                let reason = problem.reason;
                shared.metrics.rejected_requests.get_or_create(&RejectionLabels { route, reason }).inc();
                problem.into_response()
            }
        };
        let status = u32::from(response.status().as_u16());
        shared.metrics.requests.get_or_create(&RequestLabels { route, status }).inc();
        response
    }

    async fn accept(&self, route: Route, parts: Parts, body: Body, sender: &Sender) -> Result<Accepted, Problem> {
        let admitted = match route {
            Route::Events => self.admit_events(&parts),
            Route::Chunks => self.admit_chunk(parts).await,
        };
        let Admitted { mode, encoding, limit, mut reservation } = match admitted {
            Ok(admitted) => admitted,
            Err(problem) => {
                body::discard(body).await;
                return Err(problem);
            }
        };
        let timeout = self.shared.settings.body_timeout;
        let body = tokio::time::timeout(timeout, body::read(body, limit, &mut reservation))
            .await
            .map_err(|_| Problem::too_slow())??;
        if matches!(route, Route::Chunks) && body.is_empty() {
            return Err(Problem::bad_request("empty", "The body is empty", "send the chunk's bytes as the body"));
        }

        let limits = EventLimits {
            event_bytes: self.shared.settings.max_event_bytes,
            events: self.shared.settings.max_in_flight,
        };
        let size = body.len();
        // A client that has presented a certificate was asked for it.
        let has_certificates = self.shared.settings.has_client_certificates || sender.is_certified;
        let sender = sender.is_certified.then(|| Arc::clone(&sender.name));
        let (prepared, body_bytes, mut reservation) = decode(size, move || {
            let body = body::decompress(encoding, body, limit, &mut reservation)?;
            let bytes = body.len();
            let sender =
                if has_certificates { SenderAttribute::Certified(sender.as_deref()) } else { SenderAttribute::Free };
            let prepared = prepare::prepare(mode, body, limits, sender)?;
            reservation.release_bytes(bytes - prepared.body.len());
            limit.count(&mut reservation, prepared.owned_bytes())?;
            Ok((prepared, bytes, reservation))
        })
        .await?;
        reservation.set_events(prepared.messages.len()).map_err(|exhausted| self.busy(exhausted))?;

        self.shared.publisher.publish(&prepared).await?;
        drop(reservation);
        let Prepared { messages, warnings, .. } = prepared;
        self.shared.metrics.body_bytes.get_or_create(&RouteLabels { route: route.name() }).inc_by(body_bytes as u64);
        Ok(Accepted { accepted: messages.len(), events: warnings })
    }

    fn admit_events(&self, parts: &Parts) -> Result<Admitted, Problem> {
        let headers = &parts.headers;
        let encoding = Encoding::of(headers)?;
        let attributes = if headers::has_attributes(headers) { Some(headers::attributes(headers)?) } else { None };
        let mode = prepare::mode(headers::content_type(headers)?, attributes)?;
        let settings = &self.shared.settings;
        let (bytes, what) = match mode {
            Mode::Batch => (settings.max_batch_bytes, "a batch of events"),
            _ if prepare::carries_chunk(&mode) => (settings.max_chunk_bytes, "a recording chunk"),
            _ => (settings.max_event_bytes, "an event"),
        };
        self.admit(mode, encoding, bytes, what)
    }

    async fn admit_chunk(&self, mut parts: Parts) -> Result<Admitted, Problem> {
        let path = parts.extract::<Path<chunk::Path>>().await;
        let Path(path) = path.map_err(|_| chunk::invalid_path("the path is not UTF-8 after percent-decoding"))?;
        let headers = &parts.headers;
        let encoding = Encoding::of(headers)?;
        let attributes = headers::attributes(headers)?;
        let content_type = headers::content_type(headers)?;
        let query = parts.uri.query().unwrap_or_default();
        let mode = chunk::event(path, query, content_type, attributes, (self.shared.clock)())?;
        self.admit(mode, encoding, self.shared.settings.max_chunk_bytes, "a recording chunk")
    }

    fn admit(&self, mode: Mode, encoding: Encoding, bytes: usize, what: &'static str) -> Result<Admitted, Problem> {
        let limit = BodyLimit { bytes, what, retry_after_seconds: self.retry_after_seconds() };
        let reservation = self.shared.budget.admit().map_err(|exhausted| self.busy(exhausted))?;
        Ok(Admitted { mode, encoding, limit, reservation })
    }

    fn busy(&self, exhausted: budget::Exhausted) -> Problem {
        Problem::busy(exhausted.reason(), self.retry_after_seconds())
    }
}

async fn events(State(gateway): State<Gateway>, request: Request) -> Response {
    gateway.respond(Route::Events, request).await
}

async fn chunks(State(gateway): State<Gateway>, request: Request) -> Response {
    gateway.respond(Route::Chunks, request).await
}

/// Runs `work` on this thread if the body is small, and on a blocking thread otherwise.
async fn decode<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if size < BLOCKING_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Problem::internal()))
}

#[cfg(test)]
mod tests;
