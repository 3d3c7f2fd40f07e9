//! SQL over the archive, with the caller's keys.
//!
//! ```text
//! access      Authenticator ─▶ Reader: each access is recorded before it is granted
//!   │
//! engine      Session: statement ─▶ plan ─▶ lineage: a withheld column that is computed with ─▶ error
//!   │                               ─▶ optimize ─▶ wait for a permit ─▶ rows, a stream
//!   │
//! catalog     one snapshot of the Delta log for each statement; tables, views, schemas of extensions
//!   │
//! scan        prune files ─▶ Parquet scan (footers from the cache); withheld columns are NULL ─▶ notices
//!   │
//! visibility  tiers, row scope and column lineage
//! ```
//!
//! Each folder imports only folders below it. `error`, `bound` and `statement_memory` are below all of
//! them.
//!
//! Invariants:
//! - A column of a tier whose key the caller lacks is NULL and named in a notice, or the statement is refused with the
//!   column's name. No expression computes with it, so no result is silently wrong.
//! - A decrypted footer is returned only to callers whose own keys open what is in it.
//! - The log selects files. Results come from the files, which are authenticated. A file that is stored under another
//!   file's name is refused.
//! - Statements write nothing. What does not fit in memory is refused, or spilled to encrypted files.

mod access;
mod bound;
mod catalog;
mod engine;
mod error;
mod scan;
mod statement_memory;
mod visibility;

pub use access::{
    AccessEnd, AccessId, AccessInProgress, AccessKind, AccessRecord, Account, AccountChanged, AuditTrail,
    AuthenticatedUser, AuthenticationError, Authenticator, Denial, Interface, Limits, Outcome, Permissions, Reader,
    Request, ScramAttempt, ScramFailure, WithoutRecord,
};
pub use bound::{Bound, STATEMENT_BYTES};
pub use engine::{
    DEFAULT_FOOTER_CACHE, DEFAULT_MEMORY_LIMIT, Description, Extension, QueryResult, Session, SessionOptions, Spill,
    StatementRuntime, TYPE_KEY, check_bounds, timeline,
};
pub use error::{QueryError, StatementError, Unrecorded};
pub use holdfast_dialect::{name_columns, shown_batch, shown_values};
pub use scan::{FooterCache, Notice, Reads, Subjects};
pub use visibility::{Rows, Scope, Visibility};
