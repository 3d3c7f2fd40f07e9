//! Parses the messages of a client (PostgreSQL's frontend messages).
//!
//! Pure: bytes in, messages or errors out. No input panics. A declared length is checked before memory is allocated for it.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;

/// The most bytes of the first message (startup, SSLRequest, CancelRequest); PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
const MAX_FIRST_BYTES: usize = 10_000;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a message of {length} bytes exceeds the limit of {max}")]
    TooLong { length: usize, max: usize },
    #[error("the length {0} of a message is invalid")]
    Length(u32),
    #[error("a message ends before its {0}")]
    Truncated(&'static str),
    #[error("the {0} of a message is not UTF-8")]
    Text(&'static str),
    #[error("no message has the type byte {0}")]
    Kind(u8),
    #[error("the protocol version {0}.{1} is not supported; use 3.0")]
    Version(u16, u16),
}

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstMessage {
    /// The client requests TLS.
    SslRequest,
    /// The client requests encryption by GSSAPI.
    GssEncRequest,
    /// The client cancels the statement of another connection.
    CancelRequest { process: i32, secret: Bytes },
    /// The client starts a session. `minor` is the minor protocol version that it requests.
    Startup { minor: u16, parameters: BTreeMap<String, String> },
}

/// The name of a prepared statement or a portal. `""` is the unnamed one.
pub(crate) type Name = String;

/// Whether a message is about a prepared statement or a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// Values for a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: Name,
    pub(crate) statement: Name,
    pub(crate) parameter_formats: Vec<i16>,
    pub(crate) parameters: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<i16>,
}

/// A message of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A message of the SASL exchange.
    SaslResponse(Bytes),
    /// The text of one or more statements (simple protocol).
    Query(String),
    Parse {
        name: Name,
        text: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target, Name),
    Execute {
        portal: Name,
        max_rows: u32,
    },
    Close(Target, Name),
    Flush,
    Sync,
    /// A part of a COPY, or a call of a function by its OID. Neither is supported.
    Unsupported(&'static str),
    Terminate,
}

impl Message {
    /// Whether the message belongs to the extended protocol: after an error, messages up to Sync are discarded.
    pub(crate) fn is_extended(&self) -> bool {
        !matches!(self, Self::SaslResponse(_) | Self::Query(_) | Self::Unsupported(_) | Self::Terminate)
    }
}

/// Removes the first message from `input`; `None` if it is incomplete.
pub(crate) fn first(input: &mut BytesMut) -> Result<Option<FirstMessage>, Malformed> {
    let Some(length) = be_u32(input, 0) else { return Ok(None) };
    let whole = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
    if whole < 8 {
        return Err(Malformed::Length(length));
    }
    if whole > MAX_FIRST_BYTES {
        return Err(Malformed::TooLong { length: whole, max: MAX_FIRST_BYTES });
    }
    if input.len() < whole {
        return Ok(None);
    }
    let mut body = Body(input.split_to(whole).freeze().slice(4..));
    let code = body.u32("code")?;
    match code {
        SSL_REQUEST => Ok(Some(FirstMessage::SslRequest)),
        GSSENC_REQUEST => Ok(Some(FirstMessage::GssEncRequest)),
        CANCEL_REQUEST => {
            let process = body.u32("process")?.cast_signed();
            Ok(Some(FirstMessage::CancelRequest { process, secret: body.0 }))
        }
        _ => {
            let [major, minor] = [(code >> 16) as u16, code as u16];
            if major != 3 {
                return Err(Malformed::Version(major, minor));
            }
            let mut parameters = BTreeMap::new();
            loop {
                let name = body.text("parameter's name")?;
                if name.is_empty() {
                    return Ok(Some(FirstMessage::Startup { minor, parameters }));
                }
                parameters.insert(name, body.text("parameter's value")?);
            }
        }
    }
}

/// Removes a message of at most `max` bytes from `input`; `None` if it is incomplete.
pub(crate) fn message(input: &mut BytesMut, max: usize) -> Result<Option<Message>, Malformed> {
    let (Some(&kind), Some(length)) = (input.first(), be_u32(input, 1)) else { return Ok(None) };
    let whole = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
    if whole < 4 {
        return Err(Malformed::Length(length));
    }
    if whole > max {
        return Err(Malformed::TooLong { length: whole, max });
    }
    if !b"pQPBDECHSXdcfF".contains(&kind) {
        return Err(Malformed::Kind(kind));
    }
    if input.len() < whole + 1 {
        return Ok(None);
    }
    let mut body = Body(input.split_to(whole + 1).freeze().slice(5..));
    let message = match kind {
        b'p' => Message::SaslResponse(body.0),
        b'Q' => Message::Query(body.text("statement")?),
        b'P' => parse(&mut body)?,
        b'B' => Message::Bind(bind(&mut body)?),
        b'D' => Message::Describe(body.target()?, body.text("name")?),
        b'E' => {
            let portal = body.text("portal")?;
            // PostgreSQL treats negative numbers as zero: all rows.
            let max_rows = u32::try_from(body.u32("number of rows")?.cast_signed()).unwrap_or(0);
            Message::Execute { portal, max_rows }
        }
        b'C' => Message::Close(body.target()?, body.text("name")?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'F' => Message::Unsupported("a call of a function by its OID"),
        _ => Message::Unsupported("COPY"),
    };
    Ok(Some(message))
}

fn parse(body: &mut Body) -> Result<Message, Malformed> {
    let (name, text) = (body.text("name")?, body.text("statement")?);
    let types = body.many("types", 4, Body::u32)?;
    Ok(Message::Parse { name, text, types })
}

fn bind(body: &mut Body) -> Result<Bind, Malformed> {
    let (portal, statement) = (body.text("portal")?, body.text("statement")?);
    let parameter_formats = body.many("formats", 2, Body::i16)?;
    let parameters = body.many("parameters", 4, |body, what| {
        let length = body.u32(what)?;
        if length == u32::MAX {
            return Ok(None);
        }
        body.bytes(length as usize, what).map(Some)
    })?;
    let result_formats = body.many("formats", 2, Body::i16)?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

fn be_u32(input: &[u8], from: usize) -> Option<u32> {
    let bytes: [u8; 4] = input.get(from..from + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// The unread rest of a message.
struct Body(Bytes);

impl Body {
    fn bytes(&mut self, length: usize, what: &'static str) -> Result<Bytes, Malformed> {
        if self.0.len() < length {
            return Err(Malformed::Truncated(what));
        }
        Ok(self.0.split_to(length))
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.bytes(4, what).map(|mut bytes| bytes.get_u32())
    }

    fn i16(&mut self, what: &'static str) -> Result<i16, Malformed> {
        self.bytes(2, what).map(|mut bytes| bytes.get_i16())
    }

    fn text(&mut self, what: &'static str) -> Result<String, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed::Truncated(what))?;
        let text = self.bytes(end, what)?;
        self.0.advance(1);
        String::from_utf8(text.to_vec()).map_err(|_| Malformed::Text(what))
    }

    fn target(&mut self) -> Result<Target, Malformed> {
        match self.bytes(1, "target")?.first() {
            Some(b'S') => Ok(Target::Statement),
            Some(b'P') => Ok(Target::Portal),
            other => Err(Malformed::Kind(other.copied().unwrap_or_default())),
        }
    }

    /// A counted list whose elements have at least `min_bytes` bytes each.
    fn many<T>(
        &mut self,
        what: &'static str,
        min_bytes: usize,
        mut one: impl FnMut(&mut Self, &'static str) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::from(self.i16(what)?.cast_unsigned());
        if self.0.len() < count * min_bytes {
            return Err(Malformed::Truncated(what));
        }
        (0..count).map(|_| one(self, what)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(kind: Option<u8>, body: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.extend(kind);
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn a_startup_message_has_parameters() {
        let mut input = framed(None, b"\0\x03\0\0user\0ada\0database\0holdfast\0\0");
        let Some(FirstMessage::Startup { minor: 0, parameters }) = first(&mut input).unwrap() else { panic!() };
        assert_eq!(parameters["user"], "ada");
        assert_eq!(parameters["database"], "holdfast");
        assert!(input.is_empty());
    }

    #[test]
    fn a_complete_message_is_removed_and_the_next_one_remains() {
        let mut input = framed(Some(b'Q'), b"select 1\0");
        let next = framed(Some(b'S'), b"");
        let whole = input.split();
        for end in 0..whole.len() {
            assert_eq!(message(&mut BytesMut::from(&whole[..end]), 100), Ok(None));
        }
        let mut both = whole;
        both.extend_from_slice(&next);
        assert_eq!(message(&mut both, 100), Ok(Some(Message::Query("select 1".into()))));
        assert_eq!(message(&mut both, 100), Ok(Some(Message::Sync)));
    }

    #[test]
    fn bind_distinguishes_null_from_empty() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\0\0\0";
        let Some(Message::Bind(bind)) = message(&mut framed(Some(b'B'), body), 100).unwrap() else { panic!() };
        assert_eq!(bind.parameters, [None, Some(Bytes::new())]);
        assert_eq!((bind.parameter_formats, bind.result_formats), (vec![1], vec![]));
    }

    #[test]
    fn a_declared_length_over_the_limit_is_refused_before_the_bytes_arrive() {
        let mut input = BytesMut::from(&b"Q\x7f\xff\xff\xff"[..]);
        assert_eq!(message(&mut input, 100), Err(Malformed::TooLong { length: 0x7fff_ffff, max: 100 }));
        let mut input = BytesMut::from(&b"\x7f\xff\xff\xff"[..]);
        assert!(matches!(first(&mut input), Err(Malformed::TooLong { .. })));
        let mut many = framed(Some(b'P'), b"\0\0\xff\xff");
        assert_eq!(message(&mut many, 100), Err(Malformed::Truncated("types")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = first(&mut BytesMut::from(&bytes[..]));
            let _ = message(&mut BytesMut::from(&bytes[..]), 1000);
        }

        #[test]
        fn no_body_panics(kind in proptest::sample::select(b"pQPBDECHSXdcfF".to_vec()), body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = message(&mut framed(Some(kind), &body), 1000);
        }
    }
}
