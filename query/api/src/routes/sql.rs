//! `POST /v1/sql`: runs a statement and returns its rows.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use datafusion::common::ScalarValue;
use holdfast_query::{AccessKind, Limits, Reader, Request as QueryRequest};
use tokio::time::{Instant, timeout};

use super::state::{ApiState, Shared};
use super::target::{query_parameters, refuse_others, take};
use crate::body;
use crate::error_mapping::query_problem;
use crate::format::Format;
use crate::negotiate;
use crate::parameter;
use crate::problem::Problem;
use crate::response;
use crate::statement::{BodyKind, StatementRequest, effective_limits};

pub(super) async fn run(State(state): Shared, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    match accept(&state, &parts).await {
        Ok(accepted) => execute(&state, accepted, &parts, body).await,
        Err(problem) => {
            body::discard(body).await;
            Err(problem)
        }
    }
}

/// A request whose body may be read.
struct AcceptedRequest {
    reader: Reader,
    format: Format,
    kind: BodyKind,
}

async fn accept(state: &ApiState, parts: &Parts) -> Result<AcceptedRequest, Problem> {
    let reader = state.authenticate(parts).await?;
    let mut query = query_parameters(parts)?;
    let format = negotiate::choose(&Format::ROWS, take(&mut query, "format").as_deref(), &parts.headers)?;
    refuse_others(&query, "format")?;
    let kind = BodyKind::of(&parts.headers)?;
    Ok(AcceptedRequest { reader, format, kind })
}

async fn execute(state: &ApiState, accepted: AcceptedRequest, parts: &Parts, body: Body) -> Result<Response, Problem> {
    let AcceptedRequest { reader, format, kind } = accepted;
    let settings = &state.settings;
    let body = body::read(body, settings.max_body_bytes, settings.body_timeout).await?;
    let request = StatementRequest::parse(kind, &body, &parts.headers)?;
    let StatementRequest { statement, parameters, purpose, limits } = request;
    let registration = state.register(&reader, &statement).await?;
    let limits = effective_limits(settings, limits);
    let work = async {
        let begun = Instant::now();
        let time = limits.time.unwrap_or(settings.statement_timeout);
        let parameters = cast_parameters(&reader, &statement, parameters, time).await?;
        let limits = Limits { time: Some(time.saturating_sub(begun.elapsed())), ..limits };
        let request =
            QueryRequest { statement, parameters, purpose, kind: AccessKind::Queried, limits, is_asked_often: false };
        reader.query(request).await.map_err(|error| query_problem(&error, settings.retry_after_seconds()))
    };
    let result = response::unless_cancelled(&registration, work).await??;
    response::rows(settings, registration, result, format, None).await
}

/// Casts the values to the types that the statement expects at their places. It takes at most `time`.
async fn cast_parameters(
    reader: &Reader,
    statement: &str,
    values: Vec<ScalarValue>,
    time: Duration,
) -> Result<Vec<ScalarValue>, Problem> {
    if values.is_empty() {
        return Ok(values);
    }
    // Running an invalid statement, or one without time left, fails with the same error, and records it.
    let Ok(Ok(description)) = timeout(time, reader.describe(statement)).await else { return Ok(values) };
    let (expected, given) = (description.parameters.len(), values.len());
    if expected != given {
        let what =
            format!("the statement has {expected} placeholders ($1, $2, ...), and the request has {given} parameters");
        return Err(Problem::invalid_parameter(what));
    }
    let places = (1..).zip(values).zip(description.parameters);
    places
        .map(|((place, value), expected)| {
            parameter::cast(place, value, expected.as_ref().map(|field| field.data_type()))
        })
        .collect()
}
