//! The proof log: every commit attests what it archives, and the attestation is integrated into a transparency log.
//!
//! ```text
//! archiver ─▶ attest: leaves in the commit of the Delta log, signed
//!                         └─▶ sequence: both Delta logs in one order that follows from them alone
//!                                 └─▶ integrate (one process at a time): tiles, checkpoint ─▶ witnesses, mirrors
//!                                         └─▶ verify, prove
//! ```
//!
//! Invariants:
//! - The leaves of the log and their order follow from the Delta logs. Integrating twice gives the same bytes.
//! - A leaf enters the log only under the signature of a trusted signing key.
//! - Leaves name records by their topic, partition and offset in Kafka, so they remain valid when files are merged.

pub(crate) mod attest;
pub(crate) mod entry;
pub(crate) mod integrate;
mod lease;
mod prove;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod sequence;

pub use attest::{Attestation, BatchTrees, file_digests, object_id};
pub use integrate::{IntegrateSettings, Integrated, Integrator, Mirror, Witness, WitnessResponse};
pub use prove::{ProveError, RecordPlace, prove};
pub use record::{ReadRecord, read_record};
