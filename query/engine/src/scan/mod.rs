//! Table scans for one statement of one caller.
//!
//! ```text
//! RowSecurityTable (rows of the caller's sessions) ─▶ SessionsTable (base files and overlay) ─▶ ArchiveTable (files)
//!                                                                                             │
//!      StatementTrace ◀── files and their tiers, Reads, subjects ── prune ─▶ Parquet scan ─▶ SegmentReaders ─▶ FooterCache
//! ```

mod context;
mod fetched;
mod footer;
mod layout;
mod membership;
mod project;
mod prune;
mod reads;
mod row_security;
mod segment;
mod sessions;
mod source;
mod subjects;
mod table;
mod trace;

pub(crate) use context::ScanContext;
pub use footer::FooterCache;
pub(crate) use layout::tier_of;
pub(crate) use membership::Ids;
pub use reads::Reads;
pub(crate) use row_security::RowSecurityTable;
pub(crate) use sessions::{AGENTS, PORTAL, SESSION, SessionsTable};
pub(crate) use source::archive_table;
pub(crate) use table::{ArchiveTable, STORE_URL};
pub(crate) use trace::StatementTrace;
pub use trace::{Notice, Subjects};
