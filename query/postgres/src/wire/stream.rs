//! One connection: messages in, messages out.
//!
//! Every future here is cancel safe: dropping it loses no bytes. So a wait can end when a statement is cancelled or the server
//! stops.

use super::frontend::{self, FirstMessage, Malformed, Message};
use bytes::BytesMut;
use datafusion_postgres::pgwire::error::ErrorInfo;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::{ErrorResponse, NoticeResponse};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The bytes of output that are buffered before they are sent.
const OUTPUT_BUFFER_BYTES: usize = 64 << 10;
/// The most messages that are read while a statement runs, and the bytes after which none is read. So at most these bytes and one
/// message are held.
const MAX_READ_AHEAD: usize = 256;
const MAX_READ_AHEAD_BYTES: usize = 256 << 10;
/// The time in which a client that was told why its session ends must have sent its last bytes.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// The two directions of a connection, plain or encrypted.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("a message could not be encoded: {0}")]
    Encoding(String),
    #[error("the client does not read its response")]
    Stalled,
}

/// One connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// Messages that were read ahead, with their bytes.
    ahead: VecDeque<(Message, usize)>,
    ahead_bytes: usize,
    max_message_bytes: usize,
    io_timeout: Duration,
}

impl Wire {
    /// A connection whose messages have at most `max_message_bytes`, and whose client reads each write within `io_timeout`.
    pub(crate) fn new(stream: Box<dyn Stream>, max_message_bytes: usize, io_timeout: Duration) -> Self {
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { stream, input, output, ahead: VecDeque::new(), ahead_bytes: 0, max_message_bytes, io_timeout }
    }

    /// Sets the limit of the following messages.
    pub(crate) fn set_max_message_bytes(&mut self, max_message_bytes: usize) {
        self.max_message_bytes = max_message_bytes;
    }

    /// The stream, and whether unread bytes followed the last message.
    pub(crate) fn into_stream(self) -> (Box<dyn Stream>, bool) {
        let has_more = !self.input.is_empty();
        (self.stream, has_more)
    }

    /// The first message; `None` if the client disconnected.
    pub(crate) async fn first(&mut self) -> Result<Option<FirstMessage>, WireError> {
        loop {
            if let Some(first) = frontend::first(&mut self.input)? {
                return Ok(Some(first));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next message; `None` if the client disconnected.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, WireError> {
        match self.ahead.pop_front() {
            Some((message, bytes)) => {
                self.ahead_bytes -= bytes;
                Ok(Some(message))
            }
            None => Ok(self.read().await?.map(|(message, _)| message)),
        }
    }

    /// A message and its bytes.
    async fn read(&mut self) -> Result<Option<(Message, usize)>, WireError> {
        loop {
            let before = self.input.len();
            if let Some(message) = frontend::message(&mut self.input, self.max_message_bytes)? {
                return Ok(Some((message, before - self.input.len())));
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits until the client disconnects. Messages that arrive meanwhile are kept, up to [`MAX_READ_AHEAD`] and
    /// [`MAX_READ_AHEAD_BYTES`]. After that nothing is read, and a disconnect is noticed when a write fails.
    pub(crate) async fn disconnected(&mut self) -> WireError {
        while self.ahead.len() < MAX_READ_AHEAD && self.ahead_bytes < MAX_READ_AHEAD_BYTES {
            match self.read().await {
                Ok(Some((Message::Terminate, _)) | None) => {
                    return WireError::Io(io::ErrorKind::ConnectionAborted.into());
                }
                Ok(Some((message, bytes))) => {
                    self.ahead_bytes += bytes;
                    self.ahead.push_back((message, bytes));
                }
                Err(error) => return error,
            }
        }
        std::future::pending().await
    }

    /// Buffers a message. [`Wire::flush`] sends it, or a full buffer.
    pub(crate) async fn put(&mut self, message: PgWireBackendMessage) -> Result<(), WireError> {
        if self.buffer(message)? { self.flush().await } else { Ok(()) }
    }

    /// Buffers a message and sends nothing. Returns whether the buffer is full: then the caller flushes it.
    pub(crate) fn buffer(&mut self, message: PgWireBackendMessage) -> Result<bool, WireError> {
        message.encode(&mut self.output).map_err(|error| WireError::Encoding(error.to_string()))?;
        Ok(self.output.len() >= OUTPUT_BUFFER_BYTES)
    }

    /// Buffers an error.
    pub(crate) async fn error(&mut self, info: ErrorInfo) -> Result<(), WireError> {
        self.put(PgWireBackendMessage::ErrorResponse(ErrorResponse::from(info))).await
    }

    /// Buffers a notice.
    pub(crate) async fn notice(&mut self, info: ErrorInfo) -> Result<(), WireError> {
        self.put(PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info))).await
    }

    /// Sends one byte: the response to a request for encryption.
    pub(crate) async fn byte(&mut self, byte: u8) -> Result<(), WireError> {
        self.output.extend_from_slice(&[byte]);
        self.flush().await
    }

    /// Sends the buffered messages.
    pub(crate) async fn flush(&mut self) -> Result<(), WireError> {
        while !self.output.is_empty() {
            let written = tokio::time::timeout(self.io_timeout, self.stream.write_buf(&mut self.output)).await;
            if written.map_err(|_| WireError::Stalled)?? == 0 {
                return Err(WireError::Io(io::ErrorKind::WriteZero.into()));
            }
        }
        let flushed = tokio::time::timeout(self.io_timeout, self.stream.flush()).await;
        Ok(flushed.map_err(|_| WireError::Stalled)??)
    }

    /// Sends the buffered messages and shuts the connection down.
    pub(crate) async fn close(mut self) {
        // The connection ends in any case.
        let _ = self.shut_down().await;
    }

    /// Sends the error that ends the session, and closes the connection.
    ///
    /// What the client is still sending is read and dropped first, for up to [`LINGER_TIMEOUT`]: a socket that is closed with
    /// unread bytes resets the connection, and the client then loses the error as well (RFC 1122, section 4.2.2.13).
    pub(crate) async fn close_with(mut self, info: ErrorInfo) -> Result<(), WireError> {
        self.error(info).await?;
        self.shut_down().await?;
        // Nobody waits for this, and how it ends means nothing.
        let _ = tokio::time::timeout(LINGER_TIMEOUT, tokio::io::copy(&mut self.stream, &mut tokio::io::sink())).await;
        Ok(())
    }

    async fn shut_down(&mut self) -> Result<(), WireError> {
        self.flush().await?;
        let shut_down = tokio::time::timeout(self.io_timeout, self.stream.shutdown()).await;
        Ok(shut_down.map_err(|_| WireError::Stalled)??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    /// A statement of `bytes` bytes as a message.
    fn statement(bytes: usize) -> Vec<u8> {
        let mut message = vec![b'Q'];
        message.extend_from_slice(&(bytes as u32 + 5).to_be_bytes());
        message.extend(std::iter::repeat_n(b'x', bytes));
        message.push(0);
        message
    }

    /// How many of the messages are read while a statement runs; all of them can be read afterwards.
    async fn read_ahead(messages: usize, bytes: usize) -> usize {
        let (mut client, server) = tokio::io::duplex(messages * (bytes + 6) + 1);
        let mut wire = Wire::new(Box::new(server), 1 << 20, Duration::from_secs(60));
        for _ in 0..messages {
            client.write_all(&statement(bytes)).await.unwrap();
        }
        // The client stays connected. Dropping the wait loses nothing.
        for _ in 0..1000 {
            assert!(wire.disconnected().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        let ahead = wire.ahead.len();
        for _ in 0..messages {
            assert_eq!(wire.next().await.unwrap(), Some(Message::Query("x".repeat(bytes))));
        }
        assert_eq!(wire.ahead_bytes, 0);
        ahead
    }

    #[tokio::test]
    async fn what_is_read_ahead_is_bounded_by_number_and_by_bytes() {
        assert_eq!(read_ahead(10, 10).await, 10);
        assert_eq!(read_ahead(300, 10).await, MAX_READ_AHEAD);
        // 64 KiB with the type and the length: the fourth is within the bound, and reaches it.
        assert_eq!(read_ahead(20, 64 << 10).await, 4);
        assert_eq!(read_ahead(3, 600 << 10).await, 1);
    }
}
