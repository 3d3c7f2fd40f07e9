//! `POST /v1/recordings/{session}/{recording}/chunks/{seq}`: builds a binary-mode event from a chunk's bytes in the
//! body and its attributes in the path and the query. Pure.

use holdfast_events::{CHUNK_TYPE, MAX_CHUNK_SEQ, Timestamp};

use super::headers::Attribute;
use super::prepare::Mode;
use super::problem::Problem;

/// The media type of a chunk whose request has none.
const MEDIA_TYPE: &str = "video/webm";
/// The source of a chunk whose request has none.
const SOURCE: &str = "urn:holdfast:gateway";
/// Attributes that path and query set.
const FROM_URL: [&str; 5] = ["recordingid", "seq", "firstms", "lastms", "last"];

/// Session, recording and number, as in the path.
pub(super) type Path = (String, String, String);

/// The event that carries the chunk.
pub(super) fn event(
    (session, recording, seq): Path,
    query: &str,
    content_type: Option<&str>,
    sent: Vec<Attribute>,
    now: Timestamp,
) -> Result<Mode, Problem> {
    let seq = whole_number(&seq, MAX_CHUNK_SEQ).map_err(|what| invalid_path(format!("seq {what}")))?;
    for (name, value) in [("session", &session), ("recording", &recording)] {
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(invalid_path(format!("the {name} in the path is empty or contains a control character")));
        }
    }
    let span = Span::of(query)?;
    let media_type = content_type.unwrap_or(MEDIA_TYPE);
    if !is_binary(media_type) {
        let detail = "a chunk is part of a recording; send the recording's media type, such as video/webm";
        return Err(Problem::unsupported_media_type(detail));
    }

    let mut attributes = vec![
        ("recordingid".to_owned(), recording.clone().into_bytes()),
        ("seq".to_owned(), seq.to_string().into_bytes()),
        ("firstms".to_owned(), span.first_ms.to_string().into_bytes()),
        ("lastms".to_owned(), span.last_ms.to_string().into_bytes()),
    ];
    if let Some(last) = span.last {
        attributes.push(("last".to_owned(), last.to_string().into_bytes()));
    }
    let defaults = [
        ("specversion", "1.0".to_owned()),
        ("type", CHUNK_TYPE.to_owned()),
        ("subject", session),
        ("id", format!("{recording}-{seq}")),
        ("source", SOURCE.to_owned()),
        ("time", now.to_string()),
    ];
    for (name, value) in defaults {
        let header = sent.iter().find(|(known, _)| known == name);
        let fixed = matches!(name, "specversion" | "type" | "subject");
        if fixed && header.is_some_and(|(_, sent)| sent != value.as_bytes()) {
            return Err(conflict(name));
        }
        if header.is_none() {
            attributes.push((name.to_owned(), value.into_bytes()));
        }
    }
    if let Some((name, _)) = sent.iter().find(|(name, _)| FROM_URL.contains(&name.as_str())) {
        return Err(conflict(name));
    }
    attributes.extend(sent);
    Ok(Mode::Binary { attributes, content_type: Some(media_type.to_owned()) })
}

/// Which part of the recording the chunk covers, in milliseconds since its start.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    first_ms: i64,
    last_ms: i64,
    last: Option<bool>,
}

impl Span {
    fn of(query: &str) -> Result<Self, Problem> {
        let (mut first_ms, mut last_ms, mut last) = (None, None, None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_duplicate = match name.as_ref() {
                "first_ms" => first_ms.replace(milliseconds("first_ms", &value)?).is_some(),
                "last_ms" => last_ms.replace(milliseconds("last_ms", &value)?).is_some(),
                "last" => last.replace(boolean(&value)?).is_some(),
                _ => {
                    let detail = "the query has a parameter other than first_ms, last_ms and last; leave it out";
                    return Err(invalid_query(detail));
                }
            };
            if is_duplicate {
                return Err(invalid_query(format!("{name} is in the query twice; send it once")));
            }
        }
        let missing = |name: &str| invalid_query(format!("{name} is missing in the query; send it in milliseconds"));
        let (first_ms, last_ms) =
            (first_ms.ok_or_else(|| missing("first_ms"))?, last_ms.ok_or_else(|| missing("last_ms"))?);
        if last_ms < first_ms {
            return Err(invalid_query(
                "last_ms is before first_ms; send the first and the last millisecond of the chunk",
            ));
        }
        Ok(Self { first_ms, last_ms, last })
    }
}

fn milliseconds(name: &str, text: &str) -> Result<i64, Problem> {
    whole_number(text, i64::MAX).map_err(|what| invalid_query(format!("{name} {what}")))
}

/// The number, or what is wrong with it.
fn whole_number(text: &str, greatest: i64) -> Result<i64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse::<i64>().ok().filter(|number| *number <= greatest) } else { None };
    number.ok_or_else(|| format!("is not a whole number from 0 to {greatest}"))
}

fn boolean(text: &str) -> Result<bool, Problem> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid_query("last is neither true nor false")),
    }
}

/// Whether data of a media type is binary, rather than text or JSON.
fn is_binary(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_complete = essence.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
    is_complete
        && !essence.starts_with("text/")
        && !essence.ends_with("json")
        && !essence.starts_with("application/cloudevents")
}

pub(super) fn invalid_path(detail: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_path", "The path is invalid", detail)
}

fn invalid_query(detail: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query is invalid", detail)
}

fn conflict(name: &str) -> Problem {
    let detail = format!("the path or the query sets the attribute of the header ce-{name}; leave the header out");
    Problem::bad_request("invalid_attribute", "A header is invalid", detail)
}
