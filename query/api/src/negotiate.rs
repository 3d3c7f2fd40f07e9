//! The format of a response: the parameter `format`, or else the header Accept (RFC 9110, section 12.5.1). Pure.

use axum::http::{HeaderMap, header};

use crate::format::Format;
use crate::problem::Problem;

/// The format that the caller prefers among those that are `offered`; the first of these if the caller accepts any.
pub(crate) fn choose(offered: &[Format], format: Option<&str>, headers: &HeaderMap) -> Result<Format, Problem> {
    if let Some(name) = format {
        return offered.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
            let names: Vec<&str> = offered.iter().map(|format| format.name()).collect();
            Problem::invalid_query(format!("`format` is one of {}", names.join(", ")))
        });
    }
    let mut accept = String::new();
    for value in headers.get_all(header::ACCEPT) {
        let value = value.to_str().map_err(|_| Problem::invalid_header(&header::ACCEPT, "is not visible ASCII"))?;
        accept.push_str(value);
        accept.push(',');
    }
    let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::of).collect();
    let Some(first) = offered.first() else { return Err(Problem::internal()) };
    if ranges.is_empty() {
        return Ok(*first);
    }
    let mut best: Option<(u16, Format)> = None;
    for format in offered {
        let weight = format.media_types().iter().map(|media_type| weight(&ranges, media_type)).max().unwrap_or(0);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, *format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let names: Vec<&str> = offered.iter().map(|format| format.media_types()[0]).collect();
        Problem::not_acceptable(&names.join(", "))
    })
}

/// One element of an Accept header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn of(element: &'a str) -> Option<Self> {
        let mut parts = element.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let mut weight = 1000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                let value: f32 = value.trim().parse().ok()?;
                weight = (value.clamp(0.0, 1.0) * 1000.0).round() as u16;
            }
        }
        Some(Self { kind: kind.trim(), subtype: subtype.trim(), weight })
    }

    /// How exactly it matches a media type; `None` if it does not.
    fn precision(&self, kind: &str, subtype: &str) -> Option<u8> {
        let names_kind = self.kind.eq_ignore_ascii_case(kind);
        if names_kind && self.subtype.eq_ignore_ascii_case(subtype) {
            Some(2)
        } else if names_kind && self.subtype == "*" {
            Some(1)
        } else {
            (self.kind == "*" && self.subtype == "*").then_some(0)
        }
    }
}

/// The weight of a media type in the most exact range that matches it.
fn weight(ranges: &[Range<'_>], media_type: &str) -> u16 {
    let Some((kind, subtype)) = media_type.split_once('/') else { return 0 };
    let matching = ranges.iter().filter_map(|range| Some((range.precision(kind, subtype)?, range.weight)));
    matching.max_by_key(|(precision, weight)| (*precision, *weight)).map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn chosen(accept: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        choose(&Format::ROWS, None, &headers).ok()
    }

    #[test]
    fn the_heaviest_acceptable_format_is_chosen() {
        for (accept, format) in [
            ("*/*", Some(Format::Json)),
            ("", Some(Format::Json)),
            ("application/*", Some(Format::Json)),
            ("text/csv", Some(Format::Csv)),
            ("TEXT/CSV; charset=utf-8", Some(Format::Csv)),
            ("text/*", Some(Format::Csv)),
            ("text/csv;q=0.5, application/x-ndjson", Some(Format::Ndjson)),
            ("application/jsonl", Some(Format::Ndjson)),
            ("application/json;q=0, */*", Some(Format::Ndjson)),
            ("application/vnd.apache.parquet", Some(Format::Parquet)),
            ("application/vnd.apache.arrow.stream, */*;q=0.1", Some(Format::Arrow)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Format::Json)),
            ("text/html", None),
            ("image/svg+xml", None),
            ("application/json;q=0", None),
            ("application/json;q=zero", Some(Format::Json)),
        ] {
            assert_eq!(chosen(accept), format, "{accept}");
        }
    }

    #[test]
    fn the_parameter_overrides_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        assert_eq!(choose(&Format::ROWS, Some("csv"), &headers).unwrap(), Format::Csv);
        assert!(choose(&Format::ROWS, Some("svg"), &headers).is_err());
        assert!(choose(&Format::ROWS, Some("CSV"), &headers).is_err());
    }
}
