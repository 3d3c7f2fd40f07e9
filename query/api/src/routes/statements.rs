//! `/v1/statements`: lists and cancels the caller's running statements.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use uuid::Uuid;

use super::state::Shared;
use super::target::{path_parameter, query_parameters, refuse_others};
use crate::problem::Problem;
use crate::running::RunningStatements;

pub(super) async fn list(State(state): Shared, request: Request) -> Result<Json<RunningStatements>, Problem> {
    let (parts, _) = request.into_parts();
    let reader = state.authenticate(&parts).await?;
    refuse_others(&query_parameters(&parts)?, "none")?;
    Ok(Json(RunningStatements { statements: state.running.of(&reader.user().name) }))
}

pub(super) async fn cancel(State(state): Shared, request: Request) -> Result<StatusCode, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = state.authenticate(&parts).await?;
    let id = path_parameter(&mut parts).await?;
    refuse_others(&query_parameters(&parts)?, "none")?;
    let is_known = id.parse::<Uuid>().is_ok_and(|id| state.running.cancel(&reader.user().name, id));
    if !is_known {
        let detail = "no statement of yours with this id is running; GET /v1/statements lists your running statements";
        return Err(Problem::not_found("unknown_statement", detail));
    }
    Ok(StatusCode::NO_CONTENT)
}
