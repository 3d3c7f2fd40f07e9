//! Trials of a running server: generated statements, kills of the process that answers them, and the worst statements that
//! its bounds allow, each while events are posted.
//!
//! ```text
//! Deployment: init or demo ─▶ users ─▶ holdfast serve ─┬─ query ◀── Client: HTTP or PostgreSQL, statements of `sql`
//!                                  metrics, processes ◀┤
//!                                                      └─ gateway ◀── Posting: a steady rate; 202 ─▶ how long until the
//!                                                         archive's own log is behind it, read from its files
//! ```
//!
//! `holdfast-bench` runs them at full length, the end-to-end tests in a short form.

mod client;
mod deployment;
mod hostile;
mod kills;
mod posting;
mod statements;

pub use deployment::{Deployment, DeploymentOptions};
pub use hostile::{HostileOptions, Pair, hostile};
pub use kills::{KillOptions, Kills, kills};
pub use posting::{Posted, percentile};
pub use statements::{StatementOptions, Statements, statements};
