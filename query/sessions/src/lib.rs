//! One row per session, kept up to date as events come.
//!
//! ```text
//! tables/events ─▶ rows since the last time ─▶ fold (one session, one event after the other) ─▶ tables/sessions
//!                                                │
//!                                                └▶ the same in memory, for who asks before it is written down
//! ```
//!
//! The rows are derived: they can be made anew from the events at any time, with the same result. Who maintains them reads
//! what it folds and holds keys; who archives events does not, and has nothing to do with it.

mod error;
mod event;
mod fold;
mod maintain;
mod projection;
mod state;

pub use error::SessionsError;
pub use maintain::{Maintainer, MaintainerSettings, Rebuilt, Round};
pub use projection::{Current, Projection};
