//! `POST /v1/sql`: a statement, to its rows.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use datafusion::common::ScalarValue;
use holdfast_query::{AccessKind, Reader, Request as StatementRequest};

use super::{Api, Shared, nothing_else, query_of, take};
use crate::answer;
use crate::body;
use crate::format::Format;
use crate::negotiate;
use crate::parameter;
use crate::problem::Problem;
use crate::refusal;
use crate::statement::{self, Asked, BodyKind};

pub(super) async fn answer(State(api): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match admit(&api, &parts).await {
        Ok(admitted) => run(&api, admitted, &parts, body).await.unwrap_or_else(IntoResponse::into_response),
        Err(problem) => {
            body::discard(body).await;
            problem.into_response()
        }
    }
}

/// A request whose body may be read.
struct Admitted {
    reader: Reader,
    format: Format,
    kind: BodyKind,
}

async fn admit(api: &Api, parts: &Parts) -> Result<Admitted, Problem> {
    let reader = api.authenticate(parts).await?;
    let mut query = query_of(parts)?;
    let format = negotiate::choose(&Format::ROWS, take(&mut query, "format").as_deref(), &parts.headers)?;
    nothing_else(&query, "format")?;
    let kind = BodyKind::of(&parts.headers)?;
    Ok(Admitted { reader, format, kind })
}

async fn run(api: &Api, admitted: Admitted, parts: &Parts, body: Body) -> Result<Response, Problem> {
    let Admitted { reader, format, kind } = admitted;
    let settings = &api.settings;
    let body = body::read(body, settings.max_body_bytes, settings.body_timeout).await?;
    let Asked { statement, parameters, purpose, limits } = Asked::of(kind, &body, &parts.headers)?;
    let entry = api.place(&reader, &statement)?;
    let limits = statement::lower(settings, limits);
    let work = async {
        let parameters = fitted(&reader, &statement, parameters).await?;
        let request = StatementRequest { statement, parameters, purpose, kind: AccessKind::Queried, limits };
        reader.query(request).await.map_err(|error| refusal::of_query(&error, settings.retry_after_seconds()))
    };
    let result = answer::unless_cancelled(&entry, work).await??;
    answer::rows(settings, entry, result, format, None).await
}

/// Values of the types that stand at their places in the statement.
async fn fitted(reader: &Reader, statement: &str, values: Vec<ScalarValue>) -> Result<Vec<ScalarValue>, Problem> {
    if values.is_empty() {
        return Ok(values);
    }
    // What is wrong with the statement itself is found again, and put on record, when it is answered.
    let Ok(description) = reader.describe(statement).await else { return Ok(values) };
    let (expected, given) = (description.parameters.len(), values.len());
    if expected != given {
        let what = format!("the statement has {expected} placeholders ($1, $2, ...), and {given} parameters came");
        return Err(Problem::invalid_parameter(what));
    }
    let places = (1..).zip(values).zip(description.parameters);
    places.map(|((place, value), expected)| parameter::fit(place, value, expected.as_ref())).collect()
}
