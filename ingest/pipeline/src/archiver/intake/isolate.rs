//! Reading of partitions in isolation, one after the other: while one is read in small units, the others are paused, so
//! that a death can only be due to it. See [`crate::archiver::isolation`].

use super::rebalance::Suspect;
use crate::archiver::isolation::Mark;
use crate::archiver::isolation::marks::Marks;
use holdfast_archive::log::TopicPartition;
use rdkafka::TopicPartitionList;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Without a message for this long, a partition that was read up to the end of its isolation has no more: what is left
/// to be archived are markers of transactions.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// The partitions that are or will be read in isolation.
pub(super) struct Isolation {
    marks: Marks,
    /// The first is the one that is read now.
    suspects: VecDeque<Suspect>,
    last_message: Instant,
}

impl Isolation {
    pub(super) fn new(marks: Marks) -> Self {
        Self { marks, suspects: VecDeque::new(), last_message: Instant::now() }
    }

    /// Begins with the partitions of a new assignment.
    pub(super) fn begin(&mut self, suspects: Vec<Suspect>) {
        self.suspects = suspects.into();
        self.enter();
    }

    /// The partition that is read in isolation.
    pub(super) fn active(&self) -> Option<&Suspect> {
        self.suspects.front()
    }

    /// The partitions of `list` that may be read.
    pub(super) fn readable(&self, list: TopicPartitionList) -> TopicPartitionList {
        let Some(active) = self.active() else { return list };
        let mut one = TopicPartitionList::new();
        for element in list.elements() {
            if element.topic() == active.partition.0 && element.partition() == active.partition.1 {
                one.add_partition(element.topic(), element.partition());
            }
        }
        one
    }

    pub(super) fn saw_message(&mut self) {
        self.last_message = Instant::now();
    }

    /// Ends the isolation of the active partition if it is archived up to `next` and that is far enough, or if it has
    /// no more messages: silence alone does not say so, because Kafka may be unreachable, but the consumer's `position`
    /// does. Returns whether it ended.
    pub(super) fn is_passed(
        &mut self,
        next: Option<i64>,
        position: impl FnOnce(&TopicPartition) -> Option<i64>,
    ) -> bool {
        let Some(active) = self.suspects.front() else { return false };
        let is_archived = next.is_none_or(|next| next >= active.until);
        if !is_archived {
            let is_silent = self.last_message.elapsed() >= MAX_IDLE;
            if !is_silent || position(&active.partition).is_none_or(|position| position < active.until) {
                return false;
            }
        }
        let (topic, partition) = &active.partition;
        tracing::info!(topic, partition, "the messages at which the process may have died are archived");
        let plain = Mark { next, deaths: 0, unit: None, is_running: true };
        self.marks.leave(vec![(active.partition.clone(), plain)]);
        self.suspects.pop_front();
        self.enter();
        true
    }

    /// Notes that the first partition is read in isolation from now on.
    fn enter(&mut self) {
        let Some(active) = self.suspects.front() else { return };
        let Mark { next, deaths, unit, .. } = &active.plan.mark;
        let (topic, partition) = &active.partition;
        tracing::error!(
            topic,
            partition,
            next,
            unit,
            deaths,
            "the process died here before; this partition is read alone, in small units"
        );
        self.marks.leave(vec![(active.partition.clone(), active.plan.mark.clone())]);
        self.last_message = Instant::now();
    }

    /// The partition whose next message is condemned: the active one, unless it is `archived` beyond that already.
    pub(super) fn condemned(&self, archived: impl FnOnce(&TopicPartition) -> Option<i64>) -> Option<TopicPartition> {
        let active = self.active().filter(|active| active.plan.is_condemned)?;
        (archived(&active.partition) == Some(active.from)).then(|| active.partition.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archiver::isolation::Plan;
    use holdfast_archive::{Archive, Location};
    use object_store::memory::InMemory;
    use std::sync::Arc;

    #[test]
    fn silence_ends_an_isolation_only_at_its_end() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _context = runtime.enter();
        let location = Location { url: "memory:///".parse().unwrap(), store: Arc::new(InMemory::new()) };
        let marks = Marks::new(Archive::new(location));
        let mut isolation = Isolation::new(marks.clone());
        let partition = ("t".to_owned(), 0);
        let mark = Mark { next: Some(5), deaths: 1, unit: Some(1), is_running: true };
        let plan = Plan { mark: mark.clone(), is_condemned: false };
        isolation.begin(vec![Suspect { partition: partition.clone(), plan, from: 5, until: 9 }]);
        assert!(!isolation.is_passed(Some(8), |_| Some(9)), "the silence is short");
        isolation.last_message = Instant::now().checked_sub(MAX_IDLE).unwrap();
        for unread in [None, Some(5), Some(8)] {
            assert!(!isolation.is_passed(Some(5), |_| unread), "Kafka may be unreachable");
        }
        assert_eq!(marks.read(std::slice::from_ref(&partition)).get(&partition), Some(&mark));
        assert!(isolation.is_passed(Some(8), |_| Some(9)));
        assert!(isolation.active().is_none());
        assert_eq!(marks.read(std::slice::from_ref(&partition))[&partition].unit, None);
    }
}
