//! What a commit changes, and the check that it starts from the offsets that the log has.

use super::snapshot::{DataFile, TopicPartition};
use crate::error::CommitError;
use crate::proof::attest::Attestation;
use crate::segment::Segment;
use std::collections::BTreeMap;

/// How far a commit moves the offset of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset that the log must have now; `None` when the log must have none.
    pub expected: Option<i64>,
    /// The next offset after the commit.
    pub next: i64,
}

/// What a commit does, all of it or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Change<'c> {
    /// Files that were put and become visible.
    pub segments: &'c [Segment],
    /// Files that are removed from the table. Each must still be part of it; otherwise another writer was first.
    pub removed: &'c [DataFile],
    /// How far offsets move.
    pub advances: &'c [Advance],
    /// Unique to what is committed. A commit that is tried again after an error must have the same id, and is then made
    /// once.
    pub commit_id: &'c str,
    /// What is attested of it.
    pub attestation: Option<&'c Attestation>,
}

/// Refuses advances that do not start from the offsets of the log.
pub(super) fn check_offsets(offsets: &BTreeMap<TopicPartition, i64>, advances: &[Advance]) -> Result<(), CommitError> {
    for advance in advances {
        let found = offsets.get(&(advance.topic.clone(), advance.partition)).copied();
        if found != advance.expected {
            return Err(CommitError::Fenced {
                topic: advance.topic.clone(),
                partition: advance.partition,
                expected: advance.expected,
                found,
            });
        }
    }
    Ok(())
}
