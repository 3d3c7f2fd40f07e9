//! The routes under `/v1`.

mod reports;
mod sessions;
mod sql;
mod state;
mod statements;
mod target;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use holdfast_query::Authenticator;

use crate::document;
use crate::headers;
use crate::problem::Problem;
use crate::report::ReportSource;
use crate::running::Registry;
use crate::settings::{ApiError, ApiSettings};
use state::{ApiState, Shared};

/// The routes of the API, to be merged with others. Access records contain the addresses of callers if the router is served
/// with `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// # Errors
/// [`ApiError`] for invalid settings.
pub fn router(
    authenticator: Arc<dyn Authenticator>,
    reports: Arc<dyn ReportSource>,
    settings: ApiSettings,
) -> Result<Router, ApiError> {
    settings.validate()?;
    let running = Arc::new(Registry::new(settings.max_statements_per_user, settings.max_statements));
    let document = Bytes::from(document::openapi(&settings).to_string());
    let state = Arc::new(ApiState { authenticator, reports, settings, running, document });
    // A route that runs a statement has no HEAD: it would record an access and return no row.
    let routes = Router::new()
        .route("/v1/sql", only("POST", post(sql::run)))
        .route("/v1/statements", only("GET, HEAD", get(statements::list)))
        .route("/v1/statements/{id}", only("DELETE", delete(statements::cancel)))
        .route("/v1/sessions/{id}", only("GET", get(sessions::timeline).head(|| refuse_method(Method::HEAD, "GET"))))
        .route("/v1/reports", only("GET, HEAD", get(reports::list)))
        .route("/v1/reports/{name}", only("GET", get(reports::run).head(|| refuse_method(Method::HEAD, "GET"))))
        .route("/v1/openapi.json", only("GET, HEAD", get(openapi)))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), limit_and_protect))
        // The route that reads a body has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(state);
    Ok(routes)
}

/// Answers other methods with the allowed ones.
fn only(allowed: &'static str, routes: MethodRouter<Arc<ApiState>>) -> MethodRouter<Arc<ApiState>> {
    routes.fallback(move |method: Method| refuse_method(method, allowed))
}

async fn refuse_method(method: Method, allowed: &'static str) -> Response {
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allowed))]).into_response();
    }
    Problem::method_not_allowed(allowed).into_response()
}

/// Limits the size of a request's headers, and sets the headers that every response has.
async fn limit_and_protect(State(state): Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match headers::bounded(&parts, state.settings.max_header_bytes) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    if response.status().is_server_error() {
        tracing::warn!(status = response.status().as_u16(), "a request failed");
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn openapi(State(state): Shared) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], state.document.clone()).into_response()
}
