//! What the archive, the interface and the reports refuse, as HTTP says it. This is the only place that chooses a status for
//! them.

use axum::http::{HeaderValue, StatusCode, header};
use holdfast_query::{AuthenticationError, QueryError};

use crate::problem::Problem;
use crate::report::ReportProblem;

const WITHHELD: &str = "Your keys do not open this";
const TOO_MUCH: &str = "The statement needs too much";

/// Why a statement was not answered.
pub(crate) fn of_query(error: &QueryError, retry_after_seconds: u64) -> Problem {
    let detail = error.to_string();
    let problem = |status, reason, title| Problem::new(status, reason, title, detail);
    match error {
        QueryError::Statement(_) => problem(StatusCode::BAD_REQUEST, "invalid_statement", "The statement is invalid"),
        QueryError::ReadOnly(_) => problem(StatusCode::BAD_REQUEST, "read_only", "The archive is read-only"),
        QueryError::Withheld { .. } => problem(StatusCode::FORBIDDEN, "withheld", WITHHELD),
        QueryError::NoKey { .. } => problem(StatusCode::FORBIDDEN, "no_key", WITHHELD),
        QueryError::TooManyRows { .. } => problem(StatusCode::PAYLOAD_TOO_LARGE, "too_many_rows", TOO_MUCH),
        QueryError::TimedOut => problem(StatusCode::GATEWAY_TIMEOUT, "statement_timeout", TOO_MUCH),
        QueryError::Memory { .. } => problem(StatusCode::INSUFFICIENT_STORAGE, "memory", TOO_MUCH),
        QueryError::Unrecorded(_) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "unrecorded", "The look cannot be recorded")
                .with(header::RETRY_AFTER, retry_after_seconds)
        }
        QueryError::File { .. } => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "data_file", "A data file is not what it should be")
        }
        QueryError::Sessions(_) => problem(StatusCode::BAD_GATEWAY, "sessions", "The sessions cannot be read"),
        QueryError::Archive(_) => problem(StatusCode::BAD_GATEWAY, "archive", "The archive cannot be read"),
    }
}

/// Why somebody is not let in.
pub(crate) fn of_authentication(refused: &AuthenticationError, retry_after_seconds: u64) -> Problem {
    let detail = refused.to_string();
    match refused {
        AuthenticationError::Credentials(_) => {
            challenged("invalid_credentials", "The credentials are not valid", detail)
        }
        AuthenticationError::Forbidden(_) => forbidden(detail),
        AuthenticationError::TooManyTries(wait) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Too many failed logins", detail)
                .with(header::RETRY_AFTER, wait.as_secs().max(1))
        }
        AuthenticationError::Unavailable(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "authentication_unavailable",
            "Nobody can be let in now",
            detail,
        )
        .with(header::RETRY_AFTER, retry_after_seconds),
    }
}

/// Somebody is known, and may not do this.
pub(crate) fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "This is not for you", detail)
}

/// Somebody did not say who they are, or not in a way that is understood.
pub(crate) fn unidentified(detail: impl Into<String>) -> Problem {
    challenged("missing_credentials", "Credentials are needed", detail)
}

fn challenged(reason: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, reason, title, detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"holdfast\""))
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"holdfast\", charset=\"UTF-8\""))
}

/// Why a report cannot be made.
pub(crate) fn of_report(problem: &ReportProblem) -> Problem {
    let detail = problem.to_string();
    match problem {
        ReportProblem::Unknown { .. } => Problem::not_found("unknown_report", detail),
        ReportProblem::Argument { .. } => {
            Problem::bad_request("invalid_argument", "An argument of the report does not fit", detail)
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
    use holdfast_query::Unrecorded;

    use super::*;

    #[test]
    fn who_can_try_again_is_told_when() {
        let unrecorded = of_query(&QueryError::Unrecorded(Unrecorded("no broker".to_owned())), 7).into_response();
        assert_eq!(unrecorded.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(unrecorded.headers()[header::RETRY_AFTER], "7");
        let tries = of_authentication(&AuthenticationError::TooManyTries(Duration::from_secs(90)), 7).into_response();
        assert_eq!(tries.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(tries.headers()[header::RETRY_AFTER], "90");
    }

    #[test]
    fn who_is_not_known_is_told_both_ways_in() {
        let response = unidentified("say who you are").into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let ways: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(ways.len(), 2);
        assert!(
            of_authentication(&AuthenticationError::Forbidden("no".to_owned()), 1)
                .into_response()
                .headers()
                .get(header::WWW_AUTHENTICATE)
                .is_none()
        );
    }
}
