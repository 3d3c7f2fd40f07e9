//! TLS: certificates as files that may change, and what the certificates of clients say.
//!
//! ```text
//! files ─▶ reload: a pair that fits, read again when it changes ─▶ identity: the configuration of handshakes
//!                                                                     └▶ certificate: channel binding, issuer, name
//! ```

mod certificate;
mod identity;
mod reload;

pub(crate) use certificate::name;
pub use identity::{TlsError, TlsIdentity};
pub use reload::{Tls, TlsFiles};
