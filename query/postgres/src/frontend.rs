//! What a client sends: messages from bytes.
//!
//! Pure: bytes go in, messages or the reason of a refusal come out. Nothing here panics, whatever the bytes are; the
//! lengths that they claim are checked before anything is set aside for them.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::BTreeMap;

/// The longest first message (startup, TLS request, cancel request), by the protocol's own custom.
const LONGEST_FIRST: usize = 10_000;
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Bytes that are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a message of {length} bytes is longer than the {most} that are accepted here")]
    TooLong { length: usize, most: usize },
    #[error("the length {0} of a message is impossible")]
    Length(u32),
    #[error("a message ends before its {0}")]
    Truncated(&'static str),
    #[error("the {0} of a message is not UTF-8")]
    Text(&'static str),
    #[error("no message begins with the byte {0}")]
    Kind(u8),
    #[error("the protocol version {0}.{1} is not served; 3.0 is")]
    Version(u16, u16),
}

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum First {
    /// The client asks for TLS.
    Tls,
    /// The client asks for encryption by GSSAPI.
    Gss,
    /// The client wants the statement of another connection ended.
    Cancel { process: i32, secret: Bytes },
    /// The client begins a session. `minor` is the version that it would like.
    Startup { minor: u16, parameters: BTreeMap<String, String> },
}

/// What a prepared statement or a portal is called: `""` is the unnamed one.
pub(crate) type Name = String;

/// Whether something is said of a prepared statement or of a portal.
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
    /// A part of the proof of who the client is.
    Proof(Bytes),
    /// Statements as text.
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
        most_rows: u32,
    },
    Close(Target, Name),
    Flush,
    Sync,
    /// A part of a COPY, or a call of a function by its number: neither is served.
    Unserved(&'static str),
    Terminate,
}

impl Message {
    /// Whether what follows an error is discarded until the client says Sync.
    pub(crate) fn is_extended(&self) -> bool {
        !matches!(self, Self::Proof(_) | Self::Query(_) | Self::Unserved(_) | Self::Terminate)
    }
}

/// Takes the first message off `input`; `None` when more bytes are needed.
pub(crate) fn first(input: &mut BytesMut) -> Result<Option<First>, Malformed> {
    let Some(length) = be_u32(input, 0) else { return Ok(None) };
    let whole = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
    if whole < 8 {
        return Err(Malformed::Length(length));
    }
    if whole > LONGEST_FIRST {
        return Err(Malformed::TooLong { length: whole, most: LONGEST_FIRST });
    }
    if input.len() < whole {
        return Ok(None);
    }
    let mut body = Body(input.split_to(whole).freeze().slice(4..));
    let code = body.u32("code")?;
    match code {
        TLS_REQUEST => Ok(Some(First::Tls)),
        GSS_REQUEST => Ok(Some(First::Gss)),
        CANCEL_REQUEST => {
            let process = body.u32("process")?.cast_signed();
            Ok(Some(First::Cancel { process, secret: body.0 }))
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
                    return Ok(Some(First::Startup { minor, parameters }));
                }
                parameters.insert(name, body.text("parameter's value")?);
            }
        }
    }
}

/// Takes a message of at most `most` bytes off `input`; `None` when more bytes are needed.
pub(crate) fn message(input: &mut BytesMut, most: usize) -> Result<Option<Message>, Malformed> {
    let (Some(&kind), Some(length)) = (input.first(), be_u32(input, 1)) else { return Ok(None) };
    let whole = usize::try_from(length).map_err(|_| Malformed::Length(length))?;
    if whole < 4 {
        return Err(Malformed::Length(length));
    }
    if whole > most {
        return Err(Malformed::TooLong { length: whole, most });
    }
    if !b"pQPBDECHSXdcfF".contains(&kind) {
        return Err(Malformed::Kind(kind));
    }
    if input.len() < whole + 1 {
        return Ok(None);
    }
    let mut body = Body(input.split_to(whole + 1).freeze().slice(5..));
    let message = match kind {
        b'p' => Message::Proof(body.0),
        b'Q' => Message::Query(body.text("statement")?),
        b'P' => parse(&mut body)?,
        b'B' => Message::Bind(bind(&mut body)?),
        b'D' => Message::Describe(body.target()?, body.text("name")?),
        b'E' => {
            let portal = body.text("portal")?;
            // Negative numbers mean all rows, as zero does.
            let most_rows = u32::try_from(body.u32("number of rows")?.cast_signed()).unwrap_or(0);
            Message::Execute { portal, most_rows }
        }
        b'C' => Message::Close(body.target()?, body.text("name")?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => Message::Terminate,
        b'F' => Message::Unserved("a call of a function by its number"),
        _ => Message::Unserved("COPY"),
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

/// What is left of a message.
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

    /// A counted list, of which each element takes at least `least` bytes.
    fn many<T>(
        &mut self,
        what: &'static str,
        least: usize,
        mut one: impl FnMut(&mut Self, &'static str) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::from(self.i16(what)?.cast_unsigned());
        if self.0.len() < count * least {
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
    fn a_startup_names_its_parameters() {
        let mut input = framed(None, b"\0\x03\0\0user\0ada\0database\0holdfast\0\0");
        let Some(First::Startup { minor: 0, parameters }) = first(&mut input).unwrap() else { panic!() };
        assert_eq!(parameters["user"], "ada");
        assert_eq!(parameters["database"], "holdfast");
        assert!(input.is_empty());
    }

    #[test]
    fn a_message_is_taken_when_it_is_whole_and_the_next_is_left() {
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
    fn bind_tells_null_from_empty() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\0\0\0";
        let Some(Message::Bind(bind)) = message(&mut framed(Some(b'B'), body), 100).unwrap() else { panic!() };
        assert_eq!(bind.parameters, [None, Some(Bytes::new())]);
        assert_eq!((bind.parameter_formats, bind.result_formats), (vec![1], vec![]));
    }

    #[test]
    fn what_claims_to_be_long_is_refused_before_it_arrives() {
        let mut input = BytesMut::from(&b"Q\x7f\xff\xff\xff"[..]);
        assert_eq!(message(&mut input, 100), Err(Malformed::TooLong { length: 0x7fff_ffff, most: 100 }));
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
