//! Request headers: each at most once, and all together within a limit. Pure.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::problem::Problem;

/// A header that may occur once.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::duplicate_header(name));
    }
    Ok(first)
}

/// The text of a header that may occur once, in UTF-8.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let Some(value) = single(headers, name)? else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Problem::invalid_header(name, "is not UTF-8"))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// Refuses a target and headers that are larger than `limit` together.
pub(crate) fn bounded(parts: &Parts, limit: usize) -> Result<(), Problem> {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let headers: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target + headers > limit { Err(Problem::headers_too_large(limit)) } else { Ok(()) }
}

/// Any text as the value of a header: `%` and all characters but visible ASCII and spaces are percent-encoded (RFC 3986).
pub(crate) fn value_of(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => encoded.push_str(&format!("%{byte:02X}")),
            visible => encoded.push(char::from(visible)),
        }
    }
    // The text is visible ASCII now, so the conversion cannot fail.
    HeaderValue::try_from(encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_can_be_a_header() {
        assert_eq!(value_of("column `rating`: 5 %"), "column `rating`: 5 %25");
        assert_eq!(value_of("Größe\r\nSet-Cookie: x"), "Gr%C3%B6%C3%9Fe%0D%0ASet-Cookie: x");
    }
}
