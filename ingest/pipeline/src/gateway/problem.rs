//! Error responses: RFC 9457 problem details with a stable reason code.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use holdfast_events::DecodeError;
use serde::Serialize;

use crate::producer::PublishError;

const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is rejected. The text quotes no value, because values may be personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// A code that does not change between versions.
    pub(super) reason: &'static str,
    title: &'static str,
    detail: String,
    /// Which event of a batch, from 0.
    index: Option<usize>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    type_: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

impl Problem {
    fn new(status: StatusCode, reason: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, reason, title, detail: detail.into(), index: None, headers: Vec::new() }
    }

    fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    pub(super) fn bad_request(reason: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, title, detail)
    }

    pub(super) fn not_an_event(error: &DecodeError) -> Self {
        Self::bad_request(error.reason(), "The event is invalid", error.to_string())
    }

    /// An event of a batch that begins at byte `offset` of the body.
    pub(super) fn not_an_event_of_batch(error: &DecodeError, index: usize, offset: usize) -> Self {
        let detail = format!(
            "event {index} of the batch, which begins at byte {offset} of the body: {error}. No event of the batch was \
             accepted; offsets within an event count from its first byte"
        );
        Self::bad_request(error.reason(), "An event of the batch is invalid", detail).at(index)
    }

    pub(super) fn reserved_type() -> Self {
        let detail = "types that begin with `archive.` are reserved for access records of the archive; send the event \
                      with another type. No event of the request was accepted";
        Self::new(StatusCode::FORBIDDEN, "reserved_type", "The type of the event is reserved", detail)
    }

    pub(super) fn other_sender() -> Self {
        let detail = "the attribute `sender` is the name in the client's certificate, and the gateway sets it; leave it \
                      out. No event of the request was accepted";
        Self::new(StatusCode::FORBIDDEN, "other_sender", "The event claims another sender", detail)
    }

    pub(super) fn unauthorized(presented: bool) -> Self {
        if presented {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            let detail =
                "the token in the header Authorization is not valid for this archive; its operator issues tokens";
            Self::new(StatusCode::UNAUTHORIZED, "invalid_token", "The token is not valid", detail)
                .with(header::WWW_AUTHENTICATE, challenge)
        } else {
            let detail = "send the header `Authorization: Bearer TOKEN`, or present a client certificate if the gateway \
                          accepts these";
            Self::new(StatusCode::UNAUTHORIZED, "missing_token", "A token is required", detail)
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        }
    }

    pub(super) fn too_large(reason: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason, "The request is too large", detail)
    }

    pub(super) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        const TITLE: &str = "The content type is not supported";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", TITLE, detail)
    }

    pub(super) fn unsupported_encoding() -> Self {
        const TITLE: &str = "The content encoding is not supported";
        let detail = "send the body as it is, or with Content-Encoding gzip or zstd, once";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", TITLE, detail)
            .with(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"))
    }

    pub(super) fn too_slow() -> Self {
        let detail = "the body did not arrive in time; send it again, in smaller parts over a slow connection";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time", detail)
    }

    pub(super) fn busy(reason: &'static str, retry_after_seconds: u64) -> Self {
        let detail = "the events that wait for Kafka have reached this gateway's limit; send again after Retry-After";
        Self::new(StatusCode::TOO_MANY_REQUESTS, reason, "Too many requests", detail)
            .with(header::RETRY_AFTER, retry_after_seconds)
    }

    pub(super) fn publish(error: PublishError, retry_after_seconds: u64) -> Self {
        match error {
            PublishError::Busy => Self::busy(error.reason(), retry_after_seconds),
            PublishError::TooLarge => Self::too_large(error.reason(), error.to_string()),
            PublishError::Unavailable { .. } => {
                const TITLE: &str = "Kafka did not acknowledge";
                let detail = "it is not known whether the events were stored; send them again with the same ids after \
                              Retry-After";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.reason(), TITLE, detail)
                    .with(header::RETRY_AFTER, retry_after_seconds)
            }
        }
    }

    pub(super) fn internal() -> Self {
        let detail = "the request could not be processed; send it again, and inform the operator if it fails again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            type_: format!("urn:holdfast:problem:{}", self.reason),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            reason: self.reason,
            index: self.index,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.extend(self.headers);
        response
    }
}
