//! One event, borrowed from the bytes that it was decoded from.

use crate::json::{JsonKind, Member, escape_into, unescape};
use crate::time::Timestamp;
use std::borrow::Cow;

/// A CloudEvent 1.0 that is well-formed throughout.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Unique per source.
    pub id: Cow<'a, str>,
    /// The source of the event.
    pub source: Cow<'a, str>,
    /// Dotted, past tense; unknown types are accepted. (`type` in CloudEvents.)
    pub type_: Cow<'a, str>,
    /// The session's id, or the id that the catalogue defines for the type.
    pub subject: Cow<'a, str>,
    /// When it happened, as the source claims.
    pub time: Timestamp,
    /// The media type of `data`; absent means JSON.
    pub datacontenttype: Option<Cow<'a, str>>,
    /// The schema of `data`.
    pub dataschema: Option<Cow<'a, str>>,
    /// The CRM ticket's number.
    pub ticket: Option<Cow<'a, str>>,
    /// The agent's id.
    pub agent: Option<Cow<'a, str>>,
    /// The entry portal, `a/b` for a sub-portal.
    pub portal: Option<Cow<'a, str>>,
    /// The customer's account.
    pub customer: Option<Cow<'a, str>>,
    /// All other extension attributes in the order of their names, values in the string form of CloudEvents 1.0,
    /// section 3.1.
    pub extensions: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The payload.
    pub data: Data<'a>,
    /// The members of `data` if it is a JSON object.
    pub(crate) members: Vec<Member>,
}

/// An event's payload.
#[derive(Debug, Clone, PartialEq)]
pub enum Data<'a> {
    /// There is none.
    None,
    /// JSON, byte for byte as received, or the text of a payload whose media type is not JSON.
    Text(Cow<'a, str>),
    /// Anything else.
    Binary(Cow<'a, [u8]>),
}

impl<'a> Event<'a> {
    /// The same event with owned bytes.
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        let own_option = |text: Option<Cow<'a, str>>| text.map(own);
        Event {
            id: own(self.id),
            source: own(self.source),
            type_: own(self.type_),
            subject: own(self.subject),
            time: self.time,
            datacontenttype: own_option(self.datacontenttype),
            dataschema: own_option(self.dataschema),
            ticket: own_option(self.ticket),
            agent: own_option(self.agent),
            portal: own_option(self.portal),
            customer: own_option(self.customer),
            extensions: self.extensions.into_iter().map(|(name, value)| (own(name), own(value))).collect(),
            data: match self.data {
                Data::None => Data::None,
                Data::Text(text) => Data::Text(own(text)),
                Data::Binary(bytes) => Data::Binary(Cow::Owned(bytes.into_owned())),
            },
            members: self.members,
        }
    }

    /// All attributes that are present, without `specversion`, in the string form of CloudEvents 1.0, section 3.1.
    pub fn attributes(&self) -> Vec<(&str, Cow<'_, str>)> {
        let required = [
            ("id", Cow::Borrowed(self.id.as_ref())),
            ("source", Cow::Borrowed(self.source.as_ref())),
            ("type", Cow::Borrowed(self.type_.as_ref())),
            ("subject", Cow::Borrowed(self.subject.as_ref())),
            ("time", Cow::Owned(self.time.to_string())),
        ];
        let optional = [
            ("datacontenttype", &self.datacontenttype),
            ("dataschema", &self.dataschema),
            ("ticket", &self.ticket),
            ("agent", &self.agent),
            ("portal", &self.portal),
            ("customer", &self.customer),
        ];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, Cow::Borrowed(value.as_deref()?))));
        let others = self.extensions.iter().map(|(name, value)| (name.as_ref(), Cow::Borrowed(value.as_ref())));
        required.into_iter().chain(optional).chain(others).collect()
    }

    /// The members of `data`: name, kind and raw JSON (a string's inside, with its escapes). Empty if `data` is not
    /// a JSON object.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let text = match &self.data {
            Data::Text(text) => text.as_ref(),
            _ => "",
        };
        self.members.iter().map(move |member| Field {
            name: spelled(text, member.key.start, member.key.end, member.key.escaped),
            kind: member.value.kind,
            raw: &text[member.value.start as usize..member.value.end as usize],
            escaped: member.value.escaped,
        })
    }

    /// The bytes of `data`, if it has any.
    pub fn data_bytes(&self) -> Option<&[u8]> {
        match &self.data {
            Data::None => None,
            Data::Text(text) => Some(text.as_bytes()),
            Data::Binary(bytes) => Some(bytes),
        }
    }

    /// Whether `data` is JSON by its media type.
    pub fn data_is_json(&self) -> bool {
        is_json(self.datacontenttype.as_deref())
    }

    /// The event as one structured-mode CloudEvent in JSON, `data` byte for byte.
    pub fn to_structured_json(&self) -> Vec<u8> {
        use base64::Engine;
        let mut out = String::with_capacity(256);
        out.push_str("{\"specversion\":\"1.0\"");
        for (name, value) in self.attributes() {
            out.push(',');
            escape_into(&mut out, name);
            out.push(':');
            escape_into(&mut out, &value);
        }
        match &self.data {
            Data::None => {}
            Data::Text(text) if self.data_is_json() => {
                out.push_str(",\"data\":");
                out.push_str(text);
            }
            Data::Text(text) => {
                out.push_str(",\"data\":");
                escape_into(&mut out, text);
            }
            Data::Binary(bytes) => {
                out.push_str(",\"data_base64\":\"");
                base64::engine::general_purpose::STANDARD.encode_string(bytes, &mut out);
                out.push('"');
            }
        }
        out.push('}');
        out.into_bytes()
    }
}

/// A member of an event's `data`.
#[derive(Debug, Clone)]
pub struct Field<'e> {
    /// The field's name.
    pub name: Cow<'e, str>,
    /// The kind of its value.
    pub kind: JsonKind,
    /// The raw value; a string's inside, with its escapes.
    pub raw: &'e str,
    pub(crate) escaped: bool,
}

impl<'e> Field<'e> {
    /// A string's text.
    pub fn text(&self) -> Cow<'e, str> {
        if self.escaped { unescape(self.raw) } else { Cow::Borrowed(self.raw) }
    }

    /// Appends the value as JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        if self.kind == JsonKind::String {
            out.push('"');
            out.push_str(self.raw);
            out.push('"');
        } else {
            out.push_str(self.raw);
        }
    }
}

fn spelled(text: &str, start: u32, end: u32, escaped: bool) -> Cow<'_, str> {
    let raw = &text[start as usize..end as usize];
    if escaped { unescape(raw) } else { Cow::Borrowed(raw) }
}

/// Whether a `datacontenttype` means JSON: absent, `*/json` or `*/*+json` (CloudEvents JSON format, section 3.1).
pub(crate) fn is_json(media_type: Option<&str>) -> bool {
    let Some(media_type) = media_type else { return true };
    let essence = media_type.split(';').next().unwrap_or("").trim();
    essence.split_once('/').is_some_and(|(_, subtype)| subtype.eq_ignore_ascii_case("json") || ends_with_json(subtype))
}

fn ends_with_json(subtype: &str) -> bool {
    let bytes = subtype.as_bytes();
    bytes.len() > 5 && bytes[bytes.len() - 5..].eq_ignore_ascii_case(b"+json")
}
