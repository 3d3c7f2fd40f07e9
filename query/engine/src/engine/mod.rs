//! Plans and executes statements with DataFusion.
//!
//! ```text
//! SessionOptions ─▶ Session ─▶ parse ─▶ read only? ─▶ lineage ─▶ inline views ─▶ optimize ─▶ Planned
//!                                                                                    │ first row is requested
//!                                                            Admission (a permit) ◀──┴──▶ execute ─▶ QueryResult
//! ```

mod admission;
mod aggregates;
mod extension;
mod memory;
mod options;
mod placeholders;
mod planned;
mod read_only;
mod result;
mod session;
mod setup;
mod spill;
mod timeline;

pub use extension::Extension;
pub use options::{DEFAULT_FOOTER_CACHE, DEFAULT_MEMORY_LIMIT, SessionOptions, Spill};
pub(crate) use planned::Planned;
pub use result::{Description, QueryResult};
pub use session::Session;
pub(crate) use timeline::TIMELINE;
pub use timeline::timeline;
