//! What holds for all sessions.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_complete_session_is_complete_in_any_order_and_with_duplicates(
        lines in 0..20i64,
        chunks in 1..20i64,
        is_flagged: bool,
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        order in prop::collection::vec(any::<u32>(), 80),
    ) {
        let session = whole(lines, chunks, is_flagged);
        let expected = session.judged();
        prop_assert_eq!(expected.verdict, Verdict::Complete, "{:?}", findings(&expected));

        let mut deliveries = session.0;
        for index in &again {
            let again = index.get(&deliveries).clone();
            deliveries.push(again);
        }
        // Delivered in another order: the offsets are others too.
        let mut shuffled: Vec<(u32, Delivery)> = order.into_iter().cycle().zip(deliveries).collect();
        shuffled.sort_by_key(|(place, _)| *place);
        let deliveries: Vec<Delivery> = shuffled
            .into_iter()
            .enumerate()
            .map(|(offset, (_, delivery))| Delivery { position: position(offset as i64), ..delivery })
            .collect();
        let judged = completeness(&deliveries, later()).unwrap();
        prop_assert_eq!(judged.verdict, Verdict::Complete, "{:?}", findings(&judged));
        prop_assert_eq!(judged.events, expected.events);
        prop_assert_eq!(judged.duplicates, again.len() as u64);
        for (one, other) in judged.parts.iter().zip(&expected.parts) {
            prop_assert_eq!((one.part, one.status, one.events), (other.part, other.status, other.events));
        }
    }

    /// The last line is not lost here, because no event announces it.
    #[test]
    fn a_line_or_a_chunk_that_is_not_there_is_reported_with_its_number(
        lines in 1..20i64,
        chunks in 1..20i64,
        is_flagged: bool,
        is_line: bool,
        which: prop::sample::Index,
        again in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut session = whole(lines, chunks, is_flagged);
        let (type_, name) =
            if is_line { ("chat.line", PartName::Chat) } else { ("recording.chunk", PartName::RecordingChunks) };
        let lost = which.index(if is_line { lines } else { chunks } as usize) as i64;
        session.0.retain(|delivery| delivery.type_ != type_ || delivery.seq != Some(lost));
        if let Some(index) = again {
            let again = index.get(&session.0).clone();
            session.0.insert(0, again);
        }
        let judged = session.judged();
        prop_assert_eq!(judged.verdict, Verdict::Incomplete);
        let found: Vec<PartName> = findings(&judged).into_iter().map(|(name, ..)| name).collect();
        prop_assert_eq!(found, [name]);
        prop_assert_eq!(&numbers(&judged, name).missing, &[range(lost, lost)]);
    }
}

/// Types of all kinds, and one that is not of a session.
const TYPES: [&str; 22] = [
    "session.requested",
    "session.queued",
    "session.started",
    "session.joined",
    "session.left",
    "session.paused",
    "session.resumed",
    "session.ended",
    "session.declined",
    "consent.recorded",
    "connection.lost",
    "connection.restored",
    "chat.line",
    "chat.redacted",
    "recording.started",
    "recording.chunk",
    "recording.paused",
    "recording.resumed",
    "recording.ended",
    "file.sent",
    "survey.submitted",
    "ticket.opened",
];

fn number() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![4 => prop::option::of(-1..8i64), 1 => any::<i64>().prop_map(Some)]
}

/// Deliveries as they may be, also against all rules. `offset` keeps them apart.
fn delivery(offset: i64) -> impl Strategy<Value = Delivery> {
    let numbers = (number(), number(), number(), number(), number());
    let ids = (prop::sample::select(&TYPES[..]), prop::option::of("r-[12]"), prop::option::of("[ab]"), "[a-z]{1,2}");
    (0..20i64, ids, numbers, any::<bool>(), any::<bool>()).prop_map(
        move |(seconds, (type_, recording_id, participant_id, id), numbers, last, has_problems)| {
            let (seq, first_ms, last_ms, chunks, at_ms) = numbers;
            Delivery {
                time: at(seconds),
                position: position(offset),
                source: "urn:x".to_owned(),
                id,
                type_: type_.to_owned(),
                seq,
                recording_id,
                first_ms,
                last_ms,
                last,
                participant_id,
                chunks,
                at_ms,
                what: None,
                granted: None,
                has_problems,
            }
        },
    )
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    (0..30i64).prop_flat_map(|count| (0..count).map(delivery).collect::<Vec<_>>())
}

/// The parts without the numbers of duplicates.
fn without_duplicates(mut judged: Completeness) -> Completeness {
    judged.duplicates = 0;
    for part in &mut judged.parts {
        match &mut part.detail {
            Detail::Lines(lines) => lines.duplicates.clear(),
            Detail::Chunks(chunks) => chunks.numbers.duplicates.clear(),
            _ => {}
        }
    }
    judged
}

proptest! {
    #[test]
    fn the_order_of_deliveries_does_not_matter(
        (ordered, shuffled) in deliveries().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        seconds in 0..5000i64,
    ) {
        prop_assert_eq!(completeness(&ordered, at(seconds)), completeness(&shuffled, at(seconds)));
    }

    #[test]
    fn duplicates_are_counted_and_change_nothing_else(
        once in deliveries(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        seconds in 0..5000i64,
    ) {
        let mut all = once.clone();
        for (number, index) in again.iter().enumerate().filter(|_| !once.is_empty()) {
            let duplicate = Delivery { position: position(100 + number as i64), ..index.get(&once).clone() };
            all.insert(index.index(all.len()), duplicate);
        }
        let added = (all.len() - once.len()) as u64;
        let (once, all) = (completeness(&once, at(seconds)), completeness(&all, at(seconds)));
        let count = |judged: &Option<Completeness>| judged.as_ref().map(|judged| judged.duplicates);
        prop_assert_eq!(count(&all), count(&once).map(|duplicates| duplicates + added));
        prop_assert_eq!(all.map(without_duplicates), once.map(without_duplicates));
    }

    #[test]
    fn a_report_is_serialised_with_the_status_of_each_part(all in deliveries()) {
        if let Some(judged) = completeness(&all, later()) {
            let value = serde_json::to_value(&judged).unwrap();
            let parts = value["parts"].as_array().unwrap();
            prop_assert_eq!(parts.len(), judged.parts.len());
            for (value, part) in parts.iter().zip(&judged.parts) {
                prop_assert_eq!(&value["part"], part.part.as_str());
                prop_assert!(value["status"].is_string() && value["detail"]["kind"].is_string(), "{}", value);
            }
        }
    }
}
