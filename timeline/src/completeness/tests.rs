mod properties;

use chrono::TimeDelta;

use super::*;
use crate::range::Range;

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
struct Session(Vec<Delivery>);

impl Session {
    fn add(&mut self, type_: &str) -> &mut Delivery {
        let number = self.0.len() as i64;
        self.0.push(Delivery {
            time: at(number),
            position: position(number),
            source: "urn:x".to_owned(),
            id: number.to_string(),
            type_: type_.to_owned(),
            recording_id: type_.starts_with("recording.").then(|| RECORDING.to_owned()),
            ..Delivery::default()
        });
        self.0.last_mut().unwrap()
    }

    fn with(mut self, types: &[&str]) -> Self {
        for type_ in types {
            self.add(type_);
        }
        self
    }

    fn line(&mut self, seq: i64) {
        self.add("chat.line").seq = Some(seq);
    }

    fn chunk(&mut self, seq: i64, first_ms: i64, last_ms: i64) -> &mut Delivery {
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
    session.add("session.joined").participant_id = Some("c-1".to_owned());
    session.add("session.joined").participant_id = Some("a-1".to_owned());
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
    session.add("session.left").participant_id = Some("c-1".to_owned());
    session.with(&["session.ended", "survey.submitted"])
}

fn part(judged: &Completeness, name: PartName) -> &Part {
    judged.parts.iter().find(|part| part.part == name).unwrap_or_else(|| panic!("no {name:?} in {judged:#?}"))
}

fn numbers(judged: &Completeness, name: PartName) -> &Series {
    part(judged, name).detail.numbers().unwrap_or_else(|| panic!("{name:?} has no numbers"))
}

fn chunks(judged: &Completeness) -> &Chunks {
    match &part(judged, PartName::RecordingChunks).detail {
        Detail::Chunks(chunks) => chunks,
        other => panic!("{other:?} are no chunks"),
    }
}

fn pairs(judged: &Completeness, name: PartName) -> &Pairs {
    match &part(judged, name).detail {
        Detail::Pairs(pairs) => pairs,
        other => panic!("{other:?} are no pairs"),
    }
}

fn participants(judged: &Completeness) -> &[Participant] {
    match &part(judged, PartName::Participants).detail {
        Detail::Participants { participants } => participants,
        other => panic!("{other:?} are no participants"),
    }
}

fn participant(id: &str, joined_again: u64, left_unjoined: u64, remains: bool) -> Participant {
    Participant { participant_id: Some(id.to_owned()), joined_again, left_unjoined, remains }
}

fn statuses(judged: &Completeness, wanted: Status) -> Vec<PartName> {
    judged.parts.iter().filter(|part| part.status == wanted).map(|part| part.part).collect()
}

/// The parts that are missing or broken.
fn findings(judged: &Completeness) -> Vec<(PartName, Status, &Detail)> {
    let findings = judged.parts.iter().filter(|part| part.status.is_finding());
    findings.map(|part| (part.part, part.status, &part.detail)).collect()
}

/// No part is missing or broken.
const NONE: [(PartName, Status, &Detail); 0] = [];

fn range(first: i64, last: i64) -> Range {
    Range { first, last }
}

fn position(offset: i64) -> Position {
    Position { topic: "events".to_owned(), partition: 0, offset }
}

#[test]
fn a_whole_session_is_complete() {
    let judged = whole(5, 7, true).judged();
    assert_eq!(findings(&judged), NONE);
    assert_eq!((judged.verdict, judged.state), (Verdict::Complete, State::Ended));
    assert_eq!(participants(&judged), [participant("a-1", 0, 0, true), participant("c-1", 0, 0, false)]);
    assert_eq!(chunks(&judged).paused.len(), 2, "a pause behind the last chunk does not show");
    let pauses = pairs(&judged, PartName::RecordingPauses);
    assert_eq!((pauses.opened, pauses.closed, pauses.open), (3, 3, None));
}

#[test]
fn a_session_that_was_refused_has_its_end_and_needs_no_start() {
    for (type_, state) in [
        ("session.declined", State::Declined),
        ("session.abandoned", State::Abandoned),
        ("session.failed", State::Failed),
    ] {
        let judged = Session::default().with(&["session.requested", "session.queued", type_]).judged();
        assert_eq!((judged.verdict, judged.state), (Verdict::Complete, state), "{:?}", findings(&judged));
        assert_eq!(statuses(&judged, Status::Present), [PartName::Request, PartName::Queue, PartName::End]);
    }
    let judged = Session::default().with(&["session.queued", "session.abandoned"]).judged();
    let follower = Detail::Followed { by: "session.queued" };
    assert_eq!(findings(&judged), [(PartName::Request, Status::Missing, &follower)]);
}

#[test]
fn an_unanswered_survey_is_not_given() {
    let mut session = whole(1, 1, false);
    session.0.pop();
    let judged = session.judged();
    assert_eq!(judged.verdict, Verdict::Complete);
    assert_eq!(part(&judged, PartName::Survey).status, Status::NotGiven);
}

#[test]
fn a_session_without_an_end_is_open_or_has_broken_off_by_the_age_of_its_newest_event() {
    let mut session = Session::default().with(&["session.requested", "consent.recorded", "session.started"]);
    session.add("session.joined").participant_id = Some("c-1".to_owned());
    session.add("recording.started");
    session.chunk(0, 0, 999);
    session.add("connection.lost");
    let judged = completeness(&session.0, at(66)).unwrap();
    assert_eq!((judged.verdict, judged.state), (Verdict::Open, State::Open), "{:?}", findings(&judged));
    let silence =
        |seconds| Silence { newest: "connection.lost".to_owned(), seconds, limit_seconds: SILENCE.as_seconds_f64() };
    assert_eq!(part(&judged, PartName::End).detail, Detail::Silence(silence(60.0)));
    assert_eq!(
        statuses(&judged, Status::Open),
        [PartName::Connection, PartName::RecordingChunks, PartName::RecordingEnd, PartName::End],
        "these may still arrive"
    );
    assert!(chunks(&judged).is_growing);

    let judged = completeness(&session.0, at(6 + 3600)).unwrap();
    assert_eq!((judged.verdict, judged.state), (Verdict::Incomplete, State::BrokenOff));
    assert_eq!(
        statuses(&judged, Status::Broken),
        [PartName::Participants, PartName::Connection, PartName::RecordingChunks]
    );
    assert_eq!(participants(&judged), [participant("c-1", 0, 0, true)]);
    let connection = pairs(&judged, PartName::Connection);
    let open = OpenPair { since: at(6), reason: OpenReason::BrokenOff };
    assert_eq!((connection.opened, connection.closed, connection.open), (1, 0, Some(open)));
    assert_eq!((chunks(&judged).numbers.span, chunks(&judged).has_end()), (Some(range(0, 0)), false));
    assert!(!chunks(&judged).is_growing);
    assert_eq!(statuses(&judged, Status::Missing), [PartName::RecordingEnd, PartName::End]);
    assert_eq!(part(&judged, PartName::RecordingEnd).recording_id.as_deref(), Some("r-1"));
    assert_eq!(part(&judged, PartName::RecordingEnd).detail, Detail::Absent { event: "recording.ended" });
    assert_eq!(part(&judged, PartName::End).detail, Detail::Silence(silence(3600.0)));
    // A clock that is ahead of ours.
    assert_eq!(completeness(&session.0, at(-500)).unwrap().state, State::Open);
}

#[test]
fn a_request_that_nothing_followed_waits_and_is_then_lost() {
    let session = Session::default().with(&["session.requested"]);
    let judged = completeness(&session.0, at(10)).unwrap();
    assert_eq!(statuses(&judged, Status::Open), [PartName::Start, PartName::End]);
    assert_eq!(statuses(&session.judged(), Status::Missing), [PartName::Start, PartName::End]);
}

#[test]
fn a_start_and_a_consent_that_later_events_require_are_missing() {
    let judged = Session::default().with(&["session.requested", "control.granted", "session.ended"]).judged();
    assert_eq!(statuses(&judged, Status::Missing), [PartName::Start, PartName::Consent]);
}

#[test]
fn missing_lines_are_reported_as_ranges_and_duplicates_too() {
    let mut session = Session::default().with(&["session.started", "consent.recorded"]);
    for seq in [1, 2, 5, 9] {
        session.line(seq);
    }
    session.line(9);
    session.add("chat.line");
    session.add("chat.redacted").seq = Some(10);
    let session = session.with(&["session.ended"]);
    let judged = session.judged();
    let chat = numbers(&judged, PartName::Chat);
    assert_eq!(chat.missing, [range(0, 0), range(3, 4), range(6, 8), range(10, 10)], "a redacted line was there");
    assert_eq!(chat.duplicates, [range(9, 9)]);
    assert_eq!((part(&judged, PartName::Chat).status, part(&judged, PartName::Chat).events), (Status::Broken, 6));
    assert_eq!((chat.span, chat.without_number), (Some(range(1, 9)), 1));
    let ends = Session::default().with(&["session.started", "consent.recorded", "session.ended"]).judged();
    assert_eq!(part(&ends, PartName::Chat).status, Status::NotExpected);
}

#[test]
fn extreme_numbers_do_not_overflow() {
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
    assert_eq!(numbers(&judged, PartName::Chat).missing, [range(0, i64::MAX - 2)]);
    assert_eq!(numbers(&judged, PartName::Chat).duplicates, []);
    assert_eq!(chunks(&judged).numbers.missing, [range(0, i64::MAX - 2)]);
}

#[test]
fn a_hole_costs_one_range_however_large_it_is() {
    let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
    for seq in [0, 1 << 62] {
        session.line(seq);
        session.chunk(seq, 0, 999);
    }
    let judged = session.judged();
    for part in [PartName::Chat, PartName::RecordingChunks] {
        assert_eq!(numbers(&judged, part).missing, [range(1, (1 << 62) - 1)], "{part:?}");
    }
}

#[test]
fn time_between_chunks_is_lost_unless_the_recording_was_paused() {
    let recorded = |pauses: &[(&str, i64)]| {
        let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
        session.chunk(0, 0, 999);
        for (type_, at_ms) in pauses {
            session.add(type_).at_ms = Some(*at_ms);
        }
        session.chunk(1, 5000, 5999);
        session.add("recording.ended").chunks = Some(2);
        let judged = session.with(&["session.ended"]).judged();
        let (status, chunks) = (part(&judged, PartName::RecordingChunks).status, chunks(&judged));
        let spans = |gaps: &[Gap]| gaps.iter().map(|gap| (gap.first_ms, gap.milliseconds)).collect::<Vec<_>>();
        assert_eq!((chunks.numbers.span, chunks.announced), (Some(range(0, 1)), Some(2)));
        (status, spans(&chunks.gaps), spans(&chunks.paused), chunks.gaps.clone())
    };
    let (paused, resumed) = ("recording.paused", "recording.resumed");
    let (status, lost, off, gaps) = recorded(&[]);
    assert_eq!((status, lost, off), (Status::Broken, vec![(1000, 4000)], vec![]));
    assert_eq!(gaps, [Gap { after: 0, before: 1, first_ms: 1000, last_ms: 4999, milliseconds: 4000 }]);
    let (status, lost, off, _) = recorded(&[(paused, 1000), (resumed, 5000)]);
    assert_eq!((status, lost, off), (Status::Present, vec![], vec![(1000, 4000)]));
    let (status, lost, off, _) = recorded(&[(paused, 1500), (resumed, 2000), (paused, 3000), (resumed, 9000)]);
    assert_eq!((status, lost, off), (Status::Broken, vec![(1000, 500), (2000, 1000)], vec![(1500, 500), (3000, 2000)]));
    // A pause that no event ends is over when chunks go on, and its resumption is missing.
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
        (
            part(&judged, PartName::RecordingPauses).status,
            pairs(&judged, PartName::RecordingPauses).open.unwrap().reason,
        )
    };
    assert_eq!(paused(false), (Status::Present, OpenReason::UntilEnd));
    assert_eq!(paused(true), (Status::Broken, OpenReason::WentOn));
}

#[test]
fn a_recording_states_how_many_chunks_it_has() {
    let recorded = |count: i64, flagged: Option<i64>, announced: Option<i64>| {
        let mut session = Session::default().with(&["session.started", "consent.recorded", "recording.started"]);
        for seq in 0..count {
            session.chunk(seq, seq * 1000, seq * 1000 + 999).last = Some(seq) == flagged;
        }
        if announced.is_some() {
            session.add("recording.ended").chunks = announced;
        }
        let judged = session.with(&["session.ended"]).judged();
        (part(&judged, PartName::RecordingChunks).status, chunks(&judged).clone())
    };
    assert_eq!(recorded(3, Some(2), None).0, Status::Present);
    assert_eq!(recorded(3, None, Some(3)).0, Status::Present);
    assert_eq!(recorded(0, None, Some(0)).0, Status::Present);
    assert_eq!(recorded(3, None, None).0, Status::Broken);
    assert_eq!(recorded(0, None, None).0, Status::Missing);
    let (status, chunks) = recorded(3, None, Some(6));
    assert_eq!((status, chunks.numbers.missing), (Status::Broken, vec![range(3, 5)]));
    let (status, chunks) = recorded(0, None, Some(2));
    assert_eq!((status, chunks.numbers.missing), (Status::Missing, vec![range(0, 1)]));
    let (status, chunks) = recorded(3, Some(1), Some(2));
    assert_eq!(status, Status::Broken);
    assert_eq!(chunks.numbers.span, Some(range(0, 2)));
    assert_eq!((chunks.too_few_announced(), chunks.marked_too_early()), (Some(2), Some(1)));
}

#[test]
fn what_was_opened_is_closed_or_ends_with_the_session() {
    let judged = |types: &[&str]| {
        let session = Session::default().with(&["session.started", "consent.recorded"]).with(types);
        let judged = session.with(&["session.ended"]).judged();
        (part(&judged, PartName::Connection).status, part(&judged, PartName::Connection).detail.clone())
    };
    let (lost, restored) = ("connection.lost", "connection.restored");
    assert_eq!(judged(&[]).0, Status::NotExpected);
    assert_eq!(judged(&[lost, restored, lost, restored]).0, Status::Present);
    assert_eq!(judged(&[lost]).0, Status::Present, "it ended because of that");
    assert_eq!(judged(&[lost, "file.sent"]).0, Status::Broken);
    assert_eq!(judged(&[restored]).0, Status::Broken);
    let (status, detail) = judged(&[lost, lost, restored]);
    assert_eq!(status, Status::Broken);
    let expected =
        Pairs { opening: lost, closing: restored, opened: 2, closed: 1, unclosed: 1, unopened: 0, open: None };
    assert_eq!(detail, Detail::Pairs(expected));
}

#[test]
fn participants_leave_as_often_as_they_join() {
    let mut session = Session::default().with(&["session.started", "consent.recorded"]);
    session.add("session.joined").participant_id = Some("c-1".to_owned());
    session.add("session.joined").participant_id = Some("c-1".to_owned());
    session.add("session.left").participant_id = Some("a-1".to_owned());
    let judged = session.with(&["session.ended"]).judged();
    let expected = vec![participant("a-1", 0, 1, false), participant("c-1", 1, 0, true)];
    let expected = Detail::Participants { participants: expected };
    assert_eq!(findings(&judged), [(PartName::Participants, Status::Broken, &expected)]);
}

#[test]
fn problems_and_duplicates_are_counted_and_do_not_change_the_verdict() {
    let mut session = whole(3, 2, true);
    session.0[3].has_problems = true;
    session.0.push(Delivery { position: position(900), ..session.0[3].clone() });
    let judged = session.judged();
    assert_eq!((judged.verdict, judged.with_problems, judged.duplicates), (Verdict::Complete, 1, 1));
    assert_eq!(judged.events + 1, session.0.len() as u64);
}

#[test]
fn consents_are_reported_once_with_their_answers() {
    let mut session = Session::default().with(&["session.started"]);
    for (what, granted) in [("recording", Some(true)), ("remote_view", Some(false)), ("recording", Some(true))] {
        let consent = session.add("consent.recorded");
        (consent.what, consent.granted) = (Some(what.to_owned()), granted);
    }
    let judged = session.judged();
    let consent = |what: &str, granted| Consent { what: Some(what.to_owned()), granted: Some(granted) };
    let consents = vec![consent("recording", true), consent("remote_view", false)];
    assert_eq!(part(&judged, PartName::Consent).detail, Detail::Consents { consents });
}

#[test]
fn a_subject_without_an_event_of_a_session_is_not_judged() {
    assert_eq!(completeness(&[], later()), None);
    assert_eq!(completeness(&Session::default().with(&["ticket.opened"]).0, later()), None);
}
