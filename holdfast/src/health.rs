//! `/healthz`, `/readyz` and `/metrics`, for the orchestrator and the monitoring.
//!
//! The process is alive while it responds: a task that dies ends the process. It is ready when all registered
//! components are. No route needs a token, and no response contains data of an event.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

/// The states of the components. Cheap to clone; all clones share the states.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeMap<String, ComponentState>>>);

/// State of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum ComponentState {
    Starting,
    Ready,
    /// Temporarily not ready. The reason is for people.
    NotReady {
        reason: String,
    },
    Stopped,
}

/// The response of `/readyz`.
#[derive(Debug, Serialize)]
pub(crate) struct ReadinessReport {
    pub(crate) ready: bool,
    pub(crate) components: BTreeMap<String, ComponentState>,
}

impl Readiness {
    /// Registers a component, which is starting.
    pub(crate) fn component(&self, name: &str) -> Component {
        let component = Component { name: name.to_owned(), readiness: self.clone() };
        component.set(ComponentState::Starting);
        component
    }

    pub(crate) fn report(&self) -> ReadinessReport {
        let components = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A process without components has not started to serve.
        let ready = !components.is_empty() && components.values().all(|state| *state == ComponentState::Ready);
        ReadinessReport { ready, components }
    }
}

/// The handle with which a component reports its state. Dropping it reports that the component stopped.
#[derive(Debug)]
pub(crate) struct Component {
    name: String,
    readiness: Readiness,
}

impl Component {
    pub(crate) fn ready(&self) {
        self.set(ComponentState::Ready);
    }

    pub(crate) fn not_ready(&self, reason: impl Into<String>) {
        self.set(ComponentState::NotReady { reason: reason.into() });
    }

    fn set(&self, state: ComponentState) {
        self.readiness.0.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name.clone(), state);
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        self.set(ComponentState::Stopped);
    }
}

/// The last line of the OpenMetrics text format.
pub(crate) const END_OF_METRICS: &str = "# EOF\n";

/// The registry for the metrics of a child's components.
pub(crate) fn child_registry() -> Registry {
    Registry::with_prefix("holdfast")
}

/// The registry for the metrics of all components.
pub(crate) fn new_registry() -> Registry {
    let mut registry = child_registry();
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "Version of the running binary", build);
    registry
}

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    registry: Arc<Registry>,
    further: FurtherMetrics,
}

/// Metrics from elsewhere than the registry, in the OpenMetrics text format without its last line.
pub(crate) type FurtherMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The three routes. `/metrics` shows the registry and then the further metrics.
pub(crate) fn routes(readiness: Readiness, registry: Arc<Registry>, further: FurtherMetrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Shared { readiness, registry, further })
}

async fn ready(State(shared): State<Shared>) -> Response {
    let report = shared.readiness.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &shared.registry) {
        Ok(()) => {
            if let Some(own) = text.strip_suffix(END_OF_METRICS) {
                text = format!("{own}{}{END_OF_METRICS}", (shared.further)());
            }
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn get(router: &Router, path: &str) -> (StatusCode, String) {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status();
        (status, String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_process_is_ready_when_all_components_are() {
        let readiness = Readiness::default();
        let router = routes(readiness.clone(), Arc::new(new_registry()), Arc::new(String::new));
        assert_eq!(get(&router, "/healthz").await, (StatusCode::OK, "alive\n".to_owned()));
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE, "nothing has started");

        let gateway = readiness.component("gateway");
        let archiver = readiness.component("archiver");
        gateway.ready();
        let (status, body) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            r#"{"ready":false,"components":{"archiver":{"state":"starting"},"gateway":{"state":"ready"}}}"#
        );

        archiver.ready();
        assert_eq!(get(&router, "/readyz").await.0, StatusCode::OK);
        archiver.not_ready("no space left");
        let (status, body) = get(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains(r#""archiver":{"state":"not_ready","reason":"no space left"}"#), "{body}");
        archiver.ready();
        drop(gateway);
        assert!(get(&router, "/readyz").await.1.contains(r#""gateway":{"state":"stopped"}"#));
    }

    #[tokio::test]
    async fn metrics_are_in_the_openmetrics_text_format() {
        let (status, body) =
            get(&routes(Readiness::default(), Arc::new(new_registry()), Arc::new(String::new)), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("holdfast_build_info{version=\"") && body.ends_with("# EOF\n"), "{body}");
    }
}
