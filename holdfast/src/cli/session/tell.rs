//! The story as text. Pure.

use serde_json::Value;

use super::words::{describe, fields, text};
use super::{Row, Told};
use crate::render::text::{bytes, counted, duration, printable, width};

/// Columns of the label.
const LABEL: usize = 20;
/// Where the words begin: the time, two spaces, the label.
const INDENT: usize = 10 + LABEL;

/// Tells it. `limit` is the terminal's width.
pub(super) fn tell(told: &Told, limit: Option<usize>, is_coloured: bool) -> String {
    let mut page = Page { out: String::new(), limit, is_coloured };
    page.heading(&format!("Session {}", printable(&told.session)));
    for (label, words) in head(&told.summary) {
        page.entry("", &label, &words);
    }
    let mut day = String::new();
    let mut chunks: Option<Chunks> = None;
    for event in &told.events {
        let kind = text(event, "type");
        if kind == "recording.chunk" {
            let goes_on = chunks.as_mut().is_some_and(|run| run.take(event));
            if !goes_on {
                page.chunks(chunks.take());
                chunks = Some(Chunks::new(event));
            }
            continue;
        }
        page.chunks(chunks.take());
        let (date, time) = when(event);
        if date != day {
            page.heading(&format!("\n{date}"));
            day = date.to_owned();
        }
        let (label, mut words) = describe(kind, &fields(event));
        if event.get("deliveries").and_then(Value::as_i64).is_some_and(|deliveries| deliveries > 1) {
            words.push_str(" [delivered more than once]");
        }
        page.entry(time, &label, &words);
    }
    page.chunks(chunks.take());
    if !told.recordings.is_empty() {
        page.heading("\nRecordings");
        for recording in &told.recordings {
            page.entry("", text(recording, "recording_id"), &about_recording(recording));
        }
    }
    if !told.notices.is_empty() {
        page.out.push('\n');
        for notice in &told.notices {
            page.line(&format!("notice: {notice}"));
        }
    }
    page.out
}

/// What is said at the top.
fn head(summary: &Row) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut add = |label: &str, words: String| {
        if !words.is_empty() {
            lines.push((label.to_owned(), words));
        }
    };
    let say = |name: &str| printable(text(summary, name)).into_owned();
    add(
        "state",
        if summary.get("broken_off") == Some(&Value::Bool(true)) {
            format!("{}; it broke off, no end was seen", say("state"))
        } else {
            say("state")
        },
    );
    for name in ["ticket", "customer", "portal", "agent"] {
        add(name, say(name));
    }
    add("requested", moment(&say("requested_at")));
    add("started", moment(&say("started_at")));
    add("ended", moment(&say("ended_at")));
    let number = |name: &str| summary.get(name).and_then(Value::as_f64);
    add("waited", number("waited").map(duration).unwrap_or_default());
    add("handled", number("handled").map(duration).unwrap_or_default());
    add("agent's outcome", say("resolution"));
    let rating = summary.get("rating").map(|rating| format!("{rating} of 5")).unwrap_or_default();
    let resolved = match text(summary, "resolved") {
        "" => String::new(),
        answer => format!("resolved: {}", printable(answer)),
    };
    add(
        "customer's answer",
        [rating, resolved].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
    );
    lines
}

fn moment(time: &str) -> String {
    match (time.get(..10), time.get(11..19)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => time.to_owned(),
    }
}

fn when(event: &Row) -> (&str, &str) {
    let time = text(event, "time");
    (time.get(..10).unwrap_or(time), time.get(11..19).unwrap_or_default())
}

fn about_recording(row: &Row) -> String {
    let number = |name: &str| row.get(name).and_then(Value::as_u64);
    let mut parts = vec![counted(number("chunks").unwrap_or(0), "chunk", "chunks")];
    if let Some(size) = number("bytes") {
        parts.push(bytes(size));
    }
    if let (Some(first), Some(last)) = (number("first_ms"), number("last_ms")) {
        parts.push(duration(last.saturating_sub(first) as f64 / 1000.0));
    }
    parts.push(match (row.get("complete"), text(row, "missing")) {
        (Some(Value::Bool(true)), _) => "complete".to_owned(),
        (_, "") => "incomplete: its end was not seen".to_owned(),
        (_, missing) => format!("incomplete: missing {}", printable(missing)),
    });
    parts.join(", ")
}

/// Consecutive chunks of one recording.
struct Chunks {
    recording: String,
    time: String,
    first: i64,
    last: i64,
    count: u64,
    bytes: u64,
}

impl Chunks {
    fn new(event: &Row) -> Self {
        let seq = event.get("seq").and_then(Value::as_i64).unwrap_or(0);
        Self {
            recording: text(event, "recording_id").to_owned(),
            time: when(event).1.to_owned(),
            first: seq,
            last: seq,
            count: 1,
            bytes: event.get("size").and_then(Value::as_u64).unwrap_or(0),
        }
    }

    /// Whether the event goes on with this run.
    fn take(&mut self, event: &Row) -> bool {
        let next = Self::new(event);
        if next.recording != self.recording || next.first != self.last + 1 {
            return false;
        }
        self.last = next.last;
        self.count += 1;
        self.bytes += next.bytes;
        true
    }
}

struct Page {
    out: String,
    limit: Option<usize>,
    is_coloured: bool,
}

impl Page {
    fn heading(&mut self, words: &str) {
        let line = if self.is_coloured { format!("\x1b[1m{words}\x1b[0m") } else { words.to_owned() };
        self.line(&line);
    }

    fn line(&mut self, words: &str) {
        self.out.push_str(words);
        self.out.push('\n');
    }

    fn chunks(&mut self, run: Option<Chunks>) {
        let Some(run) = run else { return };
        let which = if run.first == run.last {
            format!("chunk {}", run.first)
        } else {
            format!("chunks {} to {}", run.first, run.last)
        };
        let words = format!("{}, {which}, {}", printable(&run.recording), bytes(run.bytes));
        self.entry(&run.time, "recorded", &words);
    }

    /// A time, a label and words, which are wrapped under themselves.
    fn entry(&mut self, time: &str, label: &str, words: &str) {
        let mut line = format!("{time:8}  {label}");
        let used = width(&line);
        line.push_str(&" ".repeat(if used + 1 < INDENT { INDENT - used } else { 2 }));
        let begin = width(&line);
        let room = self.limit.map_or(usize::MAX, |limit| limit.saturating_sub(INDENT).max(20));
        let first = self.limit.map_or(usize::MAX, |limit| limit.saturating_sub(begin).max(20));
        for (index, part) in wrap(words, first, room).into_iter().enumerate() {
            if index > 0 {
                line.push('\n');
                line.push_str(&" ".repeat(INDENT));
            }
            line.push_str(&part);
        }
        let line = line.trim_end().to_owned();
        self.line(&line);
    }
}

/// Lines of at most `first` columns, then `room`, broken at spaces.
pub(super) fn wrap(words: &str, first: usize, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let limit = if lines.len() == 1 { first } else { room };
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= limit {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Row {
        match value {
            Value::Object(row) => row,
            _ => panic!("not an object"),
        }
    }

    #[test]
    fn a_story_reads_in_order() {
        let event = |time: &str, kind: &str, more: Value| {
            let mut event = row(json!({"type": kind, "time": format!("2026-05-10T{time}Z")}));
            event.extend(row(more));
            event
        };
        let chunk =
            |seq: i64| event("08:01:00", "recording.chunk", json!({"recording_id": "r-1", "seq": seq, "size": 1024}));
        let told = Told {
            session: "s-1".to_owned(),
            summary: row(
                json!({"state": "ended", "ticket": "T-7", "rating": 4, "resolved": "yes", "handled": 120.0, "broken_off": false}),
            ),
            recordings: vec![row(
                json!({"recording_id": "r-1", "chunks": 3, "bytes": 3072, "first_ms": 0, "last_ms": 9000, "complete": false, "missing": "2"}),
            )],
            events: vec![
                event("08:00:00", "session.queued", json!({"queue": "q"})),
                event("08:00:05", "chat.line", json!({"sender": "customer", "data": {"text": "hello there"}})),
                chunk(0),
                chunk(1),
                chunk(3),
                event("08:02:00", "session.ended", json!({"ended_by": "agent", "deliveries": 2})),
            ],
            notices: vec!["column `data` is withheld".to_owned()],
        };
        let text = tell(&told, None, false);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let expected = [
            "Session s-1",
            "state               ended",
            "ticket              T-7",
            "handled             2 min",
            "customer's answer   4 of 5, resolved: yes",
            "",
            "2026-05-10",
            "08:00:00  queued              q",
            "08:00:05  customer:           hello there",
            "08:01:00  recorded            r-1, chunks 0 to 1, 2.00 KiB",
            "08:01:00  recorded            r-1, chunk 3, 1.00 KiB",
            "08:02:00  ended               by agent [delivered more than once]",
            "",
            "Recordings",
            "r-1                 3 chunks, 3.00 KiB, 9 s, incomplete: missing 2",
            "",
            "notice: column `data` is withheld",
        ];
        assert_eq!(lines, expected, "{text}");
    }

    #[test]
    fn words_are_wrapped_under_themselves() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("", 7, 5), [""]);
        assert_eq!(wrap("unbreakable", 3, 3), ["unbreakable"]);
    }
}
