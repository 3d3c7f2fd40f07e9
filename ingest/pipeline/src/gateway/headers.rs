//! Request headers: each at most once. CloudEvents attributes are decoded by the HTTP protocol binding 1.0.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::problem::Problem;

/// The prefix of attributes in headers.
const PREFIX: &str = "ce-";

/// An attribute's name and its unescaped value.
pub(super) type Attribute = (String, Vec<u8>);

/// A header that is allowed once.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(duplicate(name));
    }
    Ok(first)
}

/// The media type with its parameters.
pub(super) fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = single(headers, &header::CONTENT_TYPE)? else { return Ok(None) };
    let text = value.to_str().map_err(|_| {
        let detail = "the header Content-Type has bytes outside visible ASCII";
        Problem::bad_request("invalid_header", "A header is invalid", detail)
    })?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The attributes in `ce-` headers, in the order of their arrival.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Vec<Attribute>, Problem> {
    let mut attributes = Vec::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        let Some(value) = single(headers, name)? else { continue };
        if matches!(attribute, "datacontenttype" | "data") {
            let detail = format!("the header {name} is not for attributes; send the media type in Content-Type");
            return Err(Problem::bad_request("invalid_attribute", "A header is invalid", detail));
        }
        let value = unescape(value.as_bytes()).map_err(|(reason, what)| {
            Problem::bad_request(reason, "A header is invalid", format!("the header {name} {what}"))
        })?;
        attributes.push((attribute.to_owned(), value));
    }
    Ok(attributes)
}

/// Whether any header is an attribute.
pub(super) fn has_attributes(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with(PREFIX))
}

fn duplicate(name: &HeaderName) -> Problem {
    let detail = format!("the header {name} is sent more than once; send it once");
    Problem::bad_request("duplicate_header", "A header is sent twice", detail)
}

/// Unescapes a value (HTTP protocol binding 1.0, section 3.1.3.2): first a quoted string, which older senders use, then
/// one level of percent-encoding.
fn unescape(value: &[u8]) -> Result<Vec<u8>, (&'static str, &'static str)> {
    let unquoted = match value {
        [b'"', inside @ .., b'"'] => unquote(inside)?,
        [b'"', ..] => return Err(QUOTES),
        plain => plain.to_vec(),
    };
    percent_decode(&unquoted)
}

const QUOTES: (&str, &str) =
    ("invalid_quoting", "opens a quoted string that it does not close; close it, or percent-encode");
const PERCENT: (&str, &str) =
    ("invalid_percent_encoding", "has a % that two hexadecimal digits do not follow; send a percent sign as %25");

fn unquote(inside: &[u8]) -> Result<Vec<u8>, (&'static str, &'static str)> {
    let mut out = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => out.push(*bytes.next().ok_or(QUOTES)?),
            b'"' => return Err(QUOTES),
            other => out.push(other),
        }
    }
    Ok(out)
}

fn percent_decode(value: &[u8]) -> Result<Vec<u8>, (&'static str, &'static str)> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>().ok_or(PERCENT)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(PERCENT);
        out.push((digit(digits[0])? << 4 | digit(digits[1])?) as u8);
        rest = after;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unescaped_by_the_protocol_binding() {
        for (escaped, plain) in [
            ("plain", "plain"),
            // The binding's own example.
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%e2%82%ac", "€"),
            ("100%25", "100%"),
            ("%2525", "%25"),
            (r#""quoted \"value\" %20""#, "quoted \"value\"  "),
            (r#""""#, ""),
            ("", ""),
        ] {
            assert_eq!(unescape(escaped.as_bytes()).unwrap(), plain.as_bytes(), "{escaped}");
        }
        for wrong in ["%", "%2", "%zz", "50% off", "%+1", r#"""#, r#""open"#, r#""a"b""#, r#""a\""#] {
            assert!(unescape(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
