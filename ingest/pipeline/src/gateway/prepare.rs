//! Converts a body into messages for Kafka. Pure: nothing is published before every event of the request is valid.
//!
//! ```text
//! structured ──────────▶ the whole body
//! batch ──split────────▶ one slice an event    ──▶ events topic, byte for byte, key = subject
//! binary ──────────────▶ ce_ headers and body
//!    any with a recording chunk ────────────────▶ recordings topic, binary mode
//! ```

use std::borrow::Cow;
use std::ops::Range;

use holdfast_events::{
    BATCH_MEDIA_TYPE, BYTE_ORDER_MARK, BatchError, CHUNK_TYPE, Chunk, Data, DecodeError, Decoder, Event,
    STRUCTURED_MEDIA_TYPE, split_batch,
};
use serde::Serialize;

use super::headers::Attribute;
use super::problem::Problem;

/// The content mode of a request (HTTP protocol binding 1.0, section 3).
#[derive(Debug)]
pub(super) enum Mode {
    Structured,
    Batch,
    Binary { attributes: Vec<Attribute>, content_type: Option<String> },
}

/// The topic that a message is published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Events,
    Recordings,
}

/// A message to publish.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) target: Target,
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) headers: Vec<Attribute>,
}

/// A message's value.
#[derive(Debug)]
pub(super) enum Value {
    /// A part of the request's body.
    Slice(Range<usize>),
    /// Decoded from base64, or an event with the sender that the gateway added.
    Owned(Vec<u8>),
}

/// A valid request.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Empty if no message is a part of it.
    pub(super) body: Vec<u8>,
    pub(super) messages: Vec<Message>,
    pub(super) warnings: Vec<Warning>,
}

/// How an event deviates from the catalogue. It is accepted nevertheless.
#[derive(Debug, Serialize)]
pub(super) struct Warning {
    /// The index of the event in the request, from 0.
    index: usize,
    id: String,
    problems: String,
}

/// Limits of a single event.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventLimits {
    pub(super) event_bytes: usize,
    pub(super) events: usize,
}

impl Message {
    pub(super) fn value<'p>(&'p self, body: &'p [u8]) -> &'p [u8] {
        match &self.value {
            Value::Slice(range) => &body[range.clone()],
            Value::Owned(bytes) => bytes,
        }
    }
}

impl Prepared {
    /// Drops the body if all messages have bytes of their own.
    fn new(body: Vec<u8>, messages: Vec<Message>, warnings: Vec<Warning>) -> Self {
        let is_needed = messages.iter().any(|message| matches!(message.value, Value::Slice(_)));
        Self { body: if is_needed { body } else { Vec::new() }, messages, warnings }
    }

    /// Bytes of the messages beside the body.
    pub(super) fn owned_bytes(&self) -> usize {
        self.messages
            .iter()
            .map(|message| match &message.value {
                Value::Slice(_) => 0,
                Value::Owned(bytes) => bytes.len(),
            })
            .sum()
    }
}

/// The prefix of types that only the archive writes: its access records. An event of a sender must not imitate one.
const RESERVED_TYPES: &str = "archive.";

/// The attribute that names the sender by its certificate, where the gateway takes certificates.
const SENDER: &str = "sender";

/// What the attribute `sender` of an event may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum SenderAttribute<'s> {
    /// The sender's own, like any extension attribute: the gateway takes no client certificates.
    Free,
    /// The name in the certificate of the client, which the gateway adds; none if it has presented none. A sender may not
    /// claim another one.
    Certified(Option<&'s str>),
}

/// Why an event is rejected.
#[derive(Debug)]
enum Rejection {
    Invalid(DecodeError),
    ReservedType,
    OtherSender,
    /// With the name of its sender it has more bytes than this.
    TooLarge(usize),
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self::Invalid(error)
    }
}

impl Rejection {
    fn problem(&self) -> Problem {
        match self {
            Self::Invalid(error) => Problem::not_an_event(error),
            Self::ReservedType => Problem::reserved_type(),
            Self::OtherSender => Problem::other_sender(),
            Self::TooLarge(limit) => too_large(*limit),
        }
    }

    /// The problem of event `index` of a batch, which begins at byte `offset` of the body.
    fn problem_of_batch(&self, index: usize, offset: usize) -> Problem {
        match self {
            Self::Invalid(error) => Problem::not_an_event_of_batch(error, index, offset),
            Self::ReservedType | Self::OtherSender | Self::TooLarge(_) => self.problem().at(index),
        }
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!(
        "an event may have {limit} bytes, with the name of its sender if the gateway adds it; no event of the request was \
         accepted"
    );
    Problem::too_large("event_too_large", detail)
}

/// Rejects an event of a reserved type, and one that claims another sender. Returns the name that is to be added.
fn check<'s>(event: &Event<'_>, sender: SenderAttribute<'s>) -> Result<Option<&'s str>, Rejection> {
    if event.type_.starts_with(RESERVED_TYPES) {
        return Err(Rejection::ReservedType);
    }
    let SenderAttribute::Certified(sender) = sender else { return Ok(None) };
    match event.extensions.iter().find(|(name, _)| name == SENDER) {
        None => Ok(sender),
        Some((_, claimed)) if sender == Some(claimed.as_ref()) => Ok(None),
        Some(_) => Err(Rejection::OtherSender),
    }
}

/// Validates the events of a request and returns the messages to publish.
pub(super) fn prepare(
    mode: Mode,
    body: Vec<u8>,
    limits: EventLimits,
    sender: SenderAttribute<'_>,
) -> Result<Prepared, Problem> {
    match mode {
        Mode::Structured => {
            // Readers of the topic get the event without the mark.
            let begin = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
            let context = Context { body: &body, limits, sender };
            let (message, warning) = structured(&mut Decoder::default(), context, begin..body.len(), 0)
                .map_err(|rejection| rejection.problem())?;
            Ok(Prepared::new(body, vec![message], warning.into_iter().collect()))
        }
        Mode::Batch => batch(body, limits, sender),
        Mode::Binary { attributes, content_type } => binary(attributes, content_type.as_deref(), body, sender),
    }
}

/// What is the same for all events of a request.
#[derive(Clone, Copy)]
struct Context<'b> {
    body: &'b [u8],
    limits: EventLimits,
    sender: SenderAttribute<'b>,
}

fn batch(body: Vec<u8>, limits: EventLimits, sender: SenderAttribute<'_>) -> Result<Prepared, Problem> {
    let (mut messages, mut warnings) = (Vec::new(), Vec::new());
    let slices = split_batch(&body).map_err(|BatchError { error, event }| match event {
        Some((index, offset)) => Problem::not_an_event_of_batch(&error, index, offset),
        None => Problem::not_an_event(&error),
    })?;
    if slices.len() > limits.events {
        let detail = format!("a batch may have {} events; send it in parts", limits.events);
        return Err(Problem::too_large("too_many_events", detail));
    }
    messages.reserve(slices.len());
    let mut decoder = Decoder::default();
    let context = Context { body: &body, limits, sender };
    for (index, slice) in slices.into_iter().enumerate() {
        // The slices are parts of the body.
        let offset = slice.as_ptr() as usize - body.as_ptr() as usize;
        if slice.len() > limits.event_bytes {
            return Err(too_large(limits.event_bytes).at(index));
        }
        let (message, warning) = structured(&mut decoder, context, offset..offset + slice.len(), index)
            .map_err(|rejection| rejection.problem_of_batch(index, offset))?;
        messages.push(message);
        warnings.extend(warning);
    }
    Ok(Prepared::new(body, messages, warnings))
}

fn structured(
    decoder: &mut Decoder,
    context: Context<'_>,
    range: Range<usize>,
    index: usize,
) -> Result<(Message, Option<Warning>), Rejection> {
    let mut event = decoder.structured(&context.body[range.clone()])?;
    let added = check(&event, context.sender)?;
    if let Some(sender) = added {
        event.extensions.push((Cow::Borrowed(SENDER), Cow::Owned(sender.to_owned())));
        event.extensions.sort_unstable();
    }
    if Chunk::of(&event)?.is_some() {
        // The recordings topic has only binary mode, so that no chunk is stored as base64.
        return Ok((chunk_message(event), None));
    }
    let warning = catalogue_warning(&event, index);
    let headers = vec![("content-type".to_owned(), STRUCTURED_MEDIA_TYPE.as_bytes().to_vec())];
    let key = event.subject.clone().into_owned();
    let value = if added.is_some() { Value::Owned(event.to_structured_json()) } else { Value::Slice(range) };
    decoder.recycle(event);
    let limit = context.limits.event_bytes;
    if matches!(&value, Value::Owned(bytes) if bytes.len() > limit) {
        return Err(Rejection::TooLarge(limit));
    }
    Ok((Message { target: Target::Events, key, value, headers }, warning))
}

fn binary(
    mut attributes: Vec<Attribute>,
    content_type: Option<&str>,
    body: Vec<u8>,
    sender: SenderAttribute<'_>,
) -> Result<Prepared, Problem> {
    let named = attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let event = Decoder::default().binary(named, content_type, &body).map_err(|error| Problem::not_an_event(&error))?;
    let added = check(&event, sender).map_err(|rejection| rejection.problem())?;
    let chunk = Chunk::of(&event).map_err(|error| Problem::not_an_event(&error))?;
    let (target, warning) = match chunk {
        Some(_) => (Target::Recordings, None),
        None => (Target::Events, catalogue_warning(&event, 0)),
    };
    let key = event.subject.clone().into_owned();
    drop(event);
    if let Some(sender) = added {
        attributes.push((SENDER.to_owned(), sender.as_bytes().to_vec()));
    }
    let headers = kafka_headers(attributes, content_type);
    let message = Message { target, key, value: Value::Slice(0..body.len()), headers };
    Ok(Prepared { body, messages: vec![message], warnings: warning.into_iter().collect() })
}

/// Converts a chunk from structured to binary mode.
fn chunk_message(event: Event<'_>) -> Message {
    let attributes = std::iter::once(("specversion", "1.0".into()))
        .chain(event.attributes().into_iter().filter(|(name, _)| *name != "datacontenttype"))
        .map(|(name, value)| (name.to_owned(), value.into_owned().into_bytes()))
        .collect();
    let headers = kafka_headers(attributes, event.datacontenttype.as_deref());
    let key = event.subject.clone().into_owned();
    let bytes = match event.data {
        Data::Binary(bytes) => bytes.into_owned(),
        Data::Text(text) => text.into_owned().into_bytes(),
        Data::None => Vec::new(),
    };
    Message { target: Target::Recordings, key, value: Value::Owned(bytes), headers }
}

/// Attributes as headers of Kafka's binary mode (Kafka protocol binding 1.0, section 3.2).
fn kafka_headers(attributes: Vec<Attribute>, content_type: Option<&str>) -> Vec<Attribute> {
    let content_type = content_type.map(|value| ("content-type".to_owned(), value.as_bytes().to_vec()));
    attributes.into_iter().map(|(name, value)| (format!("ce_{name}"), value)).chain(content_type).collect()
}

fn catalogue_warning(event: &Event<'_>, index: usize) -> Option<Warning> {
    let problems = event.problems()?;
    Some(Warning { index, id: event.id.clone().into_owned(), problems })
}

/// The mode for a content type (HTTP protocol binding 1.0, section 3). `attributes` are those of the `ce-` headers, if
/// there are any.
pub(super) fn mode(content_type: Option<&str>, attributes: Option<Vec<Attribute>>) -> Result<Mode, Problem> {
    let mut parts = content_type.unwrap_or_default().split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == STRUCTURED_MEDIA_TYPE || essence == BATCH_MEDIA_TYPE {
        let other_charset = parts.filter_map(|parameter| parameter.trim().split_once('=')).any(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
        if other_charset {
            return Err(Problem::unsupported_media_type(
                "events are UTF-8; send them with charset=utf-8 or without a charset",
            ));
        }
        return Ok(if essence == STRUCTURED_MEDIA_TYPE { Mode::Structured } else { Mode::Batch });
    }
    if essence.starts_with("application/cloudevents") {
        return Err(Problem::unsupported_media_type(SUPPORTED));
    }
    match attributes {
        Some(attributes) => Ok(Mode::Binary { attributes, content_type: content_type.map(str::to_owned) }),
        None => Err(Problem::unsupported_media_type(SUPPORTED)),
    }
}

const SUPPORTED: &str = "send application/cloudevents+json, application/cloudevents-batch+json, or any content type with \
                         the event's attributes in ce- headers";

/// Whether a binary-mode event is a recording chunk, whose size limit is higher.
pub(super) fn carries_chunk(mode: &Mode) -> bool {
    let Mode::Binary { attributes, .. } = mode else { return false };
    attributes.iter().any(|(name, value)| name == "type" && value == CHUNK_TYPE.as_bytes())
}
