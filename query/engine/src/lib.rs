//! SQL over the archive, with the keys of the caller.
//!
//! ```text
//!              ┌ catalog: one snapshot of the Delta log a statement; views as text
//! statement ───┤
//!   ─▶ plan ─▶ lineage: what is done with columns that the caller's keys do not open? ── computed with ─▶ error
//!   ─▶ optimise ─▶ table.scan: prune files ─▶ Parquet scan (footers from the cache) ─▶ rows, a stream
//!                                              withheld columns are NULL ─▶ notices
//! ```
//!
//! Invariants:
//! - A column of a tier whose key the caller lacks is NULL and named in a notice, or the statement is refused with its
//!   name. It is never computed with, so no answer is silently wrong.
//! - A decrypted footer is given only to callers whose own keys open what is in it.
//! - Files are chosen by the log; what is answered comes from the files, which are authenticated. A file that stands
//!   under another's name is refused.
//! - Nothing is written: statements only read, and what does not fit in memory is refused or spilled encrypted.

mod access_record;
mod admission;
mod aggregates;
mod catalog;
mod error;
mod extension;
mod footer;
mod lineage;
mod membership;
mod memory;
mod metadata;
mod placeholders;
mod prune;
mod reader;
mod row_security;
mod session;
mod sessions;
mod spill;
mod subjects;
mod table;
mod tier_access;
mod timeline;
mod trace;
mod views;
mod visibility;

pub use access_record::{
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Interface, Outcome, Subjects,
    Unrecorded,
};
pub use error::QueryError;
pub use extension::Extension;
pub use footer::FooterCache;
pub use reader::{
    AccessInProgress, AuthenticationError, Authenticator, Limits, Permissions, Reader, Request, WithoutRecord,
};
pub use session::{
    DEFAULT_FOOTER_CACHE, DEFAULT_MEMORY_LIMIT, Description, QueryResult, Session, SessionOptions, Spill,
};
pub use timeline::timeline;
pub use trace::Notice;
pub use visibility::{Rows, Scope, Visibility};
