//! Bytes to [`Event`], in the three modes of CloudEvents: structured JSON, a JSON batch, and binary mode (attributes in
//! HTTP or Kafka headers, the payload as the body).

use crate::BYTE_ORDER_MARK;
use crate::error::{BatchError, DecodeError};
use crate::event::{Data, Event, is_json};
use crate::json::{JsonKind, Key, Member, Scanner, Value, object_members};
use crate::time::{InvalidTime, Timestamp};
use std::borrow::Cow;

/// Decodes events one after the other, keeping its scratch space between them.
#[derive(Debug, Default)]
pub struct Decoder {
    keys: Vec<Key>,
    members: Vec<Member>,
}

/// Decodes one structured-mode CloudEvent.
pub fn decode_structured(json: &[u8]) -> Result<Event<'_>, DecodeError> {
    Decoder::default().structured(json)
}

/// Decodes one binary-mode CloudEvent. `attributes` are the headers without their `ce-` or `ce_` prefix.
pub fn decode_binary<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    content_type: Option<&'a str>,
    data: &'a [u8],
) -> Result<Event<'a>, DecodeError> {
    Decoder::default().binary(attributes, content_type, data)
}

/// Splits a JSON batch into the bytes of its events. Each of them is a well-formed JSON object, not yet a valid event.
pub fn split_batch(json: &[u8]) -> Result<Vec<&[u8]>, BatchError> {
    // What is before a byte that is not UTF-8 is scanned too: it ends in the event that the byte is in.
    let (text, invalid) = match utf8(json) {
        Ok(text) => (text, None),
        Err(error) => (json.utf8_chunks().next().map_or("", |chunk| chunk.valid()), Some(error)),
    };
    let mut keys = Vec::new();
    let mut scanner = Scanner::new(text, &mut keys);
    let (mut events, mut open) = (Vec::new(), None);
    let scanned = scan_batch(&mut scanner, &mut events, &mut open);
    let error = match (scanned, invalid) {
        (Ok(()), None) => {
            return Ok(events.into_iter().map(|event| &json[event.start as usize..event.end as usize]).collect());
        }
        // The scanner did not get as far as that byte.
        (Err(error), Some(_)) if (scanner.offset() as usize) < text.len() => error,
        (_, Some(error)) | (Err(error), None) => error,
    };
    let event = open.map(|begins| (events.len(), begins as usize));
    Err(BatchError { error: error.counted_from(event.map_or(0, |(_, begins)| begins)), event })
}

/// Collects the places of a batch's events. `open` is where the event begins that is not collected yet.
fn scan_batch(
    scanner: &mut Scanner<'_, '_>,
    events: &mut Vec<Value>,
    open: &mut Option<u32>,
) -> Result<(), DecodeError> {
    scanner.skip_mark();
    scanner.skip_space();
    if !scanner.at_array() {
        let found = scanner.value(0)?.kind.name();
        return Err(DecodeError::NotAnEvent { expected: "an array of events", found });
    }
    scanner.elements(0, |scanner| {
        scanner.skip_space();
        *open = Some(scanner.offset());
        // The array does not count: an event of a batch may be nested as deep as one that is sent alone.
        let event = scanner.value(0)?;
        if event.kind != JsonKind::Object {
            let (expected, found) = ("an event in every place of the batch", event.kind.name());
            return Err(DecodeError::NotAnEvent { expected, found });
        }
        *open = None;
        events.push(event);
        Ok(())
    })?;
    scanner.finish()
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| {
        // The fast check does not return the offset; the exact one does.
        let offset = std::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
        DecodeError::InvalidUtf8 { offset }
    })
}

/// The attributes under collection, before the check that all required ones are present.
#[derive(Default)]
struct Attributes<'a> {
    specversion: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    type_: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    datacontenttype: Option<Cow<'a, str>>,
    dataschema: Option<Cow<'a, str>>,
    ticket: Option<Cow<'a, str>>,
    agent: Option<Cow<'a, str>>,
    portal: Option<Cow<'a, str>>,
    customer: Option<Cow<'a, str>>,
    extensions: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Attributes<'a> {
    fn set(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), DecodeError> {
        let place = match name.as_ref() {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.type_,
            "subject" => &mut self.subject,
            "time" => &mut self.time,
            "datacontenttype" => &mut self.datacontenttype,
            "dataschema" => &mut self.dataschema,
            "ticket" => &mut self.ticket,
            "agent" => &mut self.agent,
            "portal" => &mut self.portal,
            "customer" => &mut self.customer,
            other => {
                let valid =
                    !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                if !valid {
                    return Err(DecodeError::InvalidAttribute {
                        name: "with a name outside a-z and 0-9".to_owned(),
                        what: "name extension attributes in lower-case letters and digits, and put other fields into `data`",
                    });
                }
                self.extensions.push((name, value));
                return Ok(());
            }
        };
        *place = Some(value);
        Ok(())
    }

    /// Sets an attribute whose value is not checked yet.
    fn set_checked(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), DecodeError> {
        if value.bytes().any(|byte| byte < 0x20) {
            return Err(DecodeError::InvalidAttribute {
                name: format!("`{}`", name.escape_default()),
                what: "it contains a control character (U+0000 to U+001F)",
            });
        }
        self.set(name, value)
    }

    fn into_event(mut self, data: Data<'a>, members: Vec<Member>) -> Result<Event<'a>, DecodeError> {
        let required = |value: Option<Cow<'a, str>>, name| match value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(DecodeError::MissingAttribute { name }),
        };
        if required(self.specversion, "specversion")? != "1.0" {
            return Err(DecodeError::UnsupportedVersion);
        }
        let time = Timestamp::parse(&required(self.time, "time")?).map_err(DecodeError::InvalidTime)?;
        if !time.has_rfc_3339() {
            return Err(DecodeError::InvalidTime(InvalidTime::Range));
        }
        self.extensions.sort_unstable();
        Ok(Event {
            id: required(self.id, "id")?,
            source: required(self.source, "source")?,
            type_: required(self.type_, "type")?,
            subject: required(self.subject, "subject")?,
            time,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            ticket: self.ticket,
            agent: self.agent,
            portal: self.portal,
            customer: self.customer,
            extensions: self.extensions,
            data,
            members,
        })
    }
}

/// The place of the payload of a structured-mode event.
#[derive(Clone, Copy)]
enum Payload {
    None,
    Json(Value),
    Base64(Value),
}

impl Decoder {
    /// Returns the scratch space of a decoded event for reuse.
    pub fn recycle(&mut self, event: Event<'_>) {
        self.members = event.members;
    }

    /// Decodes one structured-mode CloudEvent (CloudEvents JSON format 1.0).
    pub fn structured<'a>(&mut self, json: &'a [u8]) -> Result<Event<'a>, DecodeError> {
        if json.is_empty() {
            return Err(DecodeError::Empty);
        }
        let text = utf8(json)?;
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        let mut attributes = Attributes::default();
        let mut payload = Payload::None;
        let mut scanner = Scanner::new(text, &mut self.keys);
        scanner.skip_mark();
        scanner.skip_space();
        if !scanner.at_object() {
            let found = scanner.value(0)?.kind.name();
            return Err(DecodeError::NotAnEvent { expected: "a CloudEvent as a JSON object", found });
        }
        scanner.members(0, |scanner, key| {
            let name = scanner.name(key);
            match name.as_ref() {
                "data" => {
                    let value = data_value(scanner, &mut members)?;
                    if value.kind != JsonKind::Null {
                        if matches!(payload, Payload::Base64(_)) {
                            return Err(DecodeError::TwoPayloads);
                        }
                        payload = Payload::Json(value);
                    }
                    Ok(())
                }
                "data_base64" => {
                    let value = scanner.value(1)?;
                    if matches!(payload, Payload::Json(_)) {
                        return Err(DecodeError::TwoPayloads);
                    }
                    match value.kind {
                        JsonKind::Null => Ok(()),
                        JsonKind::String => {
                            payload = Payload::Base64(value);
                            Ok(())
                        }
                        _ => Err(DecodeError::InvalidBase64),
                    }
                }
                _ => {
                    let value = scanner.value(1)?;
                    let text = match value.kind {
                        JsonKind::String => scanner.name(value),
                        // An attribute that is null is absent (CloudEvents JSON format 1.0, section 2.2).
                        JsonKind::Null => return Ok(()),
                        JsonKind::Bool | JsonKind::Number => Cow::Borrowed(scanner.raw(value)),
                        JsonKind::Array | JsonKind::Object => {
                            return Err(DecodeError::InvalidAttribute {
                                name: format!("at byte {}", value.start),
                                what: "attributes are strings, numbers or booleans; put structures into `data`",
                            });
                        }
                    };
                    // The scanner has refused control characters that are not escaped.
                    if value.escaped { attributes.set_checked(name, text) } else { attributes.set(name, text) }
                }
            }
        })?;
        scanner.finish()?;

        let data = match payload {
            Payload::None => Data::None,
            Payload::Base64(value) => Data::Binary(Cow::Owned(base64(&scanner.name(value))?)),
            Payload::Json(value) => {
                let json_by_type = is_json(attributes.datacontenttype.as_deref());
                match value.kind {
                    // A payload that is text and not JSON is sent as a JSON string (section 3.1).
                    JsonKind::String if !json_by_type => Data::Text(scanner.name(value)),
                    JsonKind::String => {
                        Data::Text(Cow::Borrowed(&text[value.start as usize - 1..value.end as usize + 1]))
                    }
                    _ => Data::Text(Cow::Borrowed(scanner.raw(value))),
                }
            }
        };
        if let Payload::Json(value) = payload {
            // The places of members are relative to the whole text, and become relative to `data`.
            rebase(&mut members, value.start);
        }
        attributes.into_event(data, members)
    }

    /// Decodes one binary-mode CloudEvent. `attributes` are the headers without their `ce-` or `ce_` prefix.
    pub fn binary<'a>(
        &mut self,
        attributes: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        content_type: Option<&'a str>,
        data: &'a [u8],
    ) -> Result<Event<'a>, DecodeError> {
        let mut collected = Attributes::default();
        let mut names: Vec<&str> = Vec::new();
        for (name, value) in attributes {
            if name == "data" || name == "data_base64" {
                return Err(DecodeError::InvalidAttribute {
                    name: format!("`{name}`"),
                    what: "in binary mode the payload is the body",
                });
            }
            names.push(name);
            collected.set_checked(Cow::Borrowed(name), Cow::Borrowed(utf8(value)?))?;
        }
        // Sorted, because a message may have a million headers.
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(DecodeError::InvalidAttribute {
                name: format!("`{}`", twice[0].escape_default()),
                what: "it occurs twice in the headers",
            });
        }
        if let Some(content_type) = content_type {
            collected.set_checked(Cow::Borrowed("datacontenttype"), Cow::Borrowed(content_type))?;
        }
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        let data = if data.is_empty() {
            Data::None
        } else if is_json(collected.datacontenttype.as_deref()) {
            let data = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
            let text = utf8(data)?.trim_matches([' ', '\n', '\r', '\t']);
            let mut scanner = Scanner::new(text, &mut self.keys);
            let value = data_value(&mut scanner, &mut members)?;
            scanner.finish()?;
            if value.kind == JsonKind::Null { Data::None } else { Data::Text(Cow::Borrowed(text)) }
        } else if is_text(collected.datacontenttype.as_deref())
            && let Ok(text) = simdutf8::basic::from_utf8(data)
        {
            Data::Text(Cow::Borrowed(text))
        } else {
            Data::Binary(Cow::Borrowed(data))
        };
        collected.into_event(data, members)
    }

    /// An event with another payload: JSON that this crate has written.
    pub(crate) fn with_json<'a>(&mut self, mut event: Event<'a>, json: String) -> Result<Event<'a>, DecodeError> {
        let mut members = std::mem::take(&mut event.members);
        members.clear();
        let mut scanner = Scanner::new(&json, &mut self.keys);
        data_value(&mut scanner, &mut members)?;
        event.members = members;
        event.data = Data::Text(Cow::Owned(json));
        Ok(event)
    }
}

/// Scans the value of `data`, and collects its members if it is an object.
fn data_value(scanner: &mut Scanner<'_, '_>, members: &mut Vec<Member>) -> Result<Value, DecodeError> {
    scanner.skip_space();
    if !scanner.at_object() {
        return scanner.value(1);
    }
    let start = scanner.offset();
    object_members(scanner, 1, members)?;
    Ok(Value { start, end: scanner.offset(), kind: JsonKind::Object, escaped: false })
}

fn rebase(members: &mut [Member], by: u32) {
    for member in members {
        for value in [&mut member.key, &mut member.value] {
            value.start -= by;
            value.end -= by;
        }
    }
}

fn base64(text: &str) -> Result<Vec<u8>, DecodeError> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| DecodeError::InvalidBase64)
}

fn is_text(media_type: Option<&str>) -> bool {
    media_type.is_some_and(|media_type| media_type.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/")))
}

#[cfg(test)]
mod tests;
