use super::*;
use proptest::prelude::*;

fn event<'a>(id: &'a str, event_type: &'a str, partition: i32, offset: i64) -> EventRow<'a> {
    EventRow {
        id,
        source: "s",
        event_type,
        subject: "S-1",
        time: Some(0),
        filed: 0,
        topic: "t",
        partition,
        offset,
        ticket: None,
        agent: None,
        portal: None,
        customer: None,
        mode: None,
        queue: None,
        rating: None,
        resolved: None,
        resolution: None,
        ended_by: None,
        duration: None,
        waited: None,
        recording: None,
        operational: None,
        feedback: None,
    }
}

#[test]
fn a_duplicate_changes_nothing() {
    let mut fold = Fold::default();
    fold.apply(&EventRow { rating: Some(2), ..event("1", "survey.submitted", 0, 1) });
    let once = fold.clone();
    assert!(!fold.apply(&EventRow {
        rating: Some(5),
        time: Some(9),
        filed: 9,
        ..event("1", "survey.submitted", 0, 2)
    }));
    assert_eq!(fold, once);
    fold.apply(&EventRow { rating: Some(5), ..event("2", "survey.submitted", 0, 3) });
    assert_eq!((fold.rating(), fold.counts.events), (Some(5), 2));
}

#[test]
fn the_boundaries_of_ids_and_sources_are_part_of_the_hash() {
    assert_ne!(short_hash(&["a", "bc"]), short_hash(&["ab", "c"]));
    assert!(short_hash(&["a", "b"]) < 1 << 48);
}

/// A source that uses one id for two events violates CloudEvents. Both events count nevertheless.
#[test]
fn an_id_of_another_event_type_is_not_a_duplicate() {
    let mut fold = Fold::default();
    fold.apply(&event("1", "session.started", 0, 1));
    fold.apply(&event("1", "session.ended", 0, 2));
    assert_eq!((fold.counts.events, fold.state()), (2, Some("ended")));
}

#[test]
fn durations_are_computed_from_times_if_no_event_has_them() {
    let mut fold = Fold::default();
    fold.apply(&EventRow { time: Some(10_000_000), ..event("1", "session.started", 0, 1) });
    fold.apply(&EventRow { time: Some(4_000_000), ..event("2", "session.requested", 0, 2) });
    fold.apply(&EventRow { time: Some(70_500_000), ..event("3", "session.ended", 0, 3) });
    assert_eq!((fold.waited(), fold.handled(), fold.state()), (Some(6.0), Some(60.5), Some("ended")));
    fold.apply(&EventRow { waited: Some(7.0), ..event("4", "session.started", 0, 4) });
    fold.apply(&EventRow { duration: Some(61.0), ..event("5", "session.ended", 0, 5) });
    assert_eq!((fold.waited(), fold.handled()), (Some(7.0), Some(61.0)));
}

#[test]
fn an_implausible_time_is_unknown_and_its_event_has_happened() {
    let mut fold = Fold::default();
    let odd = |id, event_type, filed| EventRow { time: None, filed, ..event(id, event_type, 0, filed) };
    fold.apply(&odd("1", "session.requested", 10));
    assert_eq!((fold.requested_at.time(), fold.state()), (None, Some("requested")));
    fold.apply(&odd("2", "session.queued", 11));
    fold.apply(&odd("3", "session.started", 12));
    fold.apply(&odd("4", "session.ended", 13));
    assert_eq!((fold.queued_at.time(), fold.started_at.time(), fold.ended_at.time()), (None, None, None));
    assert_eq!((fold.waited(), fold.handled(), fold.state()), (None, None, Some("ended")));
    // When they arrived is known.
    assert_eq!((fold.filed, fold.first_time, fold.last_time), (Some(10), Some(10), Some(13)));
    // Of several, those whose time is plausible count, in any order.
    for (id, event_type, time) in [("5", "session.started", 1_000_000), ("6", "session.ended", 3_000_000)] {
        fold.apply(&EventRow { time: Some(time), filed: time, ..event(id, event_type, 0, time) });
    }
    fold.apply(&odd("7", "session.started", 4_000_000));
    fold.apply(&odd("8", "session.ended", 4_000_000));
    assert_eq!((fold.started_at.time(), fold.ended_at.time()), (Some(1_000_000), Some(3_000_000)));
    assert_eq!(fold.handled(), Some(2.0));
}

#[test]
fn a_duration_below_zero_is_none() {
    let at = |id, event_type, time| EventRow { time: Some(time), ..event(id, event_type, 0, time) };
    // Three clocks: requested at 12 s, started at 11 s, ended at 10 s.
    let mut fold = Fold::default();
    fold.apply(&at("1", "session.requested", 12_000_000));
    fold.apply(&at("2", "session.started", 11_000_000));
    fold.apply(&at("3", "session.ended", 10_000_000));
    assert_eq!((fold.waited(), fold.handled()), (None, None));
    // What events say counts, if it can be.
    let mut fold = Fold::default();
    fold.apply(&EventRow { waited: Some(-30.0), ..at("1", "session.started", 1_000_000) });
    fold.apply(&EventRow { duration: Some(-120.0), ..at("2", "session.ended", 3_000_000) });
    assert_eq!((fold.waited(), fold.handled()), (None, Some(2.0)));
    fold.apply(&EventRow { waited: Some(0.0), ..at("3", "session.started", 4_000_000) });
    fold.apply(&EventRow { duration: Some(0.0), ..at("4", "session.ended", 5_000_000) });
    assert_eq!((fold.waited(), fold.handled()), (Some(0.0), Some(0.0)));
}

#[test]
fn times_at_both_ends_do_not_overflow() {
    let mut fold = Fold::default();
    fold.apply(&EventRow { time: Some(i64::MIN + 1), filed: i64::MIN, ..event("1", "session.started", 0, 1) });
    fold.apply(&EventRow { time: Some(i64::MAX - 1), filed: i64::MAX, ..event("2", "session.ended", 0, 2) });
    assert_eq!((fold.handled(), fold.first_time, fold.last_time), (None, Some(i64::MIN), Some(i64::MAX)));
}

/// The bytes of folds that other versions wrote are read as they were meant.
#[test]
fn times_have_the_bytes_that_they_had_as_plain_numbers() {
    for time in [None, Some(-5), Some(1_769_851_800_000_000)] {
        let plain = postcard::to_extend(&time, Vec::new()).unwrap();
        assert_eq!(postcard::to_extend(&Earliest(time), Vec::new()).unwrap(), plain);
        assert_eq!(postcard::from_bytes::<Latest>(&plain).unwrap(), Latest(time));
    }
}

const TYPES: [&str; 9] = [
    "session.requested",
    "session.queued",
    "session.started",
    "session.transferred",
    "session.ended",
    "session.abandoned",
    "chat.line",
    "survey.submitted",
    "recording.started",
];
const WORDS: [&str; 3] = ["x", "y", "z"];

/// An event as small numbers: type, partition, time, and a bit for each field that it has.
type Drawn = (usize, i32, i64, u16);

fn drawn(number: usize, offset: i64, (kind, partition, time, fields): Drawn, ids: &[String]) -> EventRow<'_> {
    let word = |bit: u16| (fields & 1 << bit != 0).then(|| WORDS[number % 3]);
    EventRow {
        time: (fields & 1 << 10 == 0).then_some(time),
        filed: time,
        ticket: word(0),
        agent: word(1),
        portal: word(2),
        customer: word(3),
        mode: word(4),
        resolution: word(5),
        recording: word(6),
        rating: word(7).map(|_| number as i32 % 5 + 1),
        duration: word(8).map(|_| number as f64),
        feedback: word(9).map(|_| format!("f{number}")),
        ..event(&ids[number], TYPES[kind], partition, offset)
    }
}

proptest! {
    /// Partitions are read in parallel: the session is the same for every interleaving of their events.
    #[test]
    fn the_interleaving_of_partitions_does_not_matter(
        events in prop::collection::vec((0usize..9, 0i32..3, 0i64..100, any::<u16>()), 1..30),
        order in any::<u64>(),
    ) {
        let ids: Vec<String> = (0..events.len()).map(|number| number.to_string()).collect();
        let rows: Vec<EventRow<'_>> = events.iter().enumerate().map(|(n, event)| drawn(n, n as i64, *event, &ids)).collect();
        let fold_all = |rows: &[&EventRow<'_>]| {
            let (mut fold, mut feedback) = (Fold::default(), None);
            for row in rows {
                if fold.apply(row) {
                    feedback = row.feedback.clone();
                }
            }
            (fold, feedback)
        };
        let in_order: Vec<&EventRow<'_>> = rows.iter().collect();
        let mut queues: Vec<Vec<&EventRow<'_>>> =
            (0..3).map(|partition| rows.iter().rev().filter(|row| row.partition == partition).collect()).collect();
        let (mut mixed, mut order) = (Vec::new(), order);
        while mixed.len() < rows.len() {
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let queue = (order >> 33) as usize % 3;
            mixed.extend(queues[queue].pop());
        }
        prop_assert_eq!(fold_all(&in_order), fold_all(&mixed));
    }

    /// A fold that was written and read back continues as before.
    #[test]
    fn a_fold_survives_serialization(
        events in prop::collection::vec((0usize..9, 0i32..3, 0i64..100, any::<u16>()), 1..30),
    ) {
        let ids: Vec<String> = (0..events.len()).map(|number| number.to_string()).collect();
        let mut fold = Fold::default();
        for (number, event) in events.iter().enumerate() {
            fold.apply(&drawn(number, number as i64, *event, &ids));
            let written = postcard::to_extend(&fold, Vec::new()).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Fold>(&written).unwrap(), &fold);
        }
    }
}
