use chrono::TimeDelta;
use holdfast_timeline::{Completeness, Delivery, Position, completeness};

use super::*;

/// Seconds after the begin.
fn at(seconds: i64) -> DateTime<Utc> {
    "2026-05-10T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

/// Deliveries, each a second after the one before.
#[derive(Default)]
struct Session(Vec<Delivery>);

impl Session {
    fn add(&mut self, type_: &str) -> &mut Delivery {
        let number = self.0.len() as i64;
        self.0.push(Delivery {
            time: at(number),
            position: Position { topic: "events".to_owned(), partition: 0, offset: number },
            source: "urn:x".to_owned(),
            id: number.to_string(),
            type_: type_.to_owned(),
            recording_id: type_.starts_with("recording.").then(|| "r-1".to_owned()),
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

    fn participant(&mut self, type_: &str, id: &str) {
        self.add(type_).participant_id = Some(id.to_owned());
    }

    fn chunk(&mut self, seq: i64, first_ms: i64, last_ms: i64) -> &mut Delivery {
        let chunk = self.add("recording.chunk");
        (chunk.seq, chunk.first_ms, chunk.last_ms) = (Some(seq), Some(first_ms), Some(last_ms));
        chunk
    }

    fn judged(&self, seconds: i64) -> Completeness {
        completeness(&self.0, at(seconds)).unwrap()
    }

    /// The detail of a part, long after everything.
    fn detail(&self, name: PartName) -> String {
        detail(&self.judged(1_000_000), name)
    }
}

fn detail(judged: &Completeness, name: PartName) -> String {
    text(judged.parts.iter().find(|part| part.part == name).unwrap(), judged.state)
}

fn started() -> Session {
    Session::default().with(&["session.requested", "session.started", "consent.recorded"])
}

#[test]
fn a_part_of_one_event_shows_its_time_and_how_many_events_report_it() {
    let session = Session::default().with(&["session.requested", "session.requested", "session.declined"]);
    assert_eq!(session.detail(PartName::Request), "2026-05-10 08:00:00 UTC; reported by 2 events");
    assert_eq!(session.detail(PartName::End), "declined 2026-05-10 08:00:02 UTC");
    assert_eq!(session.detail(PartName::Start), "the session was declined");
    assert_eq!(session.detail(PartName::Consent), "the session was declined");
    assert_eq!(session.detail(PartName::Survey), "it follows session.ended");
    let session = started().with(&["recording.started", "recording.started", "session.ended"]);
    assert_eq!(session.detail(PartName::RecordingStart), "2026-05-10 08:00:03 UTC");
    assert_eq!(session.detail(PartName::Survey), "the customer did not answer");
}

#[test]
fn an_absent_part_shows_why_it_is_expected_or_not() {
    let session = Session::default().with(&["session.queued", "session.abandoned"]);
    assert_eq!(session.detail(PartName::Request), "there is session.queued, which follows a request");
    assert_eq!(session.detail(PartName::Queue), "1 place reported");
    let session = Session::default().with(&["session.joined", "session.ended"]);
    assert_eq!(session.detail(PartName::Request), "no event shows one");
    assert_eq!(session.detail(PartName::Start), "the session went on, and session.started is not there");
    assert_eq!(session.detail(PartName::Consent), "the session went on, and no consent was recorded");
    assert_eq!(session.detail(PartName::Participants), "1 participant; until the end a participant without an id");
    assert_eq!(session.detail(PartName::Pauses), "no event shows any");
    assert_eq!(session.detail(PartName::Chat), "no line");
    assert_eq!(session.detail(PartName::Files), "none");
    let session = Session::default().with(&["session.requested"]);
    assert_eq!(session.detail(PartName::Start), "neither a start nor a refusal");
    assert_eq!(session.detail(PartName::Consent), "the session has not started");
    assert_eq!(session.detail(PartName::Participants), "no participant was seen joining or leaving");
    assert_eq!(detail(&session.judged(10), PartName::Start), "not yet");
}

#[test]
fn a_session_without_an_end_shows_its_silence() {
    let mut session = Session::default().with(&["session.requested", "consent.recorded", "session.started"]);
    session.participant("session.joined", "c-1");
    session.add("recording.started");
    session.chunk(0, 0, 999);
    session.add("connection.lost");
    let open = session.judged(66);
    assert_eq!(detail(&open, PartName::End), "still open: connection.lost was 1 min ago, less than 1 h");
    assert_eq!(detail(&open, PartName::Participants), "1 participant; still there c-1");
    assert_eq!(detail(&open, PartName::Connection), "1 loss, 0 restored; open since 2026-05-10 08:00:06 UTC");
    assert_eq!(detail(&open, PartName::RecordingChunks), "1 chunk, 0; goes on");
    assert_eq!(detail(&open, PartName::RecordingEnd), "not yet");

    let broken_off = session.judged(6 + 3600);
    assert_eq!(detail(&broken_off, PartName::Participants), "1 participant; not seen leaving c-1");
    assert_eq!(
        detail(&broken_off, PartName::Connection),
        "1 loss, 0 restored; no connection.restored after 2026-05-10 08:00:06 UTC"
    );
    assert_eq!(
        detail(&broken_off, PartName::RecordingChunks),
        "1 chunk, 0; none is the last one, and no event states how many there were"
    );
    assert_eq!(detail(&broken_off, PartName::RecordingEnd), "recording.ended is not there");
    assert_eq!(
        detail(&broken_off, PartName::End),
        "it broke off: nothing since connection.lost 1 h ago, more than 1 h"
    );
}

#[test]
fn participants_are_named_with_what_is_missing() {
    let mut session = started();
    session.participant("session.joined", "c-1");
    session.participant("session.joined", "c-1");
    session.participant("session.left", "a-1");
    assert_eq!(
        session.with(&["session.ended"]).detail(PartName::Participants),
        "2 participants; until the end c-1; a-1 left without having joined; c-1 joined again without having left"
    );
}

#[test]
fn pairs_are_counted_and_what_is_missing_is_named() {
    let connection = |types: &[&str]| started().with(types).with(&["session.ended"]).detail(PartName::Connection);
    let (lost, restored) = ("connection.lost", "connection.restored");
    assert_eq!(
        connection(&[lost, lost, restored]),
        "2 losses, 1 restored; 1 connection.restored is missing before the next connection.lost"
    );
    assert_eq!(
        connection(&[restored, restored]),
        "0 losses, 2 restored; 2 connection.lost are missing before connection.restored"
    );
    assert_eq!(
        connection(&[lost]),
        "1 loss, 0 restored; the last one lasted until the end, from 2026-05-10 08:00:03 UTC"
    );
    assert_eq!(
        connection(&[lost, "file.sent"]),
        "1 loss, 0 restored; no connection.restored after 2026-05-10 08:00:03 UTC, although the session went on"
    );
}

#[test]
fn pauses_of_a_recording_are_counted_and_what_is_missing_is_named() {
    let pauses = |types: &[&str]| {
        let session = started().with(&["recording.started"]).with(types);
        session.with(&["recording.ended", "session.ended"]).detail(PartName::RecordingPauses)
    };
    let (paused, resumed) = ("recording.paused", "recording.resumed");
    assert_eq!(pauses(&[paused, resumed, paused, resumed, paused, resumed]), "3 pauses, 3 resumed");
    assert_eq!(
        pauses(&[paused, paused]),
        "2 pauses, 0 resumed; 1 recording.resumed is missing before the next pause; paused until its end"
    );
    assert_eq!(pauses(&[resumed]), "0 pauses, 1 resumed; 1 recording.paused is missing before recording.resumed");
    let mut session = started().with(&["recording.started"]);
    session.add(paused).at_ms = Some(1000);
    assert_eq!(detail(&session.judged(10), PartName::RecordingPauses), "1 pause, 0 resumed; still paused");
    session.chunk(0, 1000, 1999);
    assert_eq!(
        session.detail(PartName::RecordingPauses),
        "1 pause, 0 resumed; chunks go on after the last pause, and recording.resumed is not there"
    );
}

#[test]
fn missing_lines_are_listed_as_ranges_and_duplicates_too() {
    let lines = |numbers: &[i64], unnumbered: usize, redacted: Option<i64>| {
        let mut session = started();
        for seq in numbers {
            session.add("chat.line").seq = Some(*seq);
        }
        for _ in 0..unnumbered {
            session.add("chat.line");
        }
        if redacted.is_some() {
            session.add("chat.redacted").seq = redacted;
        }
        session.with(&["session.ended"]).detail(PartName::Chat)
    };
    assert_eq!(
        lines(&[1, 2, 5, 9, 9], 1, Some(10)),
        "6 lines, 1-9; missing 0, 3-4, 6-8, 10; 1 line without a number; more than once 9"
    );
    assert_eq!(lines(&[1], 0, None), "1 line, 1; missing 0; unless its source counts from 1");
    assert_eq!(lines(&[], 2, None), "2 lines without a number");
    assert_eq!(lines(&[], 0, Some(1)), "no line; missing 0-1");
    let every_second: Vec<i64> = (0..50).map(|number| number * 2).collect();
    assert!(lines(&every_second, 0, None).ends_with("37, 39 and 29 more ranges"));
}

#[test]
fn chunks_show_gaps_and_what_they_contradict() {
    let mut session = started().with(&["recording.started"]);
    session.chunk(0, 0, 999);
    session.chunk(1, 5000, 5999);
    session.add("recording.ended").chunks = Some(2);
    assert_eq!(
        session.detail(PartName::RecordingChunks),
        "2 chunks, 0-1; not covered 4,000 ms between 0 and 1 (from 1000 ms)"
    );

    let mut session = started().with(&["recording.started"]);
    for seq in 0..3 {
        session.chunk(seq, seq * 1000, seq * 1000 + 999).last = seq == 1;
    }
    session.add("recording.ended").chunks = Some(2);
    assert_eq!(
        session.detail(PartName::RecordingChunks),
        "3 chunks, 0-2; recording.ended announces 2; 1 is marked as the last one"
    );

    let mut session = started().with(&["recording.started"]);
    session.add("recording.ended").chunks = Some(0);
    assert_eq!(session.detail(PartName::RecordingChunks), "none, as recording.ended announces");
}

#[test]
fn consents_are_listed_once_with_their_answers() {
    let mut session = Session::default().with(&["session.started"]);
    for (what, granted) in [("recording", Some(true)), ("remote_view", Some(false)), ("recording", Some(true))] {
        let consent = session.add("consent.recorded");
        (consent.what, consent.granted) = (Some(what.to_owned()), granted);
    }
    assert_eq!(session.detail(PartName::Consent), "recording granted, remote view refused");
    assert_eq!(started().detail(PartName::Consent), "something unclear");
}
