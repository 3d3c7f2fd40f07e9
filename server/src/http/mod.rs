//! HTTP/1.1 and HTTP/2, in the clear or over TLS.
//!
//! ```text
//! serve: accept, places, drain ─▶ connection: handshake, time-outs ─┬▶ requests: is one in progress, and since when not?
//!                                                                   ├▶ held_body: is an answer on its way, and taken?
//!                                                                   └▶ write_timeout: does the client read?
//! ```

mod connection;
mod held_body;
mod requests;
mod serve;
mod write_timeout;

pub use connection::ClientCertificate;
pub use serve::{HTTP_ALPN, ServeSettings, serve};

#[cfg(test)]
mod tests;
