//! From a simulated event to its message.
//!
//! ```text
//! Draft (time, type, fields) ── sorted by time, numbered ──▶ Envelope::message ─▶ Message (topic, key, headers, payload)
//! ```

use std::ops::Range;
use std::sync::Arc;

use crate::clock::rfc3339;
use crate::data::agents::AGENTS;
use crate::json::Object;
use crate::{Message, Topic, hash};

/// The `source` of every generated event.
pub const SOURCE: &str = "urn:holdfast:demo";

/// One event without its envelope.
pub(crate) struct Draft {
    /// Milliseconds since 1970 UTC.
    pub(crate) time: i64,
    pub(crate) kind: &'static str,
    /// The subject, if it is not the session.
    pub(crate) subject: Option<String>,
    /// Index of the agent in the attribute `agent`.
    pub(crate) agent: Option<usize>,
    /// Whether it has the ticket, portal and customer of its time line as attributes.
    pub(crate) attributed: bool,
    pub(crate) body: Body,
}

/// The payload of an event.
pub(crate) enum Body {
    /// The fields of `data`.
    Fields(Vec<u8>),
    /// A chunk of a recording.
    Chunk(Chunk),
}

pub(crate) struct Chunk {
    pub(crate) seq: u32,
    pub(crate) first_ms: u32,
    /// Inclusive.
    pub(crate) last_ms: u32,
    pub(crate) last: bool,
    pub(crate) bytes: Bytes,
}

/// The bytes of a chunk: owned, or a part of the file in [`crate::Options::recording_bytes`].
pub(crate) enum Bytes {
    Own(Vec<u8>),
    Part(Arc<[u8]>, Range<usize>),
}

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Part(file, range) => &file[range.clone()],
        }
    }
}

impl Draft {
    /// An event of the session itself.
    pub(crate) fn new(time: i64, kind: &'static str, agent: Option<usize>, fields: Object) -> Self {
        Self { time, kind, subject: None, agent, attributed: true, body: Body::Fields(fields.finish()) }
    }

    /// An event about something else: a ticket, a queue, an agent.
    pub(crate) fn about(mut self, subject: String) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Without the ticket, portal and customer of the time line.
    pub(crate) fn unattributed(mut self) -> Self {
        self.attributed = false;
        self
    }
}

/// What the events of one time line have in common.
#[derive(Default)]
pub(crate) struct Envelope {
    /// Prefix of the event ids; the session's id if there is a session.
    pub(crate) id_prefix: String,
    /// The session; empty if there is none.
    pub(crate) session: String,
    pub(crate) recording: String,
    pub(crate) ticket: Option<String>,
    pub(crate) portal: Option<String>,
    pub(crate) customer: Option<String>,
    /// Media type of the recording.
    pub(crate) media_type: &'static str,
}

impl Envelope {
    /// The message of event number `number` of the time line.
    pub(crate) fn message(&self, number: usize, draft: Draft) -> Message {
        let id = format!("{}-{number}", self.id_prefix);
        let subject = draft.subject.as_deref().unwrap_or(&self.session);
        // The ticket, portal and customer of the time line, and the agent of the event.
        let shared = [("ticket", &self.ticket), ("portal", &self.portal), ("customer", &self.customer)];
        let extensions = shared
            .into_iter()
            .filter(|_| draft.attributed)
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .chain(draft.agent.map(|agent| ("agent", AGENTS[agent].id)));
        let session = if draft.subject.is_none() { self.session.clone() } else { String::new() };
        let time = rfc3339(draft.time);
        match draft.body {
            Body::Fields(data) => {
                let mut event = Object::new()
                    .text("specversion", "1.0")
                    .text("id", &id)
                    .text("source", SOURCE)
                    .text("type", draft.kind)
                    .text("subject", subject)
                    .text("time", &time);
                for (name, value) in extensions {
                    event = event.text(name, value);
                }
                event = event.text("datacontenttype", "application/json").raw("data", &data);
                Message {
                    topic: Topic::Events,
                    kind: draft.kind,
                    key: subject.to_owned(),
                    headers: vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())],
                    payload: event.finish(),
                    session,
                    time: draft.time * 1000,
                }
            }
            Body::Chunk(chunk) => {
                let bytes = match chunk.bytes {
                    Bytes::Own(bytes) => bytes,
                    Bytes::Part(file, range) => file[range].to_vec(),
                };
                let mut headers = Vec::with_capacity(18);
                let mut header = |name: &str, value: &str| headers.push((name.to_owned(), value.as_bytes().to_vec()));
                header("ce_specversion", "1.0");
                header("ce_id", &id);
                header("ce_source", SOURCE);
                header("ce_type", draft.kind);
                header("ce_subject", subject);
                header("ce_time", &time);
                for (name, value) in extensions {
                    header(&format!("ce_{name}"), value);
                }
                header("ce_recordingid", &self.recording);
                header("ce_seq", &chunk.seq.to_string());
                header("ce_firstms", &chunk.first_ms.to_string());
                header("ce_lastms", &chunk.last_ms.to_string());
                header("ce_last", if chunk.last { "true" } else { "false" });
                header("ce_sha256", &hash(&bytes));
                header("content-type", self.media_type);
                Message {
                    topic: Topic::Recordings,
                    kind: draft.kind,
                    key: subject.to_owned(),
                    headers,
                    payload: bytes,
                    session,
                    time: draft.time * 1000,
                }
            }
        }
    }
}
