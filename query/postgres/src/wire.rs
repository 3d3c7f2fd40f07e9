//! The bytes of one connection: messages in, messages out.
//!
//! Everything here may be dropped while it waits without anything being lost, so that a wait can be given up when a
//! statement is cancelled or the server stops.

use crate::frontend::{self, First, Malformed, Message};
use bytes::BytesMut;
use datafusion_postgres::pgwire::error::ErrorInfo;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::{ErrorResponse, NoticeResponse};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that are gathered before they are sent.
const GATHERED: usize = 64 << 10;
/// Messages that are read ahead while a statement runs.
const MOST_AHEAD: usize = 256;

/// The two directions of a connection, plain or encrypted.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("an answer could not be written down: {0}")]
    Encoding(String),
    #[error("the client takes nothing of its answer")]
    Stalled,
}

/// One connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    ahead: VecDeque<Message>,
    most: usize,
    stall: Duration,
}

impl Wire {
    /// A connection whose messages have at most `most` bytes, and whose client takes what is sent within `stall`.
    pub(crate) fn new(stream: Box<dyn Stream>, most: usize, stall: Duration) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new(), ahead: VecDeque::new(), most, stall }
    }

    /// From now on messages have at most `most` bytes.
    pub(crate) fn accept(&mut self, most: usize) {
        self.most = most;
    }

    /// The stream, and whether the client had sent something after its last message.
    pub(crate) fn into_stream(self) -> (Box<dyn Stream>, bool) {
        let has_more = !self.input.is_empty();
        (self.stream, has_more)
    }

    /// The first message; `None` when the client went away.
    pub(crate) async fn first(&mut self) -> Result<Option<First>, Broken> {
        loop {
            if let Some(first) = frontend::first(&mut self.input)? {
                return Ok(Some(first));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next message; `None` when the client went away.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Broken> {
        match self.ahead.pop_front() {
            Some(message) => Ok(Some(message)),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Option<Message>, Broken> {
        loop {
            if let Some(message) = frontend::message(&mut self.input, self.most)? {
                return Ok(Some(message));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits until the client goes away. What it sends meanwhile is kept for later, up to a bound; then nothing more is
    /// read, and that it went is seen when its answer cannot be sent.
    pub(crate) async fn gone(&mut self) -> Broken {
        while self.ahead.len() < MOST_AHEAD {
            match self.read().await {
                Ok(Some(Message::Terminate) | None) => return Broken::Io(io::ErrorKind::ConnectionAborted.into()),
                Ok(Some(message)) => self.ahead.push_back(message),
                Err(broken) => return broken,
            }
        }
        std::future::pending().await
    }

    /// Writes a message down; it is sent by [`Wire::flush`], or when much was gathered.
    pub(crate) async fn put(&mut self, message: PgWireBackendMessage) -> Result<(), Broken> {
        message.encode(&mut self.output).map_err(|error| Broken::Encoding(error.to_string()))?;
        if self.output.len() >= GATHERED { self.flush().await } else { Ok(()) }
    }

    /// Writes an error down.
    pub(crate) async fn error(&mut self, info: ErrorInfo) -> Result<(), Broken> {
        self.put(PgWireBackendMessage::ErrorResponse(ErrorResponse::from(info))).await
    }

    /// Writes a notice down.
    pub(crate) async fn notice(&mut self, info: ErrorInfo) -> Result<(), Broken> {
        self.put(PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info))).await
    }

    /// Sends one byte that is no message: the answer to the wish for encryption.
    pub(crate) async fn byte(&mut self, byte: u8) -> Result<(), Broken> {
        self.output.extend_from_slice(&[byte]);
        self.flush().await
    }

    /// Sends what was written down.
    pub(crate) async fn flush(&mut self) -> Result<(), Broken> {
        while !self.output.is_empty() {
            let written = tokio::time::timeout(self.stall, self.stream.write_buf(&mut self.output)).await;
            if written.map_err(|_| Broken::Stalled)?? == 0 {
                return Err(Broken::Io(io::ErrorKind::WriteZero.into()));
            }
        }
        let flushed = tokio::time::timeout(self.stall, self.stream.flush()).await;
        Ok(flushed.map_err(|_| Broken::Stalled)??)
    }

    /// Sends what was written down and ends the connection properly.
    pub(crate) async fn close(mut self) {
        // Whether it ends well makes no difference to anybody.
        if self.flush().await.is_ok() {
            let _ = tokio::time::timeout(self.stall, self.stream.shutdown()).await;
        }
    }
}
