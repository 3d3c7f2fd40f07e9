//! The table `sessions`: one row per session, updated as events arrive.
//!
//! ```text
//! tables/events ─▶ rows since the last round ─▶ fold (one session, one event after the other) ─▶ tables/sessions
//!                                                 │
//!                                                 └▶ the same in memory, for queries before it is written
//! ```
//!
//! The rows are derived: they can be rebuilt from the events at any time, with the same result. The maintainer reads
//! events, so it has keys. The archiver has none and does not maintain sessions.

mod error;
mod event;
mod fold;
mod maintain;
mod projection;
mod state;

pub use error::SessionsError;
pub use maintain::{Clock, Maintainer, MaintainerSettings, Rebuilt, Round};
pub use projection::{Current, Projection};
