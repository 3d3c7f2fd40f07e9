//! The wire protocol: encryption, messages from bytes, and the buffered connection.
//!
//! ```text
//! negotiate: TLS or plain text, cancel or startup ─▶ stream: buffers, timeouts ─▶ frontend: messages from bytes
//! ```

mod frontend;
mod negotiate;
mod stream;

pub(crate) use frontend::{Bind, Malformed, Message, Name, Target};
pub use negotiate::ALPN;
pub(crate) use negotiate::{StartupRequest, negotiate};
pub(crate) use stream::{Wire, WireError};
