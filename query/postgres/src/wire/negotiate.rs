//! The start of a connection: encryption, then startup or cancellation.
//!
//! ```text
//! direct TLS ─────────────────┐
//! SSLRequest ─▶ S ─▶ handshake ┴─▶ startup, or cancel
//!            └▶ N ─▶ plain text ─▶ startup, or cancel
//! ```
//!
//! Invariant: bytes that arrived in plain text before a handshake are never read as encrypted ones. A client that sends more
//! than its SSLRequest is refused, because an attacker on the network may have added the bytes.

use super::frontend::FirstMessage;
use super::stream::{Stream, Wire, WireError};
use bytes::Bytes;
use holdfast_server::TlsIdentity;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// The ALPN protocols of the server (RFC 7301). Clients with direct TLS must request the one.
pub const ALPN: &[&[u8]] = &[b"postgresql"];

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// The most bytes of a message before the user is authenticated.
const MAX_BYTES_BEFORE_LOGIN: usize = 16 << 10;

/// The request of a new connection.
pub(crate) enum StartupRequest {
    Cancel { process: i32, secret: Bytes },
    Session { wire: Wire, is_encrypted: bool, minor: u16, parameters: BTreeMap<String, String> },
}

/// Negotiates encryption and reads the request; `None` if the client disconnected.
pub(crate) async fn negotiate(
    stream: TcpStream,
    tls: Option<&TlsIdentity>,
    io_timeout: Duration,
) -> Result<Option<StartupRequest>, WireError> {
    let mut first_byte = [0];
    if stream.peek(&mut first_byte).await? == 0 {
        return Ok(None);
    }
    if first_byte[0] == HANDSHAKE {
        let Some(identity) = tls else {
            return Err(WireError::Io(io::Error::new(io::ErrorKind::InvalidData, "TLS is not configured")));
        };
        let encrypted = accept(identity, Box::new(stream), true).await?;
        return startup_request(Wire::new(encrypted, MAX_BYTES_BEFORE_LOGIN, io_timeout), true).await;
    }
    let mut wire = Wire::new(Box::new(stream), MAX_BYTES_BEFORE_LOGIN, io_timeout);
    // At most one SSLRequest and one GSSENCRequest.
    for _ in 0..2 {
        match (wire.first().await?, tls) {
            (None, _) => return Ok(None),
            (Some(FirstMessage::SslRequest), Some(identity)) => {
                wire.byte(b'S').await?;
                let (stream, has_more) = wire.into_stream();
                if has_more {
                    return Err(WireError::Io(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "plain text follows the SSLRequest",
                    )));
                }
                let encrypted = accept(identity, stream, false).await?;
                return startup_request(Wire::new(encrypted, MAX_BYTES_BEFORE_LOGIN, io_timeout), true).await;
            }
            (Some(FirstMessage::SslRequest | FirstMessage::GssEncRequest), _) => wire.byte(b'N').await?,
            (Some(first), _) => return Ok(Some(request_of(first, wire, false)?)),
        }
    }
    startup_request(wire, false).await
}

async fn accept(
    identity: &TlsIdentity,
    stream: Box<dyn Stream>,
    needs_alpn: bool,
) -> Result<Box<dyn Stream>, WireError> {
    let encrypted = identity.acceptor().accept(stream).await?;
    if needs_alpn && encrypted.get_ref().1.alpn_protocol() != Some(ALPN[0]) {
        return Err(WireError::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            "direct TLS needs the ALPN protocol postgresql",
        )));
    }
    Ok(Box::new(encrypted))
}

async fn startup_request(mut wire: Wire, is_encrypted: bool) -> Result<Option<StartupRequest>, WireError> {
    match wire.first().await? {
        None => Ok(None),
        Some(first) => request_of(first, wire, is_encrypted).map(Some),
    }
}

fn request_of(first: FirstMessage, wire: Wire, is_encrypted: bool) -> Result<StartupRequest, WireError> {
    match first {
        FirstMessage::CancelRequest { process, secret } => Ok(StartupRequest::Cancel { process, secret }),
        FirstMessage::Startup { minor, parameters } => {
            Ok(StartupRequest::Session { wire, is_encrypted, minor, parameters })
        }
        FirstMessage::SslRequest | FirstMessage::GssEncRequest => {
            Err(WireError::Io(io::Error::new(io::ErrorKind::InvalidData, "encryption was requested again")))
        }
    }
}
