//! `GET /v1/sessions/{id}`: the story of one session, in order.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use holdfast_query::Limits;

use super::{Api, Shared, nothing_else, path_parameter, purpose_of, query_of, take};
use crate::answer;
use crate::format::Format;
use crate::negotiate;
use crate::problem::Problem;
use crate::refusal;
use crate::statement;

pub(super) async fn story(State(api): Shared, request: Request) -> Response {
    told(&api, request).await.into_response()
}

async fn told(api: &Api, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = api.authenticate(&parts).await?;
    api.allow(&reader, reader.permissions().timelines, "the timelines of sessions").await?;
    let id = path_parameter(&mut parts).await?;
    let mut query = query_of(&parts)?;
    let format = negotiate::choose(&Format::ROWS, take(&mut query, "format").as_deref(), &parts.headers)?;
    let purpose = purpose_of(&mut query, &parts)?;
    nothing_else(&query, "format and purpose")?;
    let settings = &api.settings;
    let limits = statement::lower(settings, Limits::default());
    let entry = api.place(&reader, &format!("the story of session {id}"))?;
    let result = answer::unless_cancelled(&entry, reader.timeline(&id, purpose)).await?;
    let result = result.map_err(|error| refusal::of_query(&error, settings.retry_after_seconds()))?;
    // A session that the caller may not see and one that does not exist are the same to them.
    let unknown = Problem::not_found("unknown_session", "there is no event of a session with this id that you may see");
    answer::rows(settings, entry, answer::bounded(result, limits), format, Some(unknown)).await
}
