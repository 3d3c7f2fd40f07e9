//! Decoding errors. Every message states what is wrong, where, and how to correct it. None quotes a value, because
//! values may be personal.

/// Why bytes are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8 at byte {offset}; send events as UTF-8")]
    InvalidUtf8 {
        /// Offset of the first byte that is wrong.
        offset: usize,
    },
    /// The bytes are not JSON (RFC 8259).
    #[error("invalid JSON at byte {offset}: {what}")]
    InvalidJson {
        /// Offset at which the scanner stopped.
        offset: usize,
        /// What was expected or found there.
        what: &'static str,
    },
    /// Values are nested deeper than [`crate::MAX_DEPTH`].
    #[error("values are nested deeper than {limit} at byte {offset}; flatten the event's data")]
    NestedTooDeep {
        /// Offset of the first value that is too deep.
        offset: usize,
        /// The maximum nesting depth.
        limit: usize,
    },
    /// A key is duplicate in one object, so readers could differ about its value.
    #[error("the key at byte {offset} occurs twice in one object; send each key once")]
    DuplicateKey {
        /// Offset of the duplicate.
        offset: usize,
    },
    /// The JSON is not an object (or, in a batch, not an array of objects).
    #[error("expected {expected}, found {found}")]
    NotAnEvent {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// A required attribute is absent, null or empty.
    #[error(
        "the required attribute `{name}` is missing; every event needs specversion, id, source, type, subject and time"
    )]
    MissingAttribute {
        /// The attribute's name.
        name: &'static str,
    },
    /// An attribute has a value or a name that CloudEvents does not allow.
    #[error("the attribute {name} is invalid: {what}")]
    InvalidAttribute {
        /// The attribute's name, or its offset.
        name: String,
        /// What is wrong and what is allowed.
        what: &'static str,
    },
    /// `time` is not an RFC 3339 date and time with a zone.
    #[error("the attribute `time` is invalid: {0}; send RFC 3339 with a zone, such as 2026-01-31T09:30:00Z")]
    InvalidTime(crate::InvalidTime),
    /// `specversion` is not 1.0.
    #[error("the attribute `specversion` is not 1.0; send CloudEvents 1.0")]
    UnsupportedVersion,
    /// `data_base64` is not base64 (RFC 4648, section 4).
    #[error("`data_base64` is not base64; use the standard alphabet with padding")]
    InvalidBase64,
    /// Both `data` and `data_base64` are present.
    #[error("both `data` and `data_base64` are present; send one of them")]
    TwoPayloads,
    /// A recording chunk lacks an attribute or has one that cannot be read.
    #[error("the recording chunk's attribute `{name}` is {what}")]
    InvalidChunk {
        /// The attribute's name.
        name: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The message has no value at all.
    #[error("the message is empty; an event has at least its attributes")]
    Empty,
}

/// Why a batch cannot be split into its events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct BatchError {
    /// What is wrong. Offsets count from the first byte of the event if one is named, or else of the batch.
    pub error: DecodeError,
    /// The event that is wrong: its index from 0, and the byte of the batch at which it begins. `None` if the batch
    /// itself is wrong.
    pub event: Option<(usize, usize)>,
}

impl DecodeError {
    /// The same error, with its offset counted from the byte `begins`.
    pub(crate) fn counted_from(mut self, begins: usize) -> Self {
        if let Self::InvalidUtf8 { offset }
        | Self::InvalidJson { offset, .. }
        | Self::NestedTooDeep { offset, .. }
        | Self::DuplicateKey { offset } = &mut self
        {
            *offset = offset.saturating_sub(begins);
        }
        self
    }

    /// A short code that stays the same between versions, for metrics, dead letters and programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::InvalidJson { .. } => "invalid_json",
            Self::NestedTooDeep { .. } => "nested_too_deep",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::NotAnEvent { .. } => "not_an_event",
            Self::MissingAttribute { .. } => "missing_attribute",
            Self::InvalidAttribute { .. } => "invalid_attribute",
            Self::InvalidTime(_) => "invalid_time",
            Self::UnsupportedVersion => "unsupported_version",
            Self::InvalidBase64 => "invalid_base64",
            Self::TwoPayloads => "two_payloads",
            Self::InvalidChunk { .. } => "invalid_chunk",
            Self::Empty => "empty",
        }
    }
}
