//! The first words of a connection: encryption, and what the client wants.
//!
//! ```text
//! TLS at once ──────────────┐
//! "TLS?" ─▶ S ─▶ handshake ─┴─▶ startup, or cancel
//!        └▶ N ─▶ in plain text ─▶ startup, or cancel
//! ```
//!
//! Invariant: what came in plain text before a handshake is never taken for what came after it. A client that has sent
//! more than its wish for TLS is refused, for somebody between may have put it there.

use crate::frontend::First;
use crate::tls::{ALPN, TlsIdentity};
use crate::wire::{Broken, Stream, Wire};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// Bytes of a message before a user was let in.
const MOST_BEFORE_LOGIN: usize = 16 << 10;

/// What the client wants.
pub(crate) enum Wish {
    Cancel { process: i32, secret: Bytes },
    Session { wire: Wire, is_encrypted: bool, minor: u16, parameters: BTreeMap<String, String> },
}

/// Speaks with a client until it is known what it wants; `None` when it went away.
pub(crate) async fn negotiate(
    stream: TcpStream,
    tls: Option<&TlsIdentity>,
    stall: Duration,
) -> Result<Option<Wish>, Broken> {
    let mut first_byte = [0];
    if stream.peek(&mut first_byte).await? == 0 {
        return Ok(None);
    }
    if first_byte[0] == HANDSHAKE {
        let Some(identity) = tls else {
            return Err(Broken::Io(io::Error::new(io::ErrorKind::InvalidData, "TLS is not set up")));
        };
        let encrypted = accept(identity, Box::new(stream), true).await?;
        return wish(Wire::new(encrypted, MOST_BEFORE_LOGIN, stall), true).await;
    }
    let mut wire = Wire::new(Box::new(stream), MOST_BEFORE_LOGIN, stall);
    // Each wish at most once, so that nobody asks for ever.
    for _ in 0..2 {
        match (wire.first().await?, tls) {
            (None, _) => return Ok(None),
            (Some(First::Tls), Some(identity)) => {
                wire.byte(b'S').await?;
                let (stream, has_more) = wire.into_stream();
                if has_more {
                    return Err(Broken::Io(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "plain text follows the wish for TLS",
                    )));
                }
                let encrypted = accept(identity, stream, false).await?;
                return wish(Wire::new(encrypted, MOST_BEFORE_LOGIN, stall), true).await;
            }
            (Some(First::Tls | First::Gss), _) => wire.byte(b'N').await?,
            (Some(first), _) => return Ok(Some(wished(first, wire, false)?)),
        }
    }
    wish(wire, false).await
}

async fn accept(identity: &TlsIdentity, stream: Box<dyn Stream>, needs_alpn: bool) -> Result<Box<dyn Stream>, Broken> {
    let encrypted = TlsAcceptor::from(identity.config.clone()).accept(stream).await?;
    if needs_alpn && encrypted.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(Broken::Io(io::Error::new(io::ErrorKind::InvalidData, "TLS at once needs the ALPN postgresql")));
    }
    Ok(Box::new(encrypted))
}

async fn wish(mut wire: Wire, is_encrypted: bool) -> Result<Option<Wish>, Broken> {
    match wire.first().await? {
        None => Ok(None),
        Some(first) => wished(first, wire, is_encrypted).map(Some),
    }
}

fn wished(first: First, wire: Wire, is_encrypted: bool) -> Result<Wish, Broken> {
    match first {
        First::Cancel { process, secret } => Ok(Wish::Cancel { process, secret }),
        First::Startup { minor, parameters } => Ok(Wish::Session { wire, is_encrypted, minor, parameters }),
        First::Tls | First::Gss => {
            Err(Broken::Io(io::Error::new(io::ErrorKind::InvalidData, "encryption was asked for again")))
        }
    }
}
