//! Decodes a Kafka message into an event, or into the reason why it is not one.

use holdfast_events::{DecodeError, Decoder, Event, STRUCTURED_MEDIA_TYPE};
use rdkafka::message::{Headers, Message};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The headers of a message: names and values. One whose value is null is an attribute that is absent, as `null` is in
/// JSON (CloudEvents JSON format 1.0, section 2.2).
pub(super) type HeaderList<'m> = Vec<(&'m str, Option<&'m [u8]>)>;

/// The headers of `message`, or an error if a header cannot be read.
pub(super) fn headers(message: &impl Message) -> Result<HeaderList<'_>, DecodeError> {
    match message.headers() {
        None => Ok(Vec::new()),
        Some(headers) => header_list(headers).ok_or_else(|| DecodeError::InvalidAttribute {
            name: "in the message's headers".to_owned(),
            what: "the name of a header is not UTF-8",
        }),
    }
}

fn header_list(headers: &impl Headers) -> Option<HeaderList<'_>> {
    // The Kafka client panics on a header whose name is not UTF-8. One such message must not stop the archiver.
    catch_unwind(AssertUnwindSafe(|| headers.iter().map(|header| (header.key, header.value)).collect())).ok()
}

/// Decodes an event in structured or binary mode (CloudEvents Kafka binding 1.0, section 3).
pub(super) fn event<'m>(
    decoder: &mut Decoder,
    value: Option<&'m [u8]>,
    headers: &HeaderList<'m>,
) -> Result<Event<'m>, DecodeError> {
    let mut content_types = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = match content_types.find_map(|(_, value)| *value) {
        Some(value) => Some(std::str::from_utf8(value).map_err(|_| DecodeError::InvalidAttribute {
            name: "`content-type`".to_owned(),
            what: "it is not UTF-8",
        })?),
        None => None,
    };
    let structured = match content_type {
        Some(media_type) if is_cloudevents(media_type) => true,
        _ => !headers.iter().any(|(name, value)| value.is_some() && matches!(*name, "ce_specversion" | "ce_id")),
    };
    if structured {
        return decoder.structured(value.unwrap_or_default());
    }
    let attributes = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce_")?, (*value)?)));
    decoder.binary(attributes, content_type, value.unwrap_or_default())
}

fn is_cloudevents(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(STRUCTURED_MEDIA_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] =
        br#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"x","time":"2026-01-01T00:00:00Z"}"#;

    fn read<'m>(value: Option<&'m [u8]>, headers: &[(&'m str, &'m [u8])]) -> Result<Event<'m>, DecodeError> {
        let headers = headers.iter().map(|(name, value)| (*name, Some(*value))).collect();
        event(&mut Decoder::default(), value, &headers)
    }

    #[test]
    fn the_headers_decide_the_content_mode() {
        assert_eq!(read(Some(LINE), &[]).unwrap().id, "1");
        assert_eq!(
            read(Some(LINE), &[("content-type", b"application/cloudevents+json; charset=utf-8")]).unwrap().id,
            "1"
        );
        assert_eq!(read(Some(LINE), &[("traceparent", b"00-1")]).unwrap().id, "1");
        let binary: &[(&str, &[u8])] = &[
            ("ce_specversion", b"1.0"),
            ("ce_id", b"2"),
            ("ce_source", b"s"),
            ("ce_type", b"t"),
            ("ce_subject", b"x"),
            ("ce_time", b"2026-01-01T00:00:00Z"),
            ("content-type", b"text/plain"),
            ("traceparent", b"00-1"),
        ];
        let event = read(Some(b"hello"), binary).unwrap();
        assert_eq!((event.id.as_ref(), event.data_bytes()), ("2", Some(b"hello".as_slice())));
        assert_eq!(event.extensions, []);
    }

    #[test]
    fn a_header_without_a_value_is_an_absent_attribute() {
        let mut headers: HeaderList<'_> = vec![
            ("ce_specversion", Some(b"1.0")),
            ("ce_id", Some(b"2")),
            ("ce_source", Some(b"s")),
            ("ce_type", Some(b"t")),
            ("ce_subject", Some(b"x")),
            ("ce_time", Some(b"2026-01-01T00:00:00Z")),
            ("ce_ticket", None),
            ("ce_externalkey", None),
            ("ce_agent", Some(b"")),
            ("content-type", None),
            ("", None),
        ];
        let read = |headers: &HeaderList<'static>| event(&mut Decoder::default(), Some(b"{}"), headers);
        let found = read(&headers).unwrap();
        assert_eq!((found.ticket, found.agent.as_deref(), found.datacontenttype), (None, Some(""), None));
        assert_eq!(found.extensions, []);
        // Twice, of which one has a value, is once.
        headers.push(("ce_ticket", Some(b"T-1")));
        assert_eq!(read(&headers).unwrap().ticket.as_deref(), Some("T-1"));
        headers.push(("ce_ticket", Some(b"T-1")));
        assert_eq!(read(&headers).unwrap_err().reason(), "invalid_attribute");
        // A required attribute is missing, and a message without its marks is structured.
        headers.truncate(11);
        headers[1].1 = None;
        assert_eq!(read(&headers).unwrap_err().reason(), "missing_attribute");
        headers[0].1 = None;
        assert_eq!(event(&mut Decoder::default(), Some(LINE), &headers).unwrap().id, "1");
    }

    #[test]
    fn odd_headers_are_an_event_or_have_a_reason() {
        let names: Vec<String> = (0..10_000).map(|number| format!("ce_x{number}")).collect();
        let mut headers: HeaderList<'_> = names.iter().map(|name| (name.as_str(), Some(b"".as_slice()))).collect();
        assert_eq!(event(&mut Decoder::default(), Some(LINE), &headers).unwrap().id, "1");
        headers.push(("ce_id", Some(b"1")));
        let error = event(&mut Decoder::default(), Some(LINE), &headers).unwrap_err();
        assert_eq!(error.reason(), "missing_attribute");
        for name in ["ce_", "ce_ ", "ce_\u{1}", "ce_A", "ce_\u{e9}", "ce_data"] {
            let headers: HeaderList<'_> = vec![("ce_id", Some(b"1")), (name, Some(b"1"))];
            let error = event(&mut Decoder::default(), Some(LINE), &headers).unwrap_err();
            assert_eq!(error.reason(), "invalid_attribute", "{name:?}");
            assert!(error.to_string().chars().all(|letter| !letter.is_control()), "{error}");
        }
        for value in [b"\x00".as_slice(), b"\x1f", b"a\nb"] {
            let headers: HeaderList<'_> = vec![("ce_id", Some(value))];
            assert_eq!(event(&mut Decoder::default(), None, &headers).unwrap_err().reason(), "invalid_attribute");
        }
    }

    #[test]
    fn a_message_that_is_not_an_event_has_a_reason() {
        assert_eq!(read(None, &[]).unwrap_err().reason(), "empty");
        assert_eq!(read(Some(b"{"), &[]).unwrap_err().reason(), "invalid_json");
        assert_eq!(read(Some(b"{}"), &[("ce_id", b"1")]).unwrap_err().reason(), "missing_attribute");
        assert_eq!(read(Some(b"x"), &[("content-type", b"\xff")]).unwrap_err().reason(), "invalid_attribute");
        assert_eq!(read(Some(b"x"), &[("ce_id", b"\xff")]).unwrap_err().reason(), "invalid_utf8");
    }
}
