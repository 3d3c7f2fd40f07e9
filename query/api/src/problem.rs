//! Responses that report a failure: RFC 9457 problem details with a stable reason code.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use holdfast_query::StatementError;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// A short code that stays the same between versions.
    pub(crate) reason: &'static str,
    title: &'static str,
    detail: String,
    /// What is wrong with the statement, if that is the problem.
    statement: Option<Box<StatementError>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'p> {
    /// `urn:holdfast:problem:` and the reason.
    #[serde(rename = "type")]
    type_: String,
    /// The kind of problem, for people.
    title: &'p str,
    /// The status of the response. In the error at the end of an incomplete response: the status that a response with this
    /// problem has.
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: &'p str,
    /// A short code that stays the same between versions.
    reason: &'p str,
    /// The SQLSTATE of a mistake in a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, min_length = 5, max_length = 5)]
    sqlstate: Option<&'p str>,
    /// The place in the statement to which the problem points, in characters from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, minimum = 1)]
    position: Option<usize>,
    /// What to do, such as the name that was perhaps meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    hint: Option<&'p str>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        reason: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, reason, title, detail: detail.into(), statement: None, headers: Vec::new() }
    }

    /// A mistake in a statement.
    pub(crate) fn statement(error: &StatementError) -> Self {
        let detail = match &error.detail {
            Some(more) => format!("{}. {more}", error.message),
            None => error.message.clone(),
        };
        let problem = Self::bad_request("invalid_statement", "The statement is invalid", detail);
        Self { statement: Some(Box::new(error.clone())), ..problem }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body of the response.
    pub(crate) fn body(&self) -> ProblemBody<'_> {
        let statement = self.statement.as_deref();
        ProblemBody {
            type_: format!("urn:holdfast:problem:{}", self.reason),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            reason: self.reason,
            sqlstate: statement.map(|error| error.state),
            position: statement.and_then(|error| error.position),
            hint: statement.and_then(|error| error.hint.as_deref()),
        }
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> String {
        self.detail.clone()
    }

    pub(crate) fn bad_request(reason: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, title, detail)
    }

    pub(crate) fn duplicate_header(name: &HeaderName) -> Self {
        let detail = format!("the header {name} occurs more than once; send it once");
        Self::bad_request("duplicate_header", "A header is repeated", detail)
    }

    pub(crate) fn invalid_header(name: &HeaderName, what: &str) -> Self {
        Self::bad_request("invalid_header", "A header is invalid", format!("the header {name} {what}"))
    }

    pub(crate) fn headers_too_large(limit: usize) -> Self {
        let detail =
            format!("the target and the headers together are limited to {limit} bytes; send a statement as the body");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::new(status, "headers_too_large", "The headers are too large", detail)
    }

    pub(crate) fn invalid_query(detail: impl Into<String>) -> Self {
        Self::bad_request("invalid_query", "The query of the URL is invalid", detail)
    }

    pub(crate) fn invalid_path(detail: impl Into<String>) -> Self {
        Self::bad_request("invalid_path", "The path is invalid", detail)
    }

    pub(crate) fn invalid_body(detail: impl Into<String>) -> Self {
        Self::bad_request("invalid_body", "The body is invalid", detail)
    }

    pub(crate) fn invalid_parameter(detail: impl Into<String>) -> Self {
        Self::bad_request("invalid_parameter", "A parameter is invalid", detail)
    }

    pub(crate) fn incomplete_body() -> Self {
        let detail = "the connection ended before the whole body arrived; send it again";
        Self::bad_request("incomplete_body", "The body is incomplete", detail)
    }

    pub(crate) fn body_timeout() -> Self {
        let detail = "the body did not arrive in time; send it again";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time", detail)
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        let detail = format!("a statement with its parameters is limited to {limit} bytes; shorten it");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The request is too large", detail)
    }

    pub(crate) fn unsupported_media_type() -> Self {
        let detail = "send the statement alone as application/sql or text/plain, or with its parameters as \
                      application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let accepted = HeaderValue::from_static("application/json, application/sql, text/plain");
        Self::new(status, "unsupported_media_type", "The content type is not supported", detail)
            .with(header::ACCEPT, accepted)
    }

    pub(crate) fn unsupported_encoding() -> Self {
        let detail = "send the body without Content-Encoding";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "unsupported_encoding", "The content encoding is not supported", detail)
            .with(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
    }

    pub(crate) fn not_acceptable(offered: &str) -> Self {
        let detail = format!("the header Accept matches none of the available formats: {offered}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "No acceptable format", detail)
    }

    pub(crate) fn not_representable(detail: impl Into<String>) -> Self {
        let title = "The format cannot represent the rows";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_representable", title, detail)
    }

    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        let detail = format!("this resource accepts {allowed} only");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed", detail)
            .with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    pub(crate) fn not_found(reason: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, "Not found", detail)
    }

    pub(crate) fn cancelled() -> Self {
        let detail = "the statement was cancelled at /v1/statements";
        Self::new(StatusCode::CONFLICT, "cancelled", "The statement was cancelled", detail)
    }

    pub(crate) fn too_many_statements(reason: &'static str, what: String, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, reason, "Too many concurrent statements", what)
            .with(header::RETRY_AFTER, retry_after_seconds)
    }

    pub(crate) fn internal() -> Self {
        let detail = "the server failed; send the request again, and inform the operator if it fails again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}
