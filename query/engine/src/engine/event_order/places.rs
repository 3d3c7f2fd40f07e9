//! The order of a session's events.
//!
//! ```text
//! deliveries ─▶ the first of each event ─▶ by the clock of its topic partition ─▶ series by seq ─▶ places
//! ```
//!
//! Events stay in the order of delivery. Topic partitions are merged by their clocks: the clock of a partition follows its
//! offsets and never goes back. Events with a `seq` form series, the chat and each recording: the nth event of a series has
//! the nth place of its series.

use std::collections::{HashMap, HashSet};

/// What identifies an event: type, source and id.
pub(super) type Identity<'a> = [Option<&'a str>; 3];

/// One delivery of an event.
#[derive(Debug, Clone)]
pub(super) struct Delivery<'a> {
    pub(super) event: Identity<'a>,
    /// Its Kafka topic, partition and offset, which no other delivery has.
    pub(super) position: (&'a str, i64, i64),
    /// When it happened, in µs, as far as that is plausible.
    pub(super) time: i64,
    pub(super) seq: Option<i64>,
    pub(super) recording: Option<&'a str>,
}

/// The place of each delivery in the time line, counted from 1. `None` if it repeats an event.
pub(super) fn places(deliveries: &[Delivery<'_>]) -> Vec<Option<i64>> {
    let mut in_order: Vec<usize> = (0..deliveries.len()).collect();
    in_order.sort_unstable_by_key(|&index| deliveries[index].position);
    let mut seen = HashSet::new();
    in_order.retain(|&index| seen.insert(deliveries[index].event));

    let (mut clock, mut partition) = (i64::MIN, None);
    let mut clocked = Vec::with_capacity(in_order.len());
    for index in in_order {
        let Delivery { position: (topic, number, _), time, .. } = deliveries[index];
        if partition.replace((topic, number)) != Some((topic, number)) {
            clock = i64::MIN;
        }
        clock = clock.max(time);
        clocked.push((clock, index));
    }
    // Equal clocks stay in the order of their positions.
    clocked.sort_by_key(|&(clock, _)| clock);

    let mut places = vec![None; deliveries.len()];
    let mut series: HashMap<Option<&str>, Vec<(i64, usize)>> = HashMap::new();
    for (place, &(_, index)) in clocked.iter().enumerate() {
        let Delivery { seq, recording, .. } = deliveries[index];
        match seq {
            Some(seq) => series.entry(recording).or_default().push((seq, place)),
            None => places[index] = Some(counted(place)),
        }
    }
    for events in series.into_values() {
        let mut by_seq = events.clone();
        by_seq.sort_unstable();
        for ((_, place), (_, event)) in events.into_iter().zip(by_seq) {
            let (_, index) = clocked[event];
            places[index] = Some(counted(place));
        }
    }
    places
}

/// How often the event of each delivery was delivered.
pub(super) fn counts(events: &[Identity<'_>]) -> Vec<i64> {
    let mut counts: HashMap<&Identity<'_>, i64> = HashMap::new();
    events.iter().for_each(|event| *counts.entry(event).or_default() += 1);
    events.iter().map(|event| counts[event]).collect()
}

fn counted(place: usize) -> i64 {
    place as i64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    fn delivery<'a>(id: &'a str, topic: &'a str, offset: i64, time: i64) -> Delivery<'a> {
        let event = [Some("t"), Some("s"), Some(id)];
        Delivery { event, position: (topic, 0, offset), time, seq: None, recording: None }
    }

    fn with_seq(seq: i64, delivery: Delivery<'_>) -> Delivery<'_> {
        Delivery { seq: Some(seq), ..delivery }
    }

    fn ids(deliveries: &[Delivery<'_>]) -> String {
        let places = places(deliveries);
        let mut placed: Vec<_> = deliveries.iter().zip(places).filter_map(|(d, place)| Some((place?, d))).collect();
        placed.sort_by_key(|(place, _)| *place);
        placed.iter().filter_map(|(_, delivery)| delivery.event[2]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn topics_are_merged_by_clocks_that_never_go_back() {
        let deliveries = [
            delivery("b", "x", 1, 50),
            delivery("a", "x", 0, 100),
            delivery("c", "y", 0, 70),
            delivery("d", "y", 7, 120),
        ];
        assert_eq!(ids(&deliveries), "c a b d");
    }

    #[test]
    fn an_event_has_the_place_of_its_first_delivery() {
        let deliveries = [delivery("b", "x", 1, 5), delivery("a", "x", 2, 6), delivery("a", "x", 0, 4)];
        assert_eq!(ids(&deliveries), "a b");
        assert_eq!(places(&deliveries), [Some(2), None, Some(1)]);
        assert_eq!(counts(&deliveries.map(|delivery| delivery.event)), [1, 2, 2]);
    }

    #[test]
    fn series_are_in_the_order_of_seq_at_their_places() {
        let deliveries = [
            with_seq(2, delivery("chat2", "x", 0, 0)),
            delivery("left", "x", 1, 1),
            with_seq(1, delivery("chat1", "x", 2, 2)),
            Delivery { recording: Some("r"), ..with_seq(9, delivery("chunk9", "x", 3, 3)) },
            Delivery { recording: Some("r"), ..with_seq(0, delivery("chunk0", "x", 4, 4)) },
        ];
        assert_eq!(ids(&deliveries), "chat1 left chat2 chunk0 chunk9");
    }

    const NAMES: [&str; 4] = ["", "a", "b", "c"];

    proptest! {
        #[test]
        fn each_event_has_one_place_whatever_the_order_of_deliveries(
            raw in vec((0..4usize, 0..2usize, 0..2i64, -5..5i64, proptest::option::of(0..4i64), 0..3usize), 0..40),
            keys in vec(any::<u64>(), 40),
        ) {
            let deliveries: Vec<_> = raw.iter().enumerate().map(|(offset, &(id, topic, partition, time, seq, recording))| Delivery {
                event: [Some("t"), None, Some(NAMES[id])],
                position: (NAMES[topic], partition, offset as i64),
                time,
                seq,
                recording: (recording > 0).then_some(NAMES[recording]),
            }).collect();
            let found = places(&deliveries);
            let mut all: Vec<i64> = found.iter().copied().flatten().collect();
            all.sort_unstable();
            let events: HashSet<_> = deliveries.iter().map(|delivery| delivery.event).collect();
            prop_assert_eq!(all, (1..=events.len() as i64).collect::<Vec<_>>());
            // Of one partition and no series, events are in the order of delivery; of a series, in the order of seq.
            let placed: Vec<_> = deliveries.iter().zip(&found).filter_map(|(delivery, place)| Some((delivery, (*place)?))).collect();
            for (one, place) in &placed {
                for (other, later) in &placed {
                    let (same_partition, neither) =
                        (one.position.0 == other.position.0 && one.position.1 == other.position.1, one.seq.or(other.seq).is_none());
                    if same_partition && neither && one.position < other.position {
                        prop_assert!(place < later);
                    }
                    if let (Some(seq), Some(higher)) = (one.seq, other.seq)
                        && one.recording == other.recording && seq < higher
                    {
                        prop_assert!(place < later);
                    }
                }
            }
            let mut shuffled: Vec<usize> = (0..deliveries.len()).collect();
            shuffled.sort_by_key(|&index| keys[index]);
            let moved: Vec<_> = shuffled.iter().map(|&index| deliveries[index].clone()).collect();
            let again = places(&moved);
            shuffled.iter().zip(again).try_for_each(|(&index, place)| {
                prop_assert_eq!(found[index], place);
                Ok::<_, TestCaseError>(())
            })?;
        }
    }
}
