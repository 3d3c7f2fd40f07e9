//! Servers for clients that nobody has checked yet: connections within limits, TLS whose files may change, and HTTP.
//!
//! ```text
//! accept ─▶ a place, in all and for the address? ─no─▶ closed
//!    └─yes─▶ TLS handshake, if there is a certificate ─▶ HTTP/1.1 or HTTP/2 ─▶ router
//!                 ▲                                        └ the first request in time, or closed
//!                 └── certificate and key, read again when their files change
//! ```
//!
//! Invariants:
//! - Who says nothing or reads nothing holds a place for a limited time, and who opens many connections takes those of one
//!   address only.
//! - A server with a certificate never answers in the clear.
//! - A certificate and its key come into force together, or not at all.

mod http;
mod places;
mod tls;

pub use http::{ClientCertificate, HTTP_ALPN, ServeSettings, serve};
pub use places::{Hold, Place, Places};
pub use tls::{Tls, TlsError, TlsFiles, TlsIdentity};
