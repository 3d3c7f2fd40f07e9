//! `GET /v1/sessions/{id}`: the time line of one session.

use axum::extract::{Request, State};
use axum::response::Response;
use holdfast_query::Limits;

use super::state::Shared;
use super::target::{path_parameter, purpose, query_parameters, refuse_others, take};
use crate::error_mapping::query_problem;
use crate::format::Format;
use crate::negotiate;
use crate::problem::Problem;
use crate::response;
use crate::statement::effective_limits;

pub(super) async fn timeline(State(state): Shared, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = state.authenticate(&parts).await?;
    state.require(&reader, reader.permissions().timelines, "the time lines of sessions").await?;
    let id = path_parameter(&mut parts).await?;
    let mut query = query_parameters(&parts)?;
    let format = negotiate::choose(&Format::ROWS, take(&mut query, "format").as_deref(), &parts.headers)?;
    let purpose = purpose(&mut query, &parts)?;
    refuse_others(&query, "format, purpose")?;
    let settings = &state.settings;
    let limits = effective_limits(settings, Limits::default());
    let registration = state.register(&reader, &format!("the time line of session {id}")).await?;
    let result = response::unless_cancelled(&registration, reader.timeline(&id, purpose, limits)).await?;
    let result = result.map_err(|error| query_problem(&error, settings.retry_after_seconds()))?;
    // The response does not distinguish a session that does not exist from one that is not visible to the user.
    let unknown = Problem::not_found("unknown_session", "no event of a session with this id is visible to you");
    response::rows(settings, registration, result, format, Some(unknown)).await
}
