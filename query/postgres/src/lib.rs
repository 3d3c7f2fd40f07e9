//! The archive over the PostgreSQL wire protocol: read-only, with SCRAM and TLS, for psql, ODBC, JDBC and whatever else
//! speaks it.
//!
//! ```text
//! server ─▶ negotiate (TLS?) ─▶ login (SCRAM, Authenticator) ─▶ connection ─▶ statements ─▶ Reader ─▶ rows
//!   │                             │ refused, and on record                    │ refused: writes, what is not served
//!   └ counts, supervises, drains  └▶ SQLSTATE 28xxx                           └▶ SQLSTATE
//! ```
//!
//! Invariants:
//! - Nothing is answered from the archive but through a [`holdfast_query::Reader`], whose looks are on record.
//! - Nothing is ever written: what would write is refused before anything is planned, and the Reader refuses it again.
//! - A server that was given a certificate never speaks plain text to other machines unless it was told to.
//! - Bytes of clients never panic anything, and what they claim to send is bounded before it is set aside for.

mod answer;
mod cancel;
mod catalog;
mod connection;
mod error;
mod extended;
mod frontend;
mod functions;
mod login;
mod negotiate;
mod parameters;
mod rows;
mod scram;
mod server;
mod session;
mod settings;
mod sqlstate;
mod statements;
mod tls;
mod variables;
mod wire;

pub use catalog::PostgresCatalog;
pub use error::PostgresError;
pub use server::serve;
pub use settings::PostgresSettings;
pub use tls::{TlsError, TlsIdentity};
