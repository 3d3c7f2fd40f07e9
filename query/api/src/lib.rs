//! The archive over HTTP: SQL, the story of a session, reports, and the document that describes them.
//!
//! ```text
//! request ─▶ headers ─▶ interface ─▶ format ─▶ body ─▶ place among those that run ─▶ Reader ─▶ rows, streamed
//!            400, 431   401,    406       400,    429                           400, 403, 413, 5xx
//!                       403,              408,
//!                       429,              413,
//!                       503               415
//! ```
//!
//! Every answer that is not a success is a problem in the sense of RFC 9457 with a stable `reason`.
//!
//! Invariants:
//! - No statement is read and nothing is answered before the authenticator has let the sender in.
//! - Who goes away, stalls or cancels ends the statement.
//! - What a request may hold is bounded: headers, body, time, rows, and statements at once.

// The OpenAPI document is one expression.
#![recursion_limit = "512"]

mod answer;
mod authenticate;
mod body;
mod document;
mod format;
mod headers;
mod negotiate;
mod parameter;
mod problem;
mod refusal;
mod report;
mod routes;
mod running;
mod settings;
mod statement;

pub use report::{ReportArgument, ReportDescription, ReportProblem, ReportSource, ReportStatement};
pub use routes::router;
pub use settings::{ApiError, ApiSettings};
