//! Recording chunks: events whose payload is bytes of a recording.
//!
//! ```text
//! Event (attributes + bytes) ──▶ Chunk ──┬─▶ bytes into an age object
//!                                        └─▶ Event with JSON about the chunk: a row like any other
//! ```
//!
//! CloudEvents allows only lower-case letters and digits in the names of attributes, so `recording_id` is sent as
//! `recordingid`, `first_ms` as `firstms` and `last_ms` as `lastms`.

use crate::decode::Decoder;
use crate::error::DecodeError;
use crate::event::{Data, Event};
use crate::json::escape_into;
use crate::number::whole_number;
use std::fmt::Write;

/// The type of events with a chunk.
pub const CHUNK_TYPE: &str = "recording.chunk";

/// The greatest number of a chunk. At one a second, a recording reaches it after 68 years, and numbers near the end of
/// their 64 bits would be an error of the sender that every later calculation had to expect.
pub const MAX_CHUNK_SEQ: i64 = i32::MAX as i64;

/// The attributes that describe a chunk.
const ATTRIBUTES: [&str; 6] = ["firstms", "last", "lastms", "recordingid", "seq", "sha256"];

/// A chunk of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'e> {
    /// The recording that it belongs to.
    pub recording_id: &'e str,
    /// Its number in the recording, from 0 to [`MAX_CHUNK_SEQ`].
    pub seq: i64,
    /// Its first millisecond in the recording.
    pub first_ms: i64,
    /// Its last millisecond in the recording.
    pub last_ms: i64,
    /// Whether it is the recording's last chunk; absent if the source does not send it.
    pub last: Option<bool>,
    /// Its bytes.
    pub bytes: &'e [u8],
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

impl<'e> Chunk<'e> {
    /// The chunk of `event`; `None` for an event without one.
    pub fn of(event: &'e Event<'_>) -> Result<Option<Self>, DecodeError> {
        let Data::Binary(bytes) = &event.data else { return Ok(None) };
        if event.type_ != CHUNK_TYPE {
            return Ok(None);
        }
        let find =
            |name: &str| event.extensions.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref());
        let required = |name: &'static str| find(name).ok_or(DecodeError::InvalidChunk { name, what: "missing" });
        let number = |name: &'static str, greatest: i64, what: &'static str| -> Result<i64, DecodeError> {
            match whole_number(required(name)?) {
                Ok(number) if (0..=greatest).contains(&number) => Ok(number),
                _ => Err(DecodeError::InvalidChunk { name, what }),
            }
        };
        let milliseconds = |name: &'static str| number(name, i64::MAX, "not a whole number from 0 up");
        let last = match find("last") {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(DecodeError::InvalidChunk { name: "last", what: "neither true nor false" }),
        };
        let sha256 = sha256_hex(bytes);
        if find("sha256").is_some_and(|claimed| !claimed.eq_ignore_ascii_case(&sha256)) {
            return Err(DecodeError::InvalidChunk { name: "sha256", what: "not the SHA-256 of the chunk's bytes" });
        }
        let recording_id = required("recordingid")?;
        if recording_id.is_empty() {
            return Err(DecodeError::InvalidChunk { name: "recordingid", what: "empty" });
        }
        Ok(Some(Self {
            recording_id,
            seq: number("seq", MAX_CHUNK_SEQ, "not a whole number from 0 to 2147483647")?,
            first_ms: milliseconds("firstms")?,
            last_ms: milliseconds("lastms")?,
            last,
            bytes,
            sha256,
        }))
    }

    /// The `data` of the chunk's row.
    fn metadata(&self, media_type: Option<&str>) -> String {
        let mut json = String::with_capacity(200);
        json.push_str("{\"recording_id\":");
        escape_into(&mut json, self.recording_id);
        let _ = write!(
            json,
            ",\"seq\":{},\"first_ms\":{},\"last_ms\":{},\"size\":{},\"sha256\":\"{}\"",
            self.seq,
            self.first_ms,
            self.last_ms,
            self.bytes.len(),
            self.sha256
        );
        if let Some(last) = self.last {
            let _ = write!(json, ",\"last\":{last}");
        }
        if let Some(media_type) = media_type {
            json.push_str(",\"media_type\":");
            escape_into(&mut json, media_type);
        }
        json.push('}');
        json
    }
}

impl<'a> Event<'a> {
    /// The event that is archived for a chunk: the same attributes, with the chunk's metadata in `data` instead of its
    /// bytes.
    pub fn describing_chunk(mut self, decoder: &mut Decoder) -> Result<Self, DecodeError> {
        let Some(chunk) = Chunk::of(&self)? else { return Ok(self) };
        let json = chunk.metadata(self.datacontenttype.as_deref());
        self.extensions.retain(|(name, _)| !ATTRIBUTES.contains(&name.as_ref()));
        decoder.with_json(self, json)
    }
}

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
