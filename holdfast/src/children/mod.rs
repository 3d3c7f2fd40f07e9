//! Roles in processes of their own: what reads the archive with private keys runs beside the process that takes events
//! in, and cannot stop it.
//!
//! ```text
//! parent: gateway, archiver, broker                  child: `holdfast serve --roles ROLE --child`, one for each role
//!   process ──spawn at a lower priority, and again──▶ own_process ─▶ the first to end when memory runs out
//!      │    ◀─standard output: a report a second───── link ◀── readiness, metrics, addresses
//!      │    ──standard input: "stop", or its end────▶ link ──▶ an orderly stop, or an exit at once
//!      └──▶ memory_groups: a limit that the system enforces, else
//!           memory: the resident size against the limit
//! ```
//!
//! - A child's end is logged, told by `/readyz` and counted. It ends nothing else.
//! - A child does not outlive its parent: when the pipe ends without "stop", the parent has died.
//! - The parent loads no private key, not even to decide which roles it has.

mod backoff;
mod link;
mod memory;
mod memory_groups;
mod own_process;
mod process;
mod report;

pub(crate) use link::Link;
pub(crate) use memory::{MemoryWatch, resident};
pub(crate) use memory_groups::MemoryGroups;
pub(crate) use own_process::end_first_without_memory;
pub(crate) use process::{ChildProcess, ChildReports, ChildSettings};
pub(crate) use report::Addresses;
