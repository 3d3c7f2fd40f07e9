//! A request to run a statement: parsed from its body and headers. Pure.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use datafusion::common::ScalarValue;
use holdfast_query::Limits;
use serde_json::{Map, Value};

use crate::headers;
use crate::parameter;
use crate::problem::Problem;
use crate::settings::ApiSettings;

/// The header with the purpose of an access.
pub(crate) const PURPOSE_HEADER: HeaderName = HeaderName::from_static("holdfast-purpose");
/// The most parameters of a statement.
pub(crate) const MAX_PARAMETERS: usize = 1_000;
/// The most characters of a purpose.
pub(crate) const MAX_PURPOSE_CHARACTERS: usize = 1_000;
const KEYS: [&str; 4] = ["statement", "parameters", "purpose", "limits"];

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// The statement with its parameters.
    Json,
    /// The statement alone.
    Text,
}

/// A statement with its values and limits.
#[derive(Debug, PartialEq)]
pub(crate) struct StatementRequest {
    pub(crate) statement: String,
    pub(crate) parameters: Vec<ScalarValue>,
    pub(crate) purpose: Option<String>,
    /// The limits in the request; lower than the configured ones if they have an effect.
    pub(crate) limits: Limits,
}

impl BodyKind {
    /// The form that the headers declare.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(encoding) = headers::text(headers, &header::CONTENT_ENCODING)?
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(Problem::unsupported_encoding());
        }
        let content_type = headers::text(headers, &header::CONTENT_TYPE)?.unwrap_or_default();
        let mut parts = content_type.split(';').map(str::trim);
        let kind = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "application/sql" | "text/plain" => Self::Text,
            _ => return Err(Problem::unsupported_media_type()),
        };
        let utf8 = |parameter: &str| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                let value = value.trim_matches('"');
                ["utf-8", "utf8", "us-ascii"].iter().any(|charset| value.eq_ignore_ascii_case(charset))
            }
            _ => true,
        };
        if parts.all(utf8) { Ok(kind) } else { Err(Problem::unsupported_media_type()) }
    }
}

impl StatementRequest {
    /// Parses a body of this kind and the headers.
    pub(crate) fn parse(kind: BodyKind, body: &[u8], headers: &HeaderMap) -> Result<Self, Problem> {
        let request = match kind {
            BodyKind::Text => {
                let text = std::str::from_utf8(body).map_err(|error| {
                    Problem::invalid_body(format!("it is not UTF-8 at byte {}", error.valid_up_to()))
                })?;
                Self { statement: text.to_owned(), parameters: Vec::new(), purpose: None, limits: Limits::default() }
            }
            BodyKind::Json => Self::parse_json(body)?,
        };
        if request.statement.trim().is_empty() {
            return Err(Problem::invalid_body("the statement is empty; send one, such as `SELECT 1`"));
        }
        let in_header = purpose(headers::text(headers, &PURPOSE_HEADER)?)?;
        let purpose = match (request.purpose, in_header) {
            (Some(_), Some(_)) => {
                let detail = "the purpose is in the body and in the header Holdfast-Purpose; send it once";
                return Err(Problem::bad_request("duplicate_purpose", "The purpose is repeated", detail));
            }
            (in_body, in_header) => in_body.or(in_header),
        };
        Ok(Self { purpose, ..request })
    }

    fn parse_json(body: &[u8]) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Eof => "the JSON ends too early",
                _ => "this is not JSON, or a number in it is out of range",
            };
            Problem::invalid_body(format!("{what}, at line {line}, column {column}"))
        })?;
        let mut object = object("the body", value, &KEYS)?;
        let statement = match object.remove("statement") {
            Some(Value::String(statement)) => statement,
            Some(_) => return Err(Problem::invalid_body("`statement` is not a text")),
            None => return Err(Problem::invalid_body("`statement` is missing; it is the SQL text")),
        };
        let parameters = match object.remove("parameters") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) if values.len() > MAX_PARAMETERS => {
                return Err(Problem::invalid_body(format!("a statement is limited to {MAX_PARAMETERS} parameters")));
            }
            Some(Value::Array(values)) => {
                (1..).zip(values).map(|(place, value)| parameter::parse(place, value)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(Problem::invalid_body("`parameters` is not an array of the values of $1, $2, ...")),
        };
        let purpose = match object.remove("purpose") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => purpose(Some(&text))?,
            Some(_) => return Err(Problem::invalid_body("`purpose` is not a text")),
        };
        let limits = match object.remove("limits") {
            None | Some(Value::Null) => Limits::default(),
            Some(limits) => limits_of(limits)?,
        };
        Ok(Self { statement, parameters, purpose, limits })
    }
}

/// A purpose that is not too long, or none.
pub(crate) fn purpose(text: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_PURPOSE_CHARACTERS {
        let detail = format!("a purpose is limited to {MAX_PURPOSE_CHARACTERS} characters; shorten it");
        return Err(Problem::bad_request("invalid_purpose", "The purpose is too long", detail));
    }
    Ok(Some(text.to_owned()))
}

/// The lower of the configured and the requested limits.
pub(crate) fn effective_limits(settings: &ApiSettings, requested: Limits) -> Limits {
    Limits {
        rows: Some(requested.rows.map_or(settings.max_rows, |rows| rows.min(settings.max_rows))),
        time: Some(requested.time.map_or(settings.statement_timeout, |time| time.min(settings.statement_timeout))),
    }
}

fn object(what: &str, value: Value, keys: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(object) = value else {
        return Err(Problem::invalid_body(format!("{what} is not a JSON object with {}", keys.join(", "))));
    };
    if object.keys().any(|key| !keys.contains(&key.as_str())) {
        return Err(Problem::invalid_body(format!("{what} has a key that is not one of {}", keys.join(", "))));
    }
    Ok(object)
}

fn limits_of(value: Value) -> Result<Limits, Problem> {
    let mut object = object("`limits`", value, &["rows", "seconds"])?;
    let rows = match object.remove("rows") {
        None | Some(Value::Null) => None,
        Some(rows) => {
            let rows = rows.as_u64().filter(|rows| *rows > 0);
            Some(rows.ok_or_else(|| Problem::invalid_body("`limits.rows` is not a whole number above 0"))?)
        }
    };
    let time = match object.remove("seconds") {
        None | Some(Value::Null) => None,
        Some(seconds) => {
            let seconds = seconds.as_f64().filter(|seconds| *seconds > 0.0);
            let seconds = seconds.ok_or_else(|| Problem::invalid_body("`limits.seconds` is not a number above 0"))?;
            // A time that overflows is longer than any configured time.
            Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
    };
    Ok(Limits { rows, time })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn json(body: &str) -> Result<StatementRequest, String> {
        StatementRequest::parse(BodyKind::Json, body.as_bytes(), &HeaderMap::new()).map_err(|problem| problem.detail())
    }

    #[test]
    fn a_json_body_has_all_parts_of_a_request() {
        let request = json(
            r#"{"statement": "SELECT $1", "parameters": ["x"], "purpose": " audit ", "limits": {"rows": 5, "seconds": 1.5}}"#,
        )
        .unwrap();
        assert_eq!(request.statement, "SELECT $1");
        assert_eq!(request.parameters, [ScalarValue::from("x")]);
        assert_eq!(request.purpose.as_deref(), Some("audit"));
        assert_eq!(request.limits, Limits { rows: Some(5), time: Some(Duration::from_millis(1500)) });
    }

    #[test]
    fn an_invalid_body_is_refused_with_its_invalid_part() {
        for (body, part) in [
            ("", "ends too early"),
            ("[]", "the body is not a JSON object"),
            ("{", "line 1, column 1"),
            (r#"{"sql": "SELECT 1"}"#, "is not one of"),
            ("{}", "`statement` is missing"),
            (r#"{"statement": 1}"#, "`statement` is not a text"),
            (r#"{"statement": "  "}"#, "empty"),
            (r#"{"statement": "x", "parameters": {}}"#, "`parameters`"),
            (r#"{"statement": "x", "parameters": [[1]]}"#, "$1"),
            (r#"{"statement": "x", "purpose": 1}"#, "`purpose`"),
            (r#"{"statement": "x", "limits": 1}"#, "`limits`"),
            (r#"{"statement": "x", "limits": {"rows": 0}}"#, "`limits.rows`"),
            (r#"{"statement": "x", "limits": {"rows": 1.5}}"#, "`limits.rows`"),
            (r#"{"statement": "x", "limits": {"seconds": -1}}"#, "`limits.seconds`"),
        ] {
            let problem = json(body).unwrap_err();
            assert!(problem.contains(part), "{body}: {problem}");
        }
    }

    #[test]
    fn the_lower_limit_applies() {
        let settings =
            ApiSettings { max_rows: 10, statement_timeout: Duration::from_secs(10), ..ApiSettings::default() };
        let requested = Limits { rows: Some(5), time: Some(Duration::MAX) };
        assert_eq!(
            effective_limits(&settings, requested),
            Limits { rows: Some(5), time: Some(Duration::from_secs(10)) }
        );
        let none = effective_limits(&settings, Limits::default());
        assert_eq!(none, Limits { rows: Some(10), time: Some(Duration::from_secs(10)) });
    }

    #[test]
    fn the_content_type_selects_the_kind_of_body() {
        let kind = |content_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
            BodyKind::of(&headers).ok()
        };
        assert_eq!(kind("application/json; charset=UTF-8"), Some(BodyKind::Json));
        assert_eq!(kind("Application/SQL"), Some(BodyKind::Text));
        assert_eq!(kind("text/plain"), Some(BodyKind::Text));
        assert_eq!(kind("text/plain; charset=utf-16"), None);
        assert_eq!(kind("application/x-www-form-urlencoded"), None);
        assert!(BodyKind::of(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_repeated_purpose_is_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(PURPOSE_HEADER, HeaderValue::from_static("case 12"));
        let request = StatementRequest::parse(BodyKind::Text, b"SELECT 1", &headers).unwrap();
        assert_eq!(request.purpose.as_deref(), Some("case 12"));
        let twice = br#"{"statement": "SELECT 1", "purpose": "another"}"#;
        assert!(StatementRequest::parse(BodyKind::Json, twice, &headers).is_err());
    }
}
