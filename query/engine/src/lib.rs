//! SQL over the archive, with the keys of the caller.
//!
//! ```text
//!              ┌ catalog: one snapshot of the Delta log a statement; views as text
//! statement ───┤
//!   ─▶ plan ─▶ disclosure: what is done with columns that the caller's keys do not open? ── computed with ─▶ error
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

mod aggregates;
mod catalog;
mod disclosure;
mod error;
mod extension;
mod footer;
mod guard;
mod look;
mod membership;
mod memory;
mod names;
mod placeholders;
mod prune;
mod reader;
mod rights;
mod session;
mod sessions;
mod sight;
mod spill;
mod statement;
mod story;
mod subjects;
mod table;
mod turns;
mod views;

pub use error::QueryError;
pub use extension::Extension;
pub use footer::FooterCache;
pub use look::{Denial, Door, Ending, Kind, Look, LookId, Outcome, Recorder, Subjects, Unrecorded, Viewer};
pub use reader::{Doorkeeper, Limits, Looking, Permissions, Reader, Refused, Request, WithoutRecord};
pub use session::{
    DEFAULT_FOOTER_CACHE, DEFAULT_MEMORY_LIMIT, Description, QueryResult, Session, SessionOptions, Spill,
};
pub use sight::{Rows, Scope, Sight};
pub use statement::Notice;
pub use story::story;
