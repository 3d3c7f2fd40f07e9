//! How far the partitions of this process are archived, known without reading the log.

use holdfast_archive::Advance;
use holdfast_archive::log::TopicPartition;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The next offset of each partition that is assigned to this process. An offset is that of the log, or 0 where the log
/// has none.
#[derive(Debug, Default)]
pub(super) struct Archived(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    partitions: BTreeMap<TopicPartition, i64>,
    is_standby: bool,
}

/// What this process has to archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Duty {
    /// These partitions, from these offsets on.
    Partitions(BTreeMap<TopicPartition, i64>),
    /// Nothing: other members of the group have all partitions.
    Standby,
    /// Nobody is known to have the partitions.
    Unknown,
}

impl Archived {
    /// Replaces the partitions.
    pub(super) fn begin(&self, partitions: impl IntoIterator<Item = (TopicPartition, i64)>) {
        *self.lock() = State { partitions: partitions.into_iter().collect(), is_standby: false };
    }

    /// Other members of the group have all partitions.
    pub(super) fn stand_by(&self) {
        self.lock().is_standby = true;
    }

    /// Moves offsets after a commit. A partition that was revoked meanwhile is left out.
    pub(super) fn advance(&self, advances: &[Advance]) {
        let mut state = self.lock();
        for Advance { topic, partition, next, .. } in advances {
            if let Some(archived) = state.partitions.get_mut(&(topic.clone(), *partition)) {
                *archived = (*archived).max(*next);
            }
        }
    }

    /// The next offset of a partition; `None` if it is not assigned.
    pub(super) fn next(&self, partition: &TopicPartition) -> Option<i64> {
        self.lock().partitions.get(partition).copied()
    }

    pub(super) fn duty(&self) -> Duty {
        let state = self.lock();
        match (state.partitions.is_empty(), state.is_standby) {
            (false, _) => Duty::Partitions(state.partitions.clone()),
            (true, true) => Duty::Standby,
            (true, false) => Duty::Unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so the state is whole even if a thread panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_partitions_advance_and_none_goes_back() {
        let at = |partition| ("t".to_owned(), partition);
        let advance = |partition, next| Advance { topic: "t".to_owned(), partition, expected: None, next };
        let archived = Archived::default();
        assert_eq!(archived.duty(), Duty::Unknown);
        archived.begin([(at(0), 5), (at(1), 7)]);
        archived.advance(&[advance(0, 9), advance(1, 6), advance(2, 3)]);
        assert_eq!((archived.next(&at(0)), archived.next(&at(1)), archived.next(&at(2))), (Some(9), Some(7), None));
        archived.begin([]);
        assert_eq!(archived.duty(), Duty::Unknown, "a new assignment ends the standby as well");
        archived.stand_by();
        assert_eq!(archived.duty(), Duty::Standby);
        archived.begin([(at(0), 0)]);
        assert_eq!(archived.duty(), Duty::Partitions([(at(0), 0)].into()));
    }
}
