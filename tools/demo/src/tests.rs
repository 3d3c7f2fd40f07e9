//! The guarantees for a whole run.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_events::type_spec;
use sha2::{Digest, Sha256};

use super::*;

/// 2026-11-23T18:00:00Z, a Monday.
const END: i64 = 1_795_456_800_000_000;

fn options(seed: u64, sessions: u64) -> Options {
    Options { record_every: 0, ..Options::new(seed, sessions, END) }
}

fn run(options: Options) -> (Vec<Message>, Summary) {
    let mut demo = generate(options);
    let messages: Vec<Message> = demo.by_ref().collect();
    (messages, demo.summary().clone())
}

fn digest(options: Options) -> String {
    let mut digest = Sha256::new();
    for message in generate(options) {
        digest.update(format!("{:?} {} ", message.topic, message.key));
        for (name, value) in &message.headers {
            digest.update(name);
            digest.update(value);
        }
        digest.update(&message.payload);
    }
    hex(&digest.finalize())
}

fn parse(message: &Message) -> serde_json::Value {
    serde_json::from_slice(&message.payload).unwrap()
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let small = || Options { recording_seconds: 6, ..Options::new(7, 30, END) };
    assert_eq!(digest(small()), digest(small()));
    assert_ne!(digest(small()), digest(Options { seed: 8, ..small() }));
    assert_ne!(digest(small()), digest(Options { end: END - 1_000_000, ..small() }));
}

#[test]
fn seed_one_always_gives_the_same_bytes() {
    assert_eq!(
        digest(Options { recording_seconds: 6, ..Options::new(1, 20, END) }),
        "3c8e0942a351ede2f4f3a21ca990a0d4d34808124759e8deb6dab13fe7a52cfd"
    );
}

#[test]
fn a_device_keeps_most_of_its_applications() {
    let (messages, _) = run(options(3, 1500));
    let mut known: std::collections::BTreeMap<String, Vec<serde_json::Value>> = std::collections::BTreeMap::new();
    let (mut same, mut all) = (0, 0);
    for message in messages.iter().filter(|message| message.kind == "diagnostics.collected") {
        let data = parse(message)["data"].clone();
        let apps = data["apps"].as_array().unwrap().clone();
        if let Some(before) = known.insert(data["device_serial"].as_str().unwrap().to_owned(), apps.clone()) {
            all += before.len();
            same += before.iter().filter(|app| apps.contains(app)).count();
        }
    }
    assert!(all > 500 && same < all && same * 10 > all * 8, "{same} of {all}");
}

#[test]
fn every_event_is_as_in_the_catalogue() {
    let (messages, summary) = run(options(3, 1500));
    for message in &messages {
        let event = holdfast_events::decode_structured(&message.payload).unwrap();
        assert_eq!(event.problems(), None, "{}", String::from_utf8_lossy(&message.payload));
        let spec = type_spec(message.kind).unwrap_or_else(|| panic!("{} is not in the catalogue", message.kind));
        let value = parse(message);
        let data = value["data"].as_object().unwrap();
        for field in spec.fields {
            assert!(!field.required || data.contains_key(field.name), "{} lacks {}", message.kind, field.name);
        }
        for name in data.keys() {
            assert!(spec.field(name).is_some(), "{} has {name}", message.kind);
        }
        assert_eq!(value["subject"], message.key);
    }
    let expected = [
        "agent.presence",
        "chat.line",
        "chat.redacted",
        "clipboard.shared",
        "code.issued",
        "code.redeemed",
        "connection.lost",
        "connection.restored",
        "consent.recorded",
        "control.granted",
        "control.released",
        "control.viewed",
        "diagnostics.collected",
        "file.received",
        "file.sent",
        "queue.measured",
        "reboot.requested",
        "session.abandoned",
        "session.declined",
        "session.ended",
        "session.failed",
        "session.joined",
        "session.left",
        "session.linked",
        "session.noted",
        "session.paused",
        "session.queued",
        "session.requested",
        "session.resumed",
        "session.started",
        "session.transferred",
        "survey.submitted",
        "ticket.changed",
        "ticket.closed",
        "ticket.opened",
        "url.pushed",
        "whiteboard.drawn",
    ];
    assert_eq!(summary.by_type.keys().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn ids_are_unique_and_differ_between_runs() {
    let ids = |options| -> BTreeSet<String> {
        run(options).0.iter().map(|message| parse(message)["id"].as_str().unwrap().to_owned()).collect()
    };
    let one = ids(options(1, 200));
    assert_eq!(one.len(), run(options(1, 200)).0.len());
    assert!(one.is_disjoint(&ids(options(2, 200))));
}

#[test]
fn time_never_runs_backwards_and_stops_at_the_end() {
    let (messages, summary) = run(options(5, 600));
    assert!(messages.is_sorted_by_key(|message| message.time));
    assert!(messages.iter().all(|message| message.time <= END));
    assert!(messages.iter().all(|message| message.time >= END - 15 * 86_400_000_000));
    assert!(summary.last_time.unwrap() > END - 3_600_000_000);
    for message in &messages {
        let event = holdfast_events::decode_structured(&message.payload).unwrap();
        assert_eq!(event.time.0, message.time);
    }
}

#[test]
fn sessions_interleave() {
    let (messages, _) = run(options(5, 600));
    let mut changes = 0;
    let of_sessions: Vec<&str> =
        messages.iter().map(|message| message.session.as_str()).filter(|session| !session.is_empty()).collect();
    for pair in of_sessions.windows(2) {
        changes += u32::from(pair[0] != pair[1]);
    }
    assert!(changes > 1_500, "{changes}");
}

#[test]
fn chat_is_numbered_without_a_gap_and_redactions_name_a_line_before() {
    let (messages, summary) = run(options(9, 800));
    let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
    for message in &messages {
        let data = &parse(message)["data"];
        match message.kind {
            "chat.line" => {
                let seq = lines.entry(&message.session).or_default();
                assert_eq!(data["seq"], *seq);
                *seq += 1;
                let text = data["text"].as_str().unwrap();
                assert!(!text.is_empty() && !text.contains(['{', '}', '|']), "{text}");
            }
            "chat.redacted" => assert!(data["seq"].as_u64().unwrap() < lines[message.session.as_str()]),
            _ => {}
        }
    }
    assert_eq!(summary.chat_lines, lines.values().sum::<u64>());
}

#[test]
fn sessions_that_break_off_have_no_end() {
    let (messages, summary) = run(options(4, 1000));
    let of = |kind: &str| -> BTreeSet<&str> {
        messages.iter().filter(|message| message.kind == kind).map(|message| message.session.as_str()).collect()
    };
    let (started, ended) = (of("session.started"), of("session.ended"));
    assert!(ended.is_subset(&started));
    assert_eq!(summary.sessions, 1000);
    assert_eq!(summary.broken_off, (started.len() - ended.len()) as u64);
    assert_eq!(summary.started + summary.not_started, summary.sessions);
    assert!(summary.broken_off > 20 && summary.broken_off < 120, "{}", summary.broken_off);
    assert!(of("survey.submitted").is_subset(&ended));
    let not_started: usize =
        ["abandoned", "declined", "failed"].iter().map(|kind| of(&format!("session.{kind}")).len()).sum();
    assert_eq!(summary.not_started, not_started as u64);
}

#[test]
fn ratings_durations_and_agents_are_realistic() {
    let (messages, summary) = run(options(11, 2000));
    let by = |kind: &str| summary.by_type[kind];
    let answered = by("survey.submitted") * 100 / by("session.ended");
    assert!((35..60).contains(&answered), "{answered} percent answered");
    assert!(summary.ratings.iter().all(|count| *count > 10), "{:?}", summary.ratings);
    assert!(summary.ratings[3] + summary.ratings[4] > summary.ratings[0] + summary.ratings[1]);
    assert_eq!(summary.ratings.iter().sum::<u64>(), by("survey.submitted"));
    assert!(summary.tickets_without_session > 100);
    let lengths: Vec<f64> = messages
        .iter()
        .filter(|message| message.kind == "session.ended")
        .map(|message| parse(message)["data"]["duration"].as_f64().unwrap())
        .collect();
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    assert!((120.0..1500.0).contains(&mean), "{mean} seconds");
    let agents: BTreeSet<String> = messages
        .iter()
        .filter(|message| message.kind == "session.started")
        .map(|message| parse(message)["agent"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(agents.len(), 16);
}

#[test]
fn recordings_are_complete_or_broken_off_and_their_chunks_are_in_order() {
    let options = Options { record_every: 2, recording_seconds: 10, ..Options::new(2, 60, END) };
    let (messages, summary) = run(options);
    let mut recordings: BTreeMap<String, Vec<&Message>> = BTreeMap::new();
    for message in messages.iter().filter(|message| message.topic == Topic::Recordings) {
        assert_eq!(message.kind, "recording.chunk");
        assert_eq!(message.key, message.session);
        recordings.entry(header(message, "ce_recordingid")).or_default().push(message);
    }
    let facts = |kind: &str| -> BTreeMap<String, serde_json::Value> {
        let of_kind = messages.iter().filter(|message| message.kind == kind).map(parse);
        of_kind
            .map(|event| (event["data"]["recording_id"].as_str().unwrap().to_owned(), event["data"].clone()))
            .collect()
    };
    let (started, ended) = (facts("recording.started"), facts("recording.ended"));
    assert_eq!(summary.recordings, started.len() as u64);
    assert!(started.len() > ended.len(), "one of them breaks off");
    for (id, chunks) in &recordings {
        assert!(started.contains_key(id));
        let mut next = 0;
        let mut whole = Vec::new();
        for (seq, chunk) in chunks.iter().enumerate() {
            assert_eq!(header(chunk, "ce_seq"), seq.to_string());
            assert_eq!(header(chunk, "ce_sha256"), hash(&chunk.payload));
            assert_eq!(header(chunk, "ce_firstms").parse::<u32>().unwrap(), next);
            next = header(chunk, "ce_lastms").parse::<u32>().unwrap() + 1;
            let last = seq + 1 == chunks.len() && ended.contains_key(id);
            assert_eq!(header(chunk, "ce_last"), last.to_string());
            whole.extend_from_slice(&chunk.payload);
        }
        assert_eq!(whole[..4], [0x1a, 0x45, 0xdf, 0xa3]);
        if let Some(end) = ended.get(id) {
            assert_eq!(end["chunks"], chunks.len());
            assert_eq!(end["sha256"], hash(&whole));
            assert_eq!(end["duration"].as_f64().unwrap(), f64::from(next) / 1000.0);
        }
    }
    let (paused, resumed) = (facts("recording.paused"), facts("recording.resumed"));
    assert!(!paused.is_empty());
    for (id, pause) in &paused {
        assert_eq!(pause["reason"], "pci");
        assert_eq!(pause["at_ms"], resumed[id]["at_ms"]);
    }
}

#[test]
fn chunks_are_events_that_the_archive_decodes() {
    let options = Options { record_every: 1, recording_seconds: 4, ..Options::new(2, 3, END) };
    let (messages, _) = run(options);
    let mut chunks = 0;
    for message in messages.iter().filter(|message| message.topic == Topic::Recordings) {
        let attributes =
            message.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix("ce_")?, value.as_slice())));
        let event = holdfast_events::decode_binary(attributes, Some("video/webm"), &message.payload).unwrap();
        assert_eq!(event.subject, message.session);
        let chunk = holdfast_events::Chunk::of(&event).unwrap().unwrap();
        assert_eq!(chunk.bytes, message.payload);
        chunks += 1;
    }
    assert!(chunks > 3);
}

#[test]
fn a_file_of_the_user_replaces_the_generated_recordings() {
    let file: Vec<u8> = (0..1_500_000u32).map(|byte| (byte % 251) as u8).collect();
    let options = Options { record_every: 1, recording_bytes: Some(file.clone()), ..Options::new(2, 4, END) };
    let (messages, summary) = run(options);
    assert!(summary.recordings > 0);
    let first = messages.iter().find(|message| message.kind == "recording.chunk").unwrap();
    let whole: Vec<u8> = messages
        .iter()
        .filter(|message| message.kind == "recording.chunk" && message.session == first.session)
        .flat_map(|message| message.payload.clone())
        .collect();
    assert_eq!(whole, file);
}

#[test]
fn extreme_options_work() {
    assert_eq!(run(options(1, 0)).0.len(), 0);
    let (messages, summary) = run(Options { days: 0, recording_bytes: Some(Vec::new()), ..Options::new(1, 1, END) });
    assert!(messages.len() > 5);
    assert_eq!(summary.sessions, 1);
    let crowded = run(Options { days: 1, record_every: 0, ..Options::new(1, 2000, END) });
    assert_eq!(crowded.1.sessions, 2000);
    assert!(crowded.0.is_sorted_by_key(|message| message.time));
}

fn header(message: &Message, name: &str) -> String {
    let value = message.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    String::from_utf8(value.unwrap_or_default()).unwrap()
}
