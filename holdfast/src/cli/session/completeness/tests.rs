use super::numbers::listed;
use super::*;
use chrono::TimeDelta;
use proptest::prelude::*;

const RECORDING: &str = "r-1";

/// Seconds after the begin.
fn at(seconds: i64) -> DateTime<Utc> {
    "2026-05-10T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

/// Long after everything.
fn later() -> DateTime<Utc> {
    at(1_000_000)
}

/// A session in the making; every event is a second after the one before.
#[derive(Default)]
struct Session(Vec<Fact>);

impl Session {
    fn add(&mut self, kind: &str) -> &mut Fact {
        let number = self.0.len() as i64;
        self.0.push(Fact {
            time: at(number),
            place: ("events".to_owned(), 0, number),
            source: "urn:x".to_owned(),
            id: number.to_string(),
            kind: kind.to_owned(),
            seq: None,
            recording: kind.starts_with("recording.").then(|| RECORDING.to_owned()),
            first_ms: None,
            last_ms: None,
            last: false,
            participant: None,
            chunks: None,
            at_ms: None,
            what: None,
            granted: None,
            has_problems: false,
        });
        self.0.last_mut().unwrap()
    }

    fn with(mut self, kinds: &[&str]) -> Self {
        for kind in kinds {
            self.add(kind);
        }
        self
    }

    fn line(&mut self, seq: i64) {
        self.add("chat.line").seq = Some(seq);
    }

    fn chunk(&mut self, seq: i64, first_ms: i64, last_ms: i64) -> &mut Fact {
        let chunk = self.add("recording.chunk");
        (chunk.seq, chunk.first_ms, chunk.last_ms) = (Some(seq), Some(first_ms), Some(last_ms));
        chunk
    }

    fn judged(&self) -> Completeness {
        completeness(&self.0, later()).unwrap()
    }
}

/// The session that `lines`, `chunks` and more make whole. A pause lies behind each chunk whose number divides by 3.
fn whole(lines: i64, chunks: i64, is_flagged: bool) -> Session {
    let mut session =
        Session::default().with(&["session.requested", "session.queued", "consent.recorded", "session.started"]);
    session.add("session.joined").participant = Some("c-1".to_owned());
    session.add("session.joined").participant = Some("a-1".to_owned());
    for seq in 0..lines {
        session.line(seq);
    }
    let mut session = session.with(&["connection.lost", "connection.restored", "session.paused", "session.resumed"]);
    session.add("recording.started");
    let mut ms = 0;
    for seq in 0..chunks {
        session.chunk(seq, ms, ms + 999).last = is_flagged && seq + 1 == chunks;
        ms += 1000;
        if seq % 3 == 0 {
            session.add("recording.paused").at_ms = Some(ms);
            ms += 700;
            session.add("recording.resumed").at_ms = Some(ms);
        }
    }
    session.add("recording.ended").chunks = Some(chunks);
    session.line(lines);
    session.add("session.left").participant = Some("c-1".to_owned());
    session.with(&["session.ended", "survey.submitted"])
}

fn part<'c>(judged: &'c Completeness, name: &str) -> &'c Part {
    judged.parts.iter().find(|part| part.part == name).unwrap_or_else(|| panic!("no {name} in {judged:#?}"))
}

fn statuses(judged: &Completeness, wanted: Status) -> Vec<String> {
    judged.parts.iter().filter(|part| part.status == wanted).map(Part::name).collect()
}

/// The parts that are missing or broken, with what is said of them.
fn found(judged: &Completeness) -> Vec<String> {
    let found = judged.parts.iter().filter(|part| part.status.is_found());
    found.map(|part| format!("{} {}: {}", part.name(), part.status.words(), part.detail)).collect()
}

#[test]
fn a_whole_session_is_complete() {
    let judged = whole(5, 7, true).judged();
    assert_eq!(found(&judged), [""; 0]);
    assert_eq!((judged.verdict, judged.state), (Verdict::Complete, State::Ended));
    assert_eq!(part(&judged, "participants").detail, "2 participants; until the end a-1");
    assert_eq!(part(&judged, "recording_chunks").paused.len(), 2, "behind the last chunk nothing can be seen");
    assert_eq!(part(&judged, "recording_pauses").detail, "3 pauses, 3 resumed");
}

#[test]
fn a_session_that_was_refused_has_its_end_and_needs_no_start() {
    for (kind, state) in [
        ("session.declined", State::Declined),
        ("session.abandoned", State::Abandoned),
        ("session.failed", State::Failed),
    ] {
        let judged = Session::default().with(&["session.requested", "session.queued", kind]).judged();
        assert_eq!((judged.verdict, judged.state), (Verdict::Complete, state), "{:?}", found(&judged));
        assert_eq!(statuses(&judged, Status::Present), ["request", "queue", "end"]);
    }
    let judged = Session::default().with(&["session.queued", "session.abandoned"]).judged();
    assert_eq!(found(&judged), ["request missing: there is session.queued, which follows a request"]);
}

#[test]
fn an_unanswered_survey_is_not_given() {
    let mut session = whole(1, 1, false);
    session.0.pop();
    let judged = session.judged();
    assert_eq!(judged.verdict, Verdict::Complete);
    assert_eq!(part(&judged, "survey").status, Status::NotGiven);
}

#[test]
fn a_session_without_an_end_is_open_or_has_broken_off_by_the_age_of_its_newest_event() {
    let mut session = Session::default().with(&["session.requested", "consent.recorded", "session.started"]);
    session.add("session.joined").participant = Some("c-1".to_owned());
    session.add("recording.started");
    session.chunk(0, 0, 999);
    session.add("connection.lost");
    let judged = completeness(&session.0, at(66)).unwrap();
    assert_eq!((judged.verdict, judged.state), (Verdict::Open, State::Open), "{:?}", found(&judged));
    assert_eq!(part(&judged, "end").detail, "still open: connection.lost was 1 min ago, less than 1 h");
    assert_eq!(
        statuses(&judged, Status::Open),
        ["connection", "chunks of r-1", "end of r-1", "end"],
        "these may still come"
    );

    let judged = completeness(&session.0, at(6 + 3600)).unwrap();
    assert_eq!((judged.verdict, judged.state), (Verdict::Incomplete, State::BrokenOff));
    assert_eq!(
        found(&judged),
        [
            "participants broken: 1 participant; not seen leaving c-1",
            "connection broken: 1 loss, 0 restored; no connection.restored after 2026-05-10 08:00:06 UTC",
            "chunks of r-1 broken: 1 chunk, 0; none is the last one, and nothing says how many there were",
            "end of r-1 missing: recording.ended is not there",
            "end missing: it broke off: nothing since connection.lost 1 h ago, more than 1 h",
        ]
    );
    // A clock that is ahead of ours.
    assert_eq!(completeness(&session.0, at(-500)).unwrap().state, State::Open);
}

#[test]
fn a_request_that_nothing_followed_waits_and_is_then_lost() {
    let session = Session::default().with(&["session.requested"]);
    let judged = completeness(&session.0, at(10)).unwrap();
    assert_eq!(statuses(&judged, Status::Open), ["start", "end"]);
    assert_eq!(statuses(&session.judged(), Status::Missing), ["start", "end"]);
}

#[test]
fn a_start_and_a_consent_that_must_have_been_are_missing() {
    let judged = Session::default().with(&["session.requested", "control.granted", "session.ended"]).judged();
    assert_eq!(statuses(&judged, Status::Missing), ["start", "consent"]);
}

#[test]
fn missing_lines_are_named_as_ranges_and_repeated_ones_too() {
    let mut session = Session::default().with(&["session.started", "consent.recorded"]);
    for seq in [1, 2, 5, 9] {
        session.line(seq);
    }
    session.line(9);
    session.add("chat.line");
    session.add("chat.redacted").seq = Some(10);
    let session = session.with(&["session.ended"]);
    let judged = session.judged();
    let chat = part(&judged, "chat");
    let range = |first, last| Range { first, last };
    assert_eq!(chat.missing, [range(0, 0), range(3, 4), range(6, 8), range(10, 10)], "a redacted line was there");
    assert_eq!(chat.repeated, [range(9, 9)]);
    assert_eq!(chat.status, Status::Broken);
    assert_eq!(chat.detail, "6 lines, 1-9; missing 0, 3-4, 6-8, 10; 1 line without a number; more than once 9");
    let ends = Session::default().with(&["session.started", "consent.recorded", "session.ended"]).judged();
    assert_eq!(part(&ends, "chat").status, Status::NotExpected);
}

#[test]
fn numbers_that_nobody_can_count_to_are_no_trouble() {
    let mut session = Session::default().with(&["session.started", "consent.recorded"]);
    for seq in [i64::MIN, -1, i64::MAX, i64::MAX - 1] {
        session.line(seq);
        session.chunk(seq, i64::MIN, i64::MAX);
        session.chunk(seq, i64::MAX, i64::MIN);
    }
    session.add("recording.paused").at_ms = Some(i64::MIN);
    session.add("recording.resumed").at_ms = Some(i64::MAX);
    session.add("recording.ended").chunks = Some(i64::MAX);
    let judged = session.judged();
    assert_eq!(part(&judged, "chat").missing, [Range { first: 0, last: i64::MAX - 2 }]);
    assert_eq!(part(&judged, "chat").repeated, []);
}

#[test]
fn time_between_chunks_is_lost_unless_the_recording_was_paused() {
    let recorded = |pauses: &[(&str, i64)]| {
        let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
        session.chunk(0, 0, 999);
        for (kind, at_ms) in pauses {
            session.add(kind).at_ms = Some(*at_ms);
        }
        session.chunk(1, 5000, 5999);
        session.add("recording.ended").chunks = Some(2);
        let judged = session.with(&["session.ended"]).judged();
        let chunks = part(&judged, "recording_chunks").clone();
        let spans = |gaps: &[Gap]| gaps.iter().map(|gap| (gap.first_ms, gap.milliseconds)).collect::<Vec<_>>();
        (chunks.status, spans(&chunks.gaps), spans(&chunks.paused), chunks.detail)
    };
    let (paused, resumed) = ("recording.paused", "recording.resumed");
    let (status, lost, off, detail) = recorded(&[]);
    assert_eq!((status, lost, off), (Status::Broken, vec![(1000, 4000)], vec![]));
    assert_eq!(detail, "2 chunks, 0-1; not covered 4,000 ms between 0 and 1 (from 1000 ms)");
    let (status, lost, off, _) = recorded(&[(paused, 1000), (resumed, 5000)]);
    assert_eq!((status, lost, off), (Status::Present, vec![], vec![(1000, 4000)]));
    let (status, lost, off, _) = recorded(&[(paused, 1500), (resumed, 2000), (paused, 3000), (resumed, 9000)]);
    assert_eq!((status, lost, off), (Status::Broken, vec![(1000, 500), (2000, 1000)], vec![(1500, 500), (3000, 2000)]));
    // A pause that nothing ended is over when chunks go on, and its resumption is missing.
    let (status, lost, off, _) = recorded(&[(paused, 1000)]);
    assert_eq!((status, lost, off), (Status::Present, vec![], vec![(1000, 4000)]));
}

#[test]
fn pauses_of_a_recording_are_balanced_or_reach_to_its_end() {
    let paused = |is_followed: bool| {
        let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
        session.chunk(0, 0, 999);
        session.add("recording.paused").at_ms = Some(1000);
        if is_followed {
            session.chunk(1, 1000, 1999);
        }
        session.add("recording.ended").chunks = Some(1 + i64::from(is_followed));
        let judged = session.with(&["session.ended"]).judged();
        part(&judged, "recording_pauses").status
    };
    assert_eq!(paused(false), Status::Present);
    assert_eq!(paused(true), Status::Broken);
}

#[test]
fn a_recording_says_itself_how_long_it_is() {
    let chunks = |count: i64, flagged: Option<i64>, announced: Option<i64>| {
        let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
        for seq in 0..count {
            session.chunk(seq, seq * 1000, seq * 1000 + 999).last = Some(seq) == flagged;
        }
        if announced.is_some() {
            session.add("recording.ended").chunks = announced;
        }
        let judged = session.with(&["session.ended"]).judged();
        let part = part(&judged, "recording_chunks").clone();
        (part.status, listed(&part.missing), part.detail)
    };
    assert_eq!(chunks(3, Some(2), None).0, Status::Present);
    assert_eq!(chunks(3, None, Some(3)).0, Status::Present);
    assert_eq!(chunks(0, None, Some(0)).0, Status::Present);
    assert_eq!(chunks(3, None, None).0, Status::Broken);
    assert_eq!(chunks(0, None, None).0, Status::Missing);
    let (status, missing, _) = chunks(3, None, Some(6));
    assert_eq!((status, missing.as_str()), (Status::Broken, "3-5"));
    let (status, missing, _) = chunks(0, None, Some(2));
    assert_eq!((status, missing.as_str()), (Status::Missing, "0-1"));
    let (status, _, detail) = chunks(3, Some(1), Some(2));
    assert_eq!(status, Status::Broken);
    assert_eq!(detail, "3 chunks, 0-2; recording.ended says 2; 1 says it is the last one");
}

#[test]
fn what_was_opened_is_closed_or_ends_with_the_session() {
    let judged = |kinds: &[&str]| {
        let session = Session::default().with(&["session.started", "consent.recorded"]).with(kinds);
        let judged = session.with(&["session.ended"]).judged();
        (part(&judged, "connection").status, part(&judged, "connection").detail.clone())
    };
    let (lost, restored) = ("connection.lost", "connection.restored");
    assert_eq!(judged(&[]).0, Status::NotExpected);
    assert_eq!(judged(&[lost, restored, lost, restored]).0, Status::Present);
    assert_eq!(judged(&[lost]).0, Status::Present, "it ended because of that");
    assert_eq!(judged(&[lost, "file.sent"]).0, Status::Broken);
    assert_eq!(judged(&[restored]).0, Status::Broken);
    let (status, detail) = judged(&[lost, lost, restored]);
    assert_eq!(status, Status::Broken);
    assert_eq!(detail, "2 losses, 1 restored; 1 connection.restored is missing before the next connection.lost");
}

#[test]
fn people_leave_as_often_as_they_join() {
    let mut session = Session::default().with(&["session.started", "consent.recorded"]);
    session.add("session.joined").participant = Some("c-1".to_owned());
    session.add("session.joined").participant = Some("c-1".to_owned());
    session.add("session.left").participant = Some("a-1".to_owned());
    let judged = session.with(&["session.ended"]).judged();
    assert_eq!(
        found(&judged),
        [
            "participants broken: 2 participants; until the end c-1; a-1 left without having joined; c-1 joined again without having left"
        ]
    );
}

#[test]
fn problems_and_repetitions_are_counted_and_judge_nothing() {
    let mut session = whole(3, 2, true);
    session.0[3].has_problems = true;
    session.0.push(Fact { place: ("events".to_owned(), 0, 900), ..session.0[3].clone() });
    let judged = session.judged();
    assert_eq!((judged.verdict, judged.with_problems, judged.repetitions), (Verdict::Complete, 1, 1));
    assert_eq!(judged.events + 1, session.0.len() as u64);
}

#[test]
fn consents_are_told_with_their_answers() {
    let mut session = Session::default().with(&["session.started"]);
    for (what, granted) in [("recording", Some(true)), ("remote_view", Some(false)), ("recording", Some(true))] {
        let consent = session.add("consent.recorded");
        (consent.what, consent.granted) = (Some(what.to_owned()), granted);
    }
    let judged = session.judged();
    assert_eq!(part(&judged, "consent").detail, "recording granted, remote view refused");
}

#[test]
fn what_is_no_session_is_not_judged() {
    assert_eq!(completeness(&[], later()), None);
    assert_eq!(completeness(&Session::default().with(&["ticket.opened"]).0, later()), None);
}

proptest! {
    #[test]
    fn a_complete_session_is_complete_in_any_order_and_with_repetitions(
        lines in 0..20i64,
        chunks in 1..20i64,
        is_flagged: bool,
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        order in prop::collection::vec(any::<u32>(), 80),
    ) {
        let session = whole(lines, chunks, is_flagged);
        let expected = session.judged();
        prop_assert_eq!(expected.verdict, Verdict::Complete, "{:?}", found(&expected));

        let mut facts = session.0;
        for index in &again {
            let again = index.get(&facts).clone();
            facts.push(again);
        }
        // Delivered in another order: the offsets are others too.
        let mut shuffled: Vec<(u32, Fact)> = order.into_iter().cycle().zip(facts).collect();
        shuffled.sort_by_key(|(place, _)| *place);
        let facts: Vec<Fact> = shuffled
            .into_iter()
            .enumerate()
            .map(|(offset, (_, fact))| Fact { place: ("events".to_owned(), 0, offset as i64), ..fact })
            .collect();
        let judged = completeness(&facts, later()).unwrap();
        prop_assert_eq!(judged.verdict, Verdict::Complete, "{:?}", found(&judged));
        prop_assert_eq!(judged.events, expected.events);
        prop_assert_eq!(judged.repetitions, again.len() as u64);
        for (one, other) in judged.parts.iter().zip(&expected.parts) {
            prop_assert_eq!((one.part, one.status, one.events), (other.part, other.status, other.events));
        }
    }

    /// The last line is left out: nothing announces it.
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
        let (kind, name) = if is_line { ("chat.line", "chat") } else { ("recording.chunk", "recording_chunks") };
        let lost = which.index(if is_line { lines } else { chunks } as usize) as i64;
        session.0.retain(|fact| fact.kind != kind || fact.seq != Some(lost));
        if let Some(index) = again {
            let again = index.get(&session.0).clone();
            session.0.insert(0, again);
        }
        let judged = session.judged();
        prop_assert_eq!(judged.verdict, Verdict::Incomplete);
        let found: Vec<&Part> = judged.parts.iter().filter(|part| part.status.is_found()).collect();
        prop_assert_eq!(found.len(), 1, "{:?}", found);
        prop_assert_eq!(found[0].part, name);
        prop_assert_eq!(&found[0].missing, &[Range { first: lost, last: lost }]);
    }
}
