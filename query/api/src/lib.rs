//! The archive over HTTP: SQL, the time line of a session, reports, and the OpenAPI document that describes them.
//!
//! ```text
//! request ─▶ headers ─▶ authenticate ─▶ format ─▶ body ─▶ registry of running statements ─▶ Reader ─▶ rows, streamed
//!            400, 431   401, 403,       406       400,    429                               400, 403, 413, 5xx
//!                       429, 503                  408,
//!                                                 413,
//!                                                 415
//! ```
//!
//! Every response that reports a failure is a problem (RFC 9457) with a stable `reason`.
//!
//! Invariants:
//! - No statement is read, and no data is returned, before the caller is authenticated.
//! - A statement ends when its client disconnects, stops reading or cancels it.
//! - A request is bounded: headers, body, time, rows, and concurrent statements.

// The OpenAPI document is one expression.
#![recursion_limit = "512"]

mod authenticate;
mod body;
mod document;
mod error_mapping;
mod format;
mod headers;
mod negotiate;
mod parameter;
mod problem;
mod report;
mod response;
mod routes;
mod running;
mod settings;
mod statement;

pub use report::{ReportArgument, ReportDescription, ReportProblem, ReportSource, ReportStatement};
pub use routes::router;
pub use settings::{ApiError, ApiSettings};
