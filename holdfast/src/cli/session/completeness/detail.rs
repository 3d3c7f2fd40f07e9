//! The detail of a part in words. Pure.

#[cfg(test)]
mod tests;

use chrono::{DateTime, SecondsFormat, Utc};
use holdfast_timeline::{
    Chunks, Consent, Detail, Gap, OpenReason, Pairs, Part, PartName, Participant, Range, Series, Silence, State,
};

use crate::render::text::{count, counted, duration};

/// Ranges or gaps that are listed one by one.
const MAX_LISTED: usize = 20;

/// The detail of a part of a session in this state. It may quote ids as they were received.
pub(super) fn text(part: &Part, state: State) -> String {
    match &part.detail {
        Detail::NoEvent => no_event(part.part).to_owned(),
        Detail::NotYet => "not yet".to_owned(),
        Detail::Absent { event } => format!("{event} is not there"),
        Detail::Followed { by } => format!("there is {by}, which follows a request"),
        Detail::Refused { state } => format!("the session was {}", state_words(*state)),
        Detail::WentOn if part.part == PartName::Consent => {
            "the session went on, and no consent was recorded".to_owned()
        }
        Detail::WentOn => "the session went on, and session.started is not there".to_owned(),
        Detail::NotStarted if part.part == PartName::Consent => "the session has not started".to_owned(),
        Detail::NotStarted => "neither a start nor a refusal".to_owned(),
        Detail::NotAnswered => "the customer did not answer".to_owned(),
        Detail::Counted if part.part == PartName::Queue => counted(part.events, "place reported", "places reported"),
        Detail::Counted => plural(part.events, "report"),
        Detail::At { time } => first_event(part, *time, state),
        Detail::Consents { consents } => consents_words(consents),
        Detail::Participants { participants } => participants_words(participants, state),
        Detail::Pairs(pairs) => pairs_words(part.part, pairs),
        Detail::Lines(lines) => lines_words(part.events, lines),
        Detail::Chunks(chunks) => chunks_words(part.events, chunks),
        Detail::Silence(silence) => silence_words(silence, state),
        Detail::Files { sent, received } => format!("{sent} sent, {received} received"),
    }
}

fn no_event(part: PartName) -> &'static str {
    match part {
        PartName::Request | PartName::Queue => "no event shows one",
        PartName::Participants => "no participant was seen joining or leaving",
        PartName::Pauses | PartName::Connection => "no event shows any",
        PartName::Chat => "no line",
        PartName::Survey => "it follows session.ended",
        _ => "none",
    }
}

fn state_words(state: State) -> &'static str {
    match state {
        State::Ended => "ended",
        State::Declined => "declined",
        State::Abandoned => "abandoned",
        State::Failed => "failed",
        State::Open => "open",
        State::BrokenOff => "broken off",
    }
}

fn first_event(part: &Part, time: DateTime<Utc>, state: State) -> String {
    let mut words = moment(time);
    if part.events > 1 && part.recording_id.is_none() {
        words.push_str(&format!("; reported by {} events", part.events));
    }
    if part.part == PartName::End && state.is_refused() {
        words = format!("{} {words}", state_words(state));
    }
    words
}

fn consents_words(consents: &[Consent]) -> String {
    let mut listed: Vec<String> = Vec::new();
    for consent in consents {
        let what = consent.what.as_deref().unwrap_or("something").replace('_', " ");
        let answer = match consent.granted {
            Some(true) => "granted",
            Some(false) => "refused",
            None => "unclear",
        };
        let words = format!("{what} {answer}");
        if !listed.contains(&words) {
            listed.push(words);
        }
    }
    listed.join(", ")
}

fn participants_words(participants: &[Participant], state: State) -> String {
    let id = |participant: &Participant| {
        participant.participant_id.clone().unwrap_or_else(|| "a participant without an id".to_owned())
    };
    let mut words = vec![counted(participants.len() as u64, "participant", "participants")];
    let remaining: Vec<String> = participants.iter().filter(|participant| participant.remains).map(id).collect();
    let remaining = remaining.join(", ");
    match state {
        _ if remaining.is_empty() => {}
        State::Ended | State::Failed | State::Abandoned | State::Declined => {
            words.push(format!("until the end {remaining}"));
        }
        State::Open => words.push(format!("still there {remaining}")),
        State::BrokenOff => {}
    }
    for participant in participants {
        if participant.joined_again > 0 {
            words.push(format!("{} joined again without having left", id(participant)));
        }
        if participant.left_unjoined > 0 {
            words.push(format!("{} left without having joined", id(participant)));
        }
    }
    if state == State::BrokenOff && !remaining.is_empty() {
        words.push(format!("not seen leaving {remaining}"));
    }
    words.join("; ")
}

fn pairs_words(part: PartName, pairs: &Pairs) -> String {
    let Pairs { opening, closing, opened, closed, unclosed, unopened, open } = *pairs;
    let is_recording = part == PartName::RecordingPauses;
    let noun = if part == PartName::Connection { "loss" } else { "pause" };
    let done = closing.rsplit('.').next().unwrap_or_default();
    let mut words = vec![format!("{}, {closed} {done}", plural(opened, noun))];
    if unclosed > 0 {
        let next = if is_recording { noun } else { opening };
        words.push(format!("{} missing before the next {next}", each(unclosed, closing)));
    }
    if unopened > 0 {
        words.push(format!("{} missing before {closing}", each(unopened, opening)));
    }
    if let Some(open) = open {
        let since = moment(open.since);
        words.push(match open.reason {
            OpenReason::StillOpen if is_recording => "still paused".to_owned(),
            OpenReason::StillOpen => format!("open since {since}"),
            OpenReason::UntilEnd if is_recording => "paused until its end".to_owned(),
            OpenReason::UntilEnd => format!("the last one lasted until the end, from {since}"),
            OpenReason::WentOn if is_recording => {
                format!("chunks go on after the last pause, and {closing} is not there")
            }
            OpenReason::WentOn => format!("no {closing} after {since}, although the session went on"),
            OpenReason::BrokenOff => format!("no {closing} after {since}"),
        });
    }
    words.join("; ")
}

fn lines_words(events: u64, lines: &Series) -> String {
    let mut words = Vec::new();
    match lines.span {
        Some(span) => words.push(format!("{}, {span}", plural(events, "line"))),
        // Lines without a number are counted below.
        None if lines.missing.is_empty() => {}
        None => words.push("no line".to_owned()),
    }
    if !lines.missing.is_empty() {
        words.push(format!("missing {}", listed_ranges(&lines.missing)));
    }
    if lines.missing == [(Range { first: 0, last: 0 })] {
        words.push("unless its source counts from 1".to_owned());
    }
    if lines.without_number > 0 {
        words.push(format!("{} without a number", plural(lines.without_number, "line")));
    }
    if !lines.duplicates.is_empty() {
        words.push(format!("more than once {}", listed_ranges(&lines.duplicates)));
    }
    words.join("; ")
}

fn chunks_words(events: u64, chunks: &Chunks) -> String {
    let Series { span, missing, duplicates, without_number } = &chunks.numbers;
    let mut words = vec![match span {
        Some(span) => format!("{}, {span}", plural(events, "chunk")),
        None if chunks.announced == Some(0) && events == 0 => "none, as recording.ended announces".to_owned(),
        None => "none".to_owned(),
    }];
    if !missing.is_empty() {
        words.push(format!("missing {}", listed_ranges(missing)));
    }
    if !chunks.gaps.is_empty() {
        words.push(format!("not covered {}", listed_gaps(&chunks.gaps)));
    }
    if !chunks.paused.is_empty() {
        words.push(format!("paused {}", listed_gaps(&chunks.paused)));
    }
    if *without_number > 0 {
        words.push(format!("{} without a number", plural(*without_number, "chunk")));
    }
    if chunks.without_times > 0 {
        words.push(format!("{} without times", plural(chunks.without_times, "chunk")));
    }
    if let Some(announced) = chunks.too_few_announced() {
        words.push(format!("recording.ended announces {announced}"));
    }
    if let Some(last) = chunks.marked_too_early() {
        words.push(format!("{last} is marked as the last one"));
    }
    if !duplicates.is_empty() {
        words.push(format!("more than once {}", listed_ranges(duplicates)));
    }
    if events > 0 && chunks.is_growing {
        words.push("goes on".to_owned());
    } else if events > 0 && !chunks.has_end() {
        words.push("none is the last one, and no event states how many there were".to_owned());
    }
    words.join("; ")
}

fn silence_words(silence: &Silence, state: State) -> String {
    let Silence { newest, seconds, limit_seconds } = silence;
    let (age, limit) = (duration(*seconds), duration(*limit_seconds));
    match state {
        State::Open => format!("still open: {newest} was {age} ago, less than {limit}"),
        _ => format!("it broke off: nothing since {newest} {age} ago, more than {limit}"),
    }
}

fn listed_ranges(ranges: &[Range]) -> String {
    listed(ranges, "ranges", ToString::to_string)
}

fn listed_gaps(gaps: &[Gap]) -> String {
    listed(gaps, "gaps", |gap| {
        let length = u64::try_from(gap.milliseconds).unwrap_or(0);
        format!("{} ms between {} and {} (from {} ms)", count(length), gap.after, gap.before, gap.first_ms)
    })
}

fn listed<T>(all: &[T], noun: &str, words: impl Fn(&T) -> String) -> String {
    let first: Vec<String> = all.iter().take(MAX_LISTED).map(words).collect();
    let more = match all.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more {noun}"),
    };
    format!("{}{more}", first.join(", "))
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ").replace('Z', " UTC")
}

fn plural(number: u64, noun: &str) -> String {
    let ending = if noun.ends_with('s') { "es" } else { "s" };
    counted(number, noun, &format!("{noun}{ending}"))
}

fn each(number: u64, type_: &str) -> String {
    format!("{number} {type_} {}", if number == 1 { "is" } else { "are" })
}
