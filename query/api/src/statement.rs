//! A request for a statement to be answered: its body and its headers, to what is asked for. Pure.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use datafusion::common::ScalarValue;
use holdfast_query::Limits;
use serde_json::{Map, Value};

use crate::headers;
use crate::parameter;
use crate::problem::Problem;
use crate::settings::ApiSettings;

/// What a look is for, where there is no body to say it in.
pub(crate) const PURPOSE: HeaderName = HeaderName::from_static("holdfast-purpose");
/// Parameters of a statement at most.
pub(crate) const MOST_PARAMETERS: usize = 1_000;
/// Characters of a purpose at most.
pub(crate) const LONGEST_PURPOSE: usize = 1_000;
const KEYS: [&str; 4] = ["statement", "parameters", "purpose", "limits"];

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// With its parameters.
    Json,
    /// Alone.
    Text,
}

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) statement: String,
    pub(crate) parameters: Vec<ScalarValue>,
    pub(crate) purpose: Option<String>,
    /// Bounds that are lower than the configured ones.
    pub(crate) limits: Limits,
}

impl BodyKind {
    /// What the headers say.
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

impl Asked {
    /// What a body of this kind and the headers ask for.
    pub(crate) fn of(kind: BodyKind, body: &[u8], headers: &HeaderMap) -> Result<Self, Problem> {
        let asked = match kind {
            BodyKind::Text => {
                let text = std::str::from_utf8(body).map_err(|error| {
                    Problem::invalid_body(format!("it is not UTF-8 at byte {}", error.valid_up_to()))
                })?;
                Self::statement(text.to_owned())
            }
            BodyKind::Json => Self::of_json(body)?,
        };
        if asked.statement.trim().is_empty() {
            return Err(Problem::invalid_body("the statement is empty; send one, such as `SELECT 1`"));
        }
        let in_header = purpose(headers::text(headers, &PURPOSE)?)?;
        let purpose = match (asked.purpose, in_header) {
            (Some(_), Some(_)) => {
                let detail = "the purpose stands in the body and in the header Holdfast-Purpose; send it once";
                return Err(Problem::bad_request("duplicate_purpose", "The purpose stands twice", detail));
            }
            (in_body, in_header) => in_body.or(in_header),
        };
        Ok(Self { purpose, ..asked })
    }

    fn statement(statement: String) -> Self {
        Self { statement, parameters: Vec::new(), purpose: None, limits: Limits::default() }
    }

    fn of_json(body: &[u8]) -> Result<Self, Problem> {
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
            None => return Err(Problem::invalid_body("`statement` is missing; put the SQL there")),
        };
        let parameters = match object.remove("parameters") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) if values.len() > MOST_PARAMETERS => {
                return Err(Problem::invalid_body(format!("a statement may have {MOST_PARAMETERS} parameters")));
            }
            Some(Value::Array(values)) => {
                (1..).zip(values).map(|(place, value)| parameter::of(place, value)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(Problem::invalid_body("`parameters` is not an array, of the values of $1, $2, ...")),
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
    if text.chars().count() > LONGEST_PURPOSE {
        let detail = format!("a purpose may have {LONGEST_PURPOSE} characters; shorten it");
        return Err(Problem::bad_request("invalid_purpose", "The purpose is too long", detail));
    }
    Ok(Some(text.to_owned()))
}

/// The lower of what is configured and what is asked for.
pub(crate) fn lower(settings: &ApiSettings, asked: Limits) -> Limits {
    Limits {
        rows: Some(asked.rows.map_or(settings.most_rows, |rows| rows.min(settings.most_rows))),
        time: Some(asked.time.map_or(settings.most_time, |time| time.min(settings.most_time))),
    }
}

fn object(what: &str, value: Value, keys: &[&str]) -> Result<Map<String, Value>, Problem> {
    let Value::Object(object) = value else {
        return Err(Problem::invalid_body(format!("{what} is not a JSON object with {}", keys.join(", "))));
    };
    if object.keys().any(|key| !keys.contains(&key.as_str())) {
        return Err(Problem::invalid_body(format!("{what} holds something else than {}", keys.join(", "))));
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
            // What is too long for a clock is longer than any configured time as well.
            Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
    };
    Ok(Limits { rows, time })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn json(body: &str) -> Result<Asked, String> {
        Asked::of(BodyKind::Json, body.as_bytes(), &HeaderMap::new()).map_err(|problem| problem.body_detail())
    }

    #[test]
    fn a_body_says_everything() {
        let asked = json(
            r#"{"statement": "SELECT $1", "parameters": ["x"], "purpose": " audit ", "limits": {"rows": 5, "seconds": 1.5}}"#,
        )
        .unwrap();
        assert_eq!(asked.statement, "SELECT $1");
        assert_eq!(asked.parameters, [ScalarValue::from("x")]);
        assert_eq!(asked.purpose.as_deref(), Some("audit"));
        assert_eq!(asked.limits, Limits { rows: Some(5), time: Some(Duration::from_millis(1500)) });
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (body, part) in [
            ("", "ends too early"),
            ("[]", "the body is not a JSON object"),
            ("{", "line 1, column 1"),
            (r#"{"sql": "SELECT 1"}"#, "something else than"),
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
    fn the_lower_limit_holds() {
        let settings = ApiSettings { most_rows: 10, most_time: Duration::from_secs(10), ..ApiSettings::default() };
        let asked = Limits { rows: Some(5), time: Some(Duration::MAX) };
        assert_eq!(lower(&settings, asked), Limits { rows: Some(5), time: Some(Duration::from_secs(10)) });
        let none = lower(&settings, Limits::default());
        assert_eq!(none, Limits { rows: Some(10), time: Some(Duration::from_secs(10)) });
    }

    #[test]
    fn the_content_type_decides() {
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
    fn a_purpose_comes_once() {
        let mut headers = HeaderMap::new();
        headers.insert(PURPOSE, HeaderValue::from_static("case 12"));
        let asked = Asked::of(BodyKind::Text, b"SELECT 1", &headers).unwrap();
        assert_eq!(asked.purpose.as_deref(), Some("case 12"));
        let twice = br#"{"statement": "SELECT 1", "purpose": "another"}"#;
        assert!(Asked::of(BodyKind::Json, twice, &headers).is_err());
    }
}
