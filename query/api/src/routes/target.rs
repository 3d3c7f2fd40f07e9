//! The target of a request (RFC 9110, section 7.1): the parameter of its path, and those of its query.

use axum::RequestPartsExt as _;
use axum::extract::Path;
use axum::http::request::Parts;

use crate::headers;
use crate::problem::Problem;
use crate::statement::{self, PURPOSE_HEADER};

/// The one parameter of the path.
pub(super) async fn path_parameter(parts: &mut Parts) -> Result<String, Problem> {
    let path = parts.extract::<Path<String>>().await;
    let Path(value) = path.map_err(|_| Problem::invalid_path("it is not UTF-8 after percent-decoding"))?;
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Problem::invalid_path("its parameter is empty or contains a control character"));
    }
    Ok(value)
}

/// The parameters of the query. A repeated parameter is refused.
pub(super) fn query_parameters(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        if query.iter().any(|(known, _)| *known == name) {
            return Err(Problem::invalid_query("a parameter is repeated; send it once"));
        }
        query.push((name.into_owned(), value.into_owned()));
    }
    Ok(query)
}

/// Removes a parameter from the query.
pub(super) fn take(query: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = query.iter().position(|(known, _)| known == name)?;
    Some(query.remove(place).1)
}

/// Refuses the parameters that remain. `allowed` names those that the route has.
pub(super) fn refuse_others(query: &[(String, String)], allowed: &str) -> Result<(), Problem> {
    if query.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid_query(format!("it has an unknown parameter; the parameters are: {allowed}")))
    }
}

/// The purpose of an access: the parameter or the header.
pub(super) fn purpose(query: &mut Vec<(String, String)>, parts: &Parts) -> Result<Option<String>, Problem> {
    let in_query = statement::purpose(take(query, "purpose").as_deref())?;
    let in_header = statement::purpose(headers::text(&parts.headers, &PURPOSE_HEADER)?)?;
    match (in_query, in_header) {
        (Some(_), Some(_)) => {
            let detail = "the purpose is in the URL and in the header Holdfast-Purpose; send it once";
            Err(Problem::bad_request("duplicate_purpose", "The purpose is repeated", detail))
        }
        (in_query, in_header) => Ok(in_query.or(in_header)),
    }
}
