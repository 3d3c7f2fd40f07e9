//! The proof log: what is archived is attested in the commit that archives it, and integrated into a transparency log.
//!
//! ```text
//! archiver ─▶ attest: leaves in the commit of the Delta log, signed
//!                         └─▶ sequence: both Delta logs in one order that follows from them alone
//!                                 └─▶ integrate (one process at a time): tiles, checkpoint ─▶ witnesses, mirrors
//!                                         └─▶ verify, prove
//! ```
//!
//! Invariants:
//! - Which leaves the log has, and in which order, follows from the Delta logs. Integrating twice gives the same bytes.
//! - A leaf enters the log only under the signature of whoever holds the signing key.
//! - Leaves speak of records by their place in Kafka, and so stay true when files are merged.

pub(crate) mod attest;
pub(crate) mod entry;
pub(crate) mod integrate;
mod lease;
mod prove;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod sequence;

pub use attest::{Attestation, BatchTrees, file_digests, object_id};
pub use integrate::{IntegrateSettings, Integrated, Integrator, Mirror, Witness, WitnessAnswer};
pub use prove::{ProveError, RecordPlace, prove};
pub use record::{ReadRecord, read_record};
