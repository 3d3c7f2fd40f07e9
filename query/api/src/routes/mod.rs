//! The routes under `/v1`, and what they have in common.

mod reports;
mod sessions;
mod sql;
mod statements;

pub(crate) use reports::Reports;
pub(crate) use statements::RunningStatements;

use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use holdfast_query::{Authenticator, Reader};

use crate::authenticate;
use crate::document;
use crate::headers;
use crate::problem::Problem;
use crate::refusal;
use crate::report::ReportSource;
use crate::running::{Entry, Full, Running};
use crate::settings::{ApiError, ApiSettings};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What all requests share.
pub(crate) struct Api {
    authenticator: Arc<dyn Authenticator>,
    reports: Arc<dyn ReportSource>,
    settings: ApiSettings,
    running: Arc<Running>,
    document: Bytes,
}

type Shared = State<Arc<Api>>;

/// The routes of the API; merge others beside them. The addresses of callers are on record when the router is served with
/// `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// # Errors
/// Settings that cannot work.
pub fn router(
    authenticator: Arc<dyn Authenticator>,
    reports: Arc<dyn ReportSource>,
    settings: ApiSettings,
) -> Result<Router, ApiError> {
    settings.validate()?;
    let running = Arc::new(Running::new(settings.most_statements_per_user, settings.most_statements));
    let document = Bytes::from(document::openapi(&settings).to_string());
    let api = Arc::new(Api { authenticator, reports, settings, running, document });
    // What executes a statement has no HEAD: the look would be had for nothing.
    let routes = Router::new()
        .route("/v1/sql", only("POST", post(sql::answer)))
        .route("/v1/statements", only("GET, HEAD", get(statements::list)))
        .route("/v1/statements/{id}", only("DELETE", delete(statements::cancel)))
        .route("/v1/sessions/{id}", only("GET", get(sessions::story).head(|| refused(Method::HEAD, "GET"))))
        .route("/v1/reports", only("GET, HEAD", get(reports::list)))
        .route("/v1/reports/{name}", only("GET", get(reports::answer).head(|| refused(Method::HEAD, "GET"))))
        .route("/v1/openapi.json", only("GET, HEAD", get(openapi)))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), around))
        // The limit here is finer than one for all.
        .layer(DefaultBodyLimit::disable())
        .with_state(api);
    Ok(routes)
}

/// Tells who uses another method which there are.
fn only(allowed: &'static str, routes: MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>> {
    routes.fallback(move |method: Method| refused(method, allowed))
}

async fn refused(method: Method, allowed: &'static str) -> Response {
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, HeaderValue::from_static(allowed))]).into_response();
    }
    Problem::method_not_allowed(allowed).into_response()
}

/// What holds for every request and every answer.
async fn around(State(api): Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match headers::bounded(&parts, api.settings.max_header_bytes) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    };
    if response.status().is_server_error() {
        tracing::warn!(status = response.status().as_u16(), "a request could not be answered");
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn openapi(State(api): Shared) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.document.clone()).into_response()
}

impl Api {
    /// Lets in whoever sent a request.
    async fn authenticate(&self, parts: &Parts) -> Result<Reader, Problem> {
        // A browser that knows the password must not ask on behalf of another site.
        if headers::single(&parts.headers, &FETCH_SITE)?.is_some_and(|site| site == "cross-site") {
            let detail = "the page of another site sent this; send it from a page of this archive or from a program";
            return Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "Another site sent this", detail));
        }
        authenticate::authenticate(self.authenticator.as_ref(), parts, self.settings.retry_after_seconds()).await
    }

    /// Refuses what a reader may not ask for, on record.
    async fn allow(&self, reader: &Reader, may: bool, what: &str) -> Result<(), Problem> {
        if may {
            return Ok(());
        }
        let recorded = reader.denied("no_right").await;
        recorded.map_err(|error| refusal::of_query(&error, self.settings.retry_after_seconds()))?;
        Err(refusal::forbidden(format!("the role {} does not ask for {what}", reader.user().role)))
    }

    /// Gives a statement its place among those that run.
    fn place(&self, reader: &Reader, text: &str) -> Result<Entry, Problem> {
        let ApiSettings { most_statements_per_user, most_statements, .. } = self.settings;
        let wait = self.settings.retry_after_seconds();
        self.running.enter(&reader.user().name, text).map_err(|full| match full {
            Full::User => {
                let what = format!(
                    "{most_statements_per_user} of your statements run already; wait for one to end, or cancel one at \
                     /v1/statements"
                );
                Problem::too_many_statements("user_statements", what, wait)
            }
            Full::All => {
                let what = format!("{most_statements} statements run already; send it again after Retry-After");
                Problem::too_many_statements("all_statements", what, wait)
            }
        })
    }
}

/// The one parameter of the path.
async fn path_parameter(parts: &mut Parts) -> Result<String, Problem> {
    let path = parts.extract::<Path<String>>().await;
    let Path(value) = path.map_err(|_| Problem::invalid_path("it is not UTF-8 after percent-decoding"))?;
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Problem::invalid_path("it holds a control character, or ends too early"));
    }
    Ok(value)
}

/// The parameters of the query, each once.
fn query_of(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        if query.iter().any(|(known, _)| *known == name) {
            return Err(Problem::invalid_query("a parameter stands twice; send it once"));
        }
        query.push((name.into_owned(), value.into_owned()));
    }
    Ok(query)
}

/// Takes a parameter out of the query.
fn take(query: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = query.iter().position(|(known, _)| known == name)?;
    Some(query.remove(place).1)
}

/// Refuses what is left of the query.
fn nothing_else(query: &[(String, String)], known: &str) -> Result<(), Problem> {
    if query.is_empty() { Ok(()) } else { Err(Problem::invalid_query(format!("it holds something else than {known}"))) }
}

/// What a look is for: the parameter or the header.
fn purpose_of(query: &mut Vec<(String, String)>, parts: &Parts) -> Result<Option<String>, Problem> {
    let in_query = crate::statement::purpose(take(query, "purpose").as_deref())?;
    let in_header = crate::statement::purpose(headers::text(&parts.headers, &crate::statement::PURPOSE)?)?;
    match (in_query, in_header) {
        (Some(_), Some(_)) => {
            let detail = "the purpose stands in the URL and in the header Holdfast-Purpose; send it once";
            Err(Problem::bad_request("duplicate_purpose", "The purpose stands twice", detail))
        }
        (in_query, in_header) => Ok(in_query.or(in_header)),
    }
}
