//! `/v1/statements`: what the caller has running, and how to end it.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Api, Shared, nothing_else, path_parameter, query_of};
use crate::problem::Problem;
use crate::running::RunningStatement;

/// The caller's statements that run.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunningStatements {
    /// The oldest first.
    statements: Vec<RunningStatement>,
}

pub(super) async fn list(State(api): Shared, request: Request) -> Response {
    listed(&api, request).await.into_response()
}

async fn listed(api: &Api, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let reader = api.authenticate(&parts).await?;
    nothing_else(&query_of(&parts)?, "nothing")?;
    let statements = api.running.of(&reader.user().name);
    Ok(Json(RunningStatements { statements }).into_response())
}

pub(super) async fn cancel(State(api): Shared, request: Request) -> Response {
    cancelled(&api, request).await.into_response()
}

async fn cancelled(api: &Api, request: Request) -> Result<StatusCode, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = api.authenticate(&parts).await?;
    let id = path_parameter(&mut parts).await?;
    nothing_else(&query_of(&parts)?, "nothing")?;
    let known = id.parse::<Uuid>().is_ok_and(|id| api.running.cancel(&reader.user().name, id));
    if !known {
        let detail = "no statement of yours with this id runs; GET /v1/statements lists those that do";
        return Err(Problem::not_found("unknown_statement", detail));
    }
    Ok(StatusCode::NO_CONTENT)
}
