//! The archive over the PostgreSQL wire protocol: read-only, with SCRAM and TLS, for psql, ODBC, JDBC and other clients.
//!
//! ```text
//! server ─▶ wire (TLS?) ─▶ login (SCRAM, Authenticator) ─▶ session ─▶ statements ─▶ Reader ─▶ values ─▶ rows
//!   │                        │ refused, and recorded                  │ refused: writes, unsupported statements
//!   └ limits, supervises,    └▶ SQLSTATE 28xxx                        └▶ SQLSTATE
//!     drains
//! ```
//!
//! Invariants:
//! - All data comes from a [`holdfast_query::Reader`], which records each access.
//! - Nothing is written: a statement that writes is refused before it is planned, and the Reader refuses it again.
//! - With `require_tls`, clients on other machines must use TLS.
//! - No bytes of a client cause a panic. A declared length is checked before memory is allocated for it.

mod catalog;
mod error;
mod login;
mod server;
mod session;
mod session_places;
mod settings;
mod sqlstate;
mod statements;
mod values;
mod variables;
mod wire;

pub use catalog::PostgresCatalog;
pub use error::PostgresError;
pub use server::serve;
pub use settings::PostgresSettings;
pub use wire::ALPN;
