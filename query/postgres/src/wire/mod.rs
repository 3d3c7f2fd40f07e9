//! The wire protocol: encryption, messages from bytes, and the buffered connection.
//!
//! ```text
//! negotiate: TLS or plain text, cancel or startup ─▶ stream: buffers, timeouts ─▶ frontend: messages from bytes
//! ```

mod frontend;
mod negotiate;
mod stream;
mod tls;

pub(crate) use frontend::{Bind, Malformed, Message, Name, Target};
pub(crate) use negotiate::{StartupRequest, negotiate};
pub(crate) use stream::{Wire, WireError};
pub use tls::{TlsError, TlsIdentity};
