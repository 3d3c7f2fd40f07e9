//! Sealing merges the many small files of a closed date into few large ones, sorted by session and time, and its small
//! recording objects into large ones. Sweeping deletes what was merged, after a grace period.
//!
//! ```text
//! snapshot ─▶ plan: groups ─▶ merge: attested? decrypt, sort ─▶ join: recordings ─▶ put ─▶ lock ─▶ one commit, signed
//!                                                                                                    │ removes, adds
//! sweep: removed before the grace period began ─▶ delete objects, then files  ◀──────────────────────┘
//!        checkpoints of the Delta logs that newer ones superseded before it began ─▶ delete
//! ```
//!
//! Invariants:
//! - Rows do not change. The proof log names records and not files, so their attestation remains valid, and a
//!   verification before, during and after sealing finds the same.
//! - Damage is not sealed: a file must be the one that was attested, and a chunk must have the hash in its row.
//! - Readers see the files before or the file after, never both, never neither. A crash leaves objects that no row
//!   names.
//! - Archivers may commit during sealing, and several sealers may run: the first to commit wins, the others skip the
//!   group.
//!
//! The sealer needs the private keys of all three tiers. It is therefore a process of its own: the archiver has none.

mod commit;
mod expire;
mod history;
mod join;
mod merge;
mod outcome;
mod plan;
mod retention;
mod sealer;
mod settings;
mod sweep;

pub use commit::name_dead_letters;
pub use outcome::{Progress, Sealed, SkipReason, Skipped};
pub use retention::{Lock, LockMode, Retention, S3Retention};
pub use sealer::Sealer;
pub use settings::SealSettings;
pub use sweep::{Sweeper, Swept};
