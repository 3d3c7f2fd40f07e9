//! `/v1/reports`: lists the reports, and runs one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holdfast_query::{AccessKind, Limits, QueryResult, Request as QueryRequest};

use super::state::Shared;
use super::target::{path_parameter, purpose, query_parameters, refuse_others, take};
use crate::error_mapping::{query_problem, report_problem};
use crate::format::Format;
use crate::headers::value_of;
use crate::negotiate;
use crate::problem::Problem;
use crate::report::{ReportSource, ReportStatement, Reports};
use crate::response;
use crate::statement::effective_limits;

/// The most rows of a plot: all of them are in memory together.
const MAX_PLOTTED_ROWS: u64 = 100_000;

pub(super) async fn list(State(state): Shared, request: Request) -> Result<Json<Reports>, Problem> {
    let (parts, _) = request.into_parts();
    state.authenticate(&parts).await?;
    refuse_others(&query_parameters(&parts)?, "none")?;
    Ok(Json(Reports { reports: state.reports.list() }))
}

pub(super) async fn run(State(state): Shared, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = state.authenticate(&parts).await?;
    state.require(&reader, reader.permissions().reports, "reports").await?;
    let name = path_parameter(&mut parts).await?;
    let mut query = query_parameters(&parts)?;
    let format = negotiate::choose(&Format::REPORT, take(&mut query, "format").as_deref(), &parts.headers)?;
    let purpose = purpose(&mut query, &parts)?;
    let report = state.reports.statement(&name, &query);
    let ReportStatement { statement, parameters } = report.map_err(|error| report_problem(&error))?;

    let settings = &state.settings;
    let mut limits = effective_limits(settings, Limits::default());
    if format == Format::Svg {
        limits.rows = limits.rows.map(|rows| rows.min(MAX_PLOTTED_ROWS));
    }
    let registration = state.register(&reader, &statement).await?;
    let request =
        QueryRequest { statement, parameters, purpose, kind: AccessKind::Queried, limits, is_asked_often: true };
    let failed = |error| query_problem(&error, settings.retry_after_seconds());
    let result = response::unless_cancelled(&registration, reader.query(request)).await?.map_err(failed)?;
    if format != Format::Svg {
        return response::rows(settings, registration, result, format, None).await;
    }
    let id = registration.id().to_string();
    let (schema, notices) = (Arc::clone(&result.schema), result.notices.clone());
    let collected = response::unless_cancelled(&registration, QueryResult::collect(result)).await?;
    let batches = collected.map_err(failed)?;
    let reports: Arc<dyn ReportSource> = Arc::clone(&state.reports);
    let drawing = tokio::task::spawn_blocking(move || reports.plot(&name, &schema, &batches));
    let image = drawing.await.map_err(|_| Problem::internal())?.map_err(|error| report_problem(&error))?;
    let mut response = image.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Format::Svg.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    // An image can contain scripts. This policy lets a browser show it and run none.
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(response::STATEMENT, value_of(&id));
    response::append_notices(headers, &notices);
    Ok(response)
}
