//! `/v1/reports`: the reports that there are, and one of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holdfast_query::{AccessKind, Limits, QueryResult, Request as StatementRequest};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, Shared, nothing_else, path_parameter, purpose_of, query_of, take};
use crate::answer;
use crate::format::Format;
use crate::headers::value_of;
use crate::negotiate;
use crate::problem::Problem;
use crate::refusal;
use crate::report::{ReportDescription, ReportSource, ReportStatement};
use crate::statement;

/// Rows of a plot at most: all of them are in memory at once.
const MOST_PLOTTED: u64 = 100_000;

/// The reports that there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reports {
    /// In the order in which they are meant to be read.
    reports: Vec<ReportDescription>,
}

pub(super) async fn list(State(api): Shared, request: Request) -> Response {
    listed(&api, request).await.into_response()
}

async fn listed(api: &Api, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    api.authenticate(&parts).await?;
    nothing_else(&query_of(&parts)?, "nothing")?;
    Ok(Json(Reports { reports: api.reports.list() }).into_response())
}

pub(super) async fn answer(State(api): Shared, request: Request) -> Response {
    answered(&api, request).await.into_response()
}

async fn answered(api: &Api, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = api.authenticate(&parts).await?;
    api.allow(&reader, reader.permissions().reports, "reports").await?;
    let name = path_parameter(&mut parts).await?;
    let mut query = query_of(&parts)?;
    let format = negotiate::choose(&Format::REPORT, take(&mut query, "format").as_deref(), &parts.headers)?;
    let purpose = purpose_of(&mut query, &parts)?;
    let asked = api.reports.statement(&name, &query);
    let ReportStatement { statement, parameters } = asked.map_err(|problem| refusal::of_report(&problem))?;

    let settings = &api.settings;
    let mut limits = statement::lower(settings, Limits::default());
    if format == Format::Svg {
        limits.rows = limits.rows.map(|rows| rows.min(MOST_PLOTTED));
    }
    let entry = api.place(&reader, &statement)?;
    let request = StatementRequest { statement, parameters, purpose, kind: AccessKind::Queried, limits };
    let failed = |error| refusal::of_query(&error, settings.retry_after_seconds());
    let result = answer::unless_cancelled(&entry, reader.query(request)).await?.map_err(failed)?;
    if format != Format::Svg {
        return answer::rows(settings, entry, result, format, None).await;
    }
    let id = entry.id().to_string();
    let (schema, notices) = (Arc::clone(&result.schema), result.notices.clone());
    let batches = answer::unless_cancelled(&entry, QueryResult::collect(result)).await?.map_err(failed)?;
    let reports: Arc<dyn ReportSource> = Arc::clone(&api.reports);
    let drawing = tokio::task::spawn_blocking(move || reports.plot(&name, &schema, &batches));
    let image = drawing.await.map_err(|_| Problem::internal())?.map_err(|problem| refusal::of_report(&problem))?;
    let mut response = image.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Format::Svg.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    // An image can hold scripts; this one is only looked at.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(answer::STATEMENT, value_of(&id));
    answer::notify(headers, &notices);
    Ok(response)
}
