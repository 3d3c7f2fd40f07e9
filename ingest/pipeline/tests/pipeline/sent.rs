//! The messages that a test sends, each with its expected outcome.

use holdfast_events::{CHUNK_TYPE, Decoder, Event, canonical_bytes, decode_binary, decode_structured};
use holdfast_testkit::kafka::clients::Record;

/// The source of every event that is sent here.
pub(crate) const SOURCE: &str = "urn:holdfast:test";

/// How a message that Kafka acknowledged must be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As an event.
    Archived { source: String, id: String },
    /// As a dead letter with this reason.
    DeadLetter { reason: &'static str },
}

/// A message, and its expected outcome.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) outcome: Outcome,
}

impl Sent {
    /// A message with a value.
    pub(crate) fn new(topic: &str, value: impl Into<Vec<u8>>, outcome: Outcome) -> Self {
        let key = Some(b"s-bad".to_vec());
        Self { topic: topic.to_owned(), key, headers: Vec::new(), value: Some(value.into()), outcome }
    }

    /// A chat line with a time, in structured mode.
    pub(crate) fn chat_at(topic: &str, session: &str, number: usize, time: &str) -> Self {
        let id = format!("{session}-{number}");
        let value = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"{SOURCE}","type":"chat.line","subject":"{session}","time":"{time}","agent":"a-1","data":{{"seq":{number},"sender":"customer","text":"line {number} of {session}: ü € 😀"}}}}"#
        );
        let sent = Self::new(topic, value, Outcome::archived(&id));
        Self { key: Some(session.as_bytes().to_vec()), ..sent }
    }

    /// A chat line in structured mode.
    pub(crate) fn chat(topic: &str, session: &str, number: usize) -> Self {
        Self::chat_at(topic, session, number, "2026-11-20T10:00:00.25Z")
    }

    /// An event in binary mode.
    pub(crate) fn binary(topic: &str, session: &str, number: usize) -> Self {
        let id = format!("{session}-binary-{number}");
        let value = format!(r#"{{"rating": {},  "feedback":"as it came"}}"#, number % 5 + 1);
        Self {
            key: Some(session.as_bytes().to_vec()),
            headers: attributes(&[
                ("id", &id),
                ("type", "survey.submitted"),
                ("subject", session),
                ("ticket", "T-17"),
                ("color", "blue"),
            ]),
            ..Self::new(topic, value, Outcome::archived(&id))
        }
        .header("content-type", "application/json")
    }

    /// A recording chunk.
    pub(crate) fn chunk(topic: &str, session: &str, recording: &str, seq: i64, bytes: Vec<u8>) -> Self {
        let id = format!("{recording}-{seq}");
        Self {
            key: Some(session.as_bytes().to_vec()),
            headers: attributes(&[
                ("id", &id),
                ("type", CHUNK_TYPE),
                ("subject", session),
                ("recordingid", recording),
                ("seq", &seq.to_string()),
                ("firstms", &(seq * 2_000).to_string()),
                ("lastms", &(seq * 2_000 + 1_999).to_string()),
            ]),
            ..Self::new(topic, bytes, Outcome::archived(&id))
        }
        .header("content-type", "video/webm")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn record(&self) -> Record {
        let mut record = match &self.value {
            Some(value) => {
                let record = Record::new(&self.topic, value.clone());
                match &self.key {
                    Some(key) => record.key(key.clone()),
                    None => record,
                }
            }
            None => Record::tombstone(&self.topic, self.key.clone().unwrap_or_default()),
        };
        for (name, value) in &self.headers {
            record = record.header(name, value.clone());
        }
        record
    }

    /// The event in the message.
    pub(crate) fn event(&self) -> Event<'_> {
        let value = self.value.as_deref().unwrap_or_default();
        let attributes: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("ce_")?, value.as_slice())))
            .collect();
        let event = if attributes.is_empty() {
            decode_structured(value)
        } else {
            let content_type = self.headers.iter().find(|(name, _)| name == "content-type");
            let content_type = content_type.map(|(_, value)| std::str::from_utf8(value).unwrap());
            decode_binary(attributes, content_type, value)
        };
        event.expect("a message that is to be archived is an event")
    }

    pub(crate) fn is_chunk(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "ce_type" && value == CHUNK_TYPE.as_bytes())
    }

    /// The canonical bytes of its row.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let event = self.event();
        let event = event.describing_chunk(&mut Decoder::default()).expect("a chunk with all its attributes");
        canonical_bytes(&event)
    }
}

impl Outcome {
    /// An event of [`SOURCE`].
    pub(crate) fn archived(id: &str) -> Self {
        Self::Archived { source: SOURCE.to_owned(), id: id.to_owned() }
    }
}

/// The headers of binary mode: those that every event needs, and `own`.
fn attributes(own: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    [("specversion", "1.0"), ("source", SOURCE), ("time", "2026-11-20T10:00:00Z")]
        .iter()
        .chain(own)
        .map(|(name, value)| (format!("ce_{name}"), value.as_bytes().to_vec()))
        .collect()
}

/// Pseudo-random bytes, which do not compress.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
