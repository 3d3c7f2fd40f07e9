//! The problem for each error of the engine, of authentication and of reports. This is the only place that chooses a status
//! for them.

use axum::http::{HeaderValue, StatusCode, header};
use holdfast_query::{AuthenticationError, Bound, QueryError};

use crate::problem::Problem;
use crate::report::ReportProblem;

const WITHHELD: &str = "Your keys do not open this";
const LIMIT_EXCEEDED: &str = "The statement exceeds a limit";

/// Why a statement failed.
pub(crate) fn query_problem(error: &QueryError, retry_after_seconds: u64) -> Problem {
    let detail = error.to_string();
    let problem = |status, reason, title| Problem::new(status, reason, title, detail);
    match error {
        QueryError::Statement(error) => Problem::statement(error),
        QueryError::Bound(Bound::Bytes) => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, "statement_too_large", LIMIT_EXCEEDED)
        }
        QueryError::Bound(_) => problem(StatusCode::BAD_REQUEST, "statement_too_complex", LIMIT_EXCEEDED),
        QueryError::Function { .. } => problem(StatusCode::BAD_REQUEST, "function_limit", LIMIT_EXCEEDED),
        QueryError::Internal(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        QueryError::ReadOnly(_) => problem(StatusCode::BAD_REQUEST, "read_only", "The archive is read-only"),
        QueryError::Withheld { .. } => problem(StatusCode::FORBIDDEN, "withheld", WITHHELD),
        QueryError::NoKey { .. } => problem(StatusCode::FORBIDDEN, "no_key", WITHHELD),
        QueryError::TooManyRows { .. } => problem(StatusCode::PAYLOAD_TOO_LARGE, "too_many_rows", LIMIT_EXCEEDED),
        QueryError::NotRecordable { .. } => problem(StatusCode::PAYLOAD_TOO_LARGE, "not_recordable", LIMIT_EXCEEDED),
        QueryError::TimedOut => problem(StatusCode::GATEWAY_TIMEOUT, "statement_timeout", LIMIT_EXCEEDED),
        QueryError::Memory { .. } | QueryError::OutOfMemory { .. } => {
            problem(StatusCode::INSUFFICIENT_STORAGE, "memory", LIMIT_EXCEEDED)
        }
        QueryError::Unrecorded(_) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "unrecorded", "The access cannot be recorded")
                .with(header::RETRY_AFTER, retry_after_seconds)
        }
        QueryError::File { .. } => problem(StatusCode::INTERNAL_SERVER_ERROR, "data_file", "A data file is invalid"),
        QueryError::Sessions(_) => problem(StatusCode::BAD_GATEWAY, "sessions", "The sessions cannot be read"),
        QueryError::Archive(_) => problem(StatusCode::BAD_GATEWAY, "archive", "The archive cannot be read"),
    }
}

/// Why authentication failed.
pub(crate) fn authentication_problem(error: &AuthenticationError, retry_after_seconds: u64) -> Problem {
    let detail = error.to_string();
    match error {
        AuthenticationError::Credentials(_) => {
            challenge("invalid_credentials", "The credentials are not valid", detail)
        }
        AuthenticationError::Forbidden(_) => forbidden(detail),
        AuthenticationError::TooManyTries(wait) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Too many failed logins", detail)
                .with(header::RETRY_AFTER, wait.as_secs().max(1))
        }
        AuthenticationError::Unavailable(_) => {
            let title = "Authentication is unavailable";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "authentication_unavailable", title, detail)
                .with(header::RETRY_AFTER, retry_after_seconds)
        }
    }
}

/// The user is authenticated and lacks the permission.
pub(crate) fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "You lack the permission", detail)
}

/// The request has no credentials, or credentials of an unknown form.
pub(crate) fn missing_credentials(detail: impl Into<String>) -> Problem {
    challenge("missing_credentials", "Credentials are needed", detail)
}

fn challenge(reason: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, reason, title, detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holdfast\""))
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"holdfast\", charset=\"UTF-8\""))
}

/// Why a report cannot be created.
pub(crate) fn report_problem(error: &ReportProblem) -> Problem {
    let detail = error.to_string();
    match error {
        ReportProblem::Unknown { .. } => Problem::not_found("unknown_report", detail),
        ReportProblem::Argument { .. } => {
            Problem::bad_request("invalid_argument", "An argument of the report is invalid", detail)
        }
        ReportProblem::NoPlot { .. } => Problem::not_representable(detail),
        ReportProblem::Plot { .. } => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "plot", "The plot could not be drawn", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::response::IntoResponse;
    use holdfast_query::{StatementError, Unrecorded};

    use super::*;

    #[test]
    fn problems_that_pass_name_the_time_to_retry() {
        let unrecorded = query_problem(&QueryError::Unrecorded(Unrecorded("no broker".to_owned())), 7).into_response();
        assert_eq!(unrecorded.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(unrecorded.headers()[header::RETRY_AFTER], "7");
        let tries = AuthenticationError::TooManyTries(Duration::from_secs(90));
        let tries = authentication_problem(&tries, 7).into_response();
        assert_eq!(tries.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(tries.headers()[header::RETRY_AFTER], "90");
    }

    #[test]
    fn a_mistake_in_a_statement_names_its_place_and_the_remedy() {
        let mut error = StatementError::new("42703", "column \"agnt\" does not exist").hint("Write agent.");
        error.position = Some(8);
        let body = |error: StatementError| serde_json::to_value(query_problem(&error.into(), 1).body()).unwrap();
        let problem = body(error.clone());
        assert_eq!(problem["detail"], "column \"agnt\" does not exist");
        assert_eq!((&problem["sqlstate"], &problem["position"]), (&"42703".into(), &8.into()));
        assert_eq!((&problem["hint"], &problem["status"]), (&"Write agent.".into(), &400.into()));
        assert_eq!(body(error.detail("More."))["detail"], "column \"agnt\" does not exist. More.");
        let without = serde_json::to_value(query_problem(&QueryError::TimedOut, 1).body()).unwrap();
        assert!(["sqlstate", "position", "hint"].iter().all(|name| without.get(name).is_none()), "{without}");
    }

    #[test]
    fn a_statement_without_memory_is_told_so_whichever_limit_it_met() {
        for error in [QueryError::Memory { limit_mib: 1, what: String::new() }, QueryError::OutOfMemory { held_mib: 1 }]
        {
            let problem = query_problem(&error, 1);
            assert_eq!((problem.status, problem.reason), (StatusCode::INSUFFICIENT_STORAGE, "memory"));
        }
    }

    #[test]
    fn only_unauthenticated_callers_are_challenged_with_both_schemes() {
        let response = missing_credentials("send credentials").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenges: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges.len(), 2);
        assert!(
            authentication_problem(&AuthenticationError::Forbidden("no".to_owned()), 1)
                .into_response()
                .headers()
                .get(header::WWW_AUTHENTICATE)
                .is_none()
        );
    }
}
