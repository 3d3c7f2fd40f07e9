//! The time line as text. Pure.

use chrono::{DateTime, Utc};
use holdfast_timeline::{ChunkRun, Entry, RecordingSummary, SessionSummary, TimeLine};

use super::describe::describe;
use crate::cli::session::wrap::wrap;
use crate::render::text::{bytes, counted, duration, printable, width};

/// Columns of the label.
const LABEL: usize = 20;
/// Where the words begin: the time, two spaces, the label.
const INDENT: usize = 10 + LABEL;

/// The time line, with `notices` below it. `limit` is the terminal's width.
pub(super) fn text(time_line: &TimeLine, notices: &[String], limit: Option<usize>, is_coloured: bool) -> String {
    let mut page = Page { out: String::new(), limit, is_coloured };
    page.heading(&format!("Session {}", printable(&time_line.session)));
    for (label, words) in head(&time_line.summary) {
        page.entry("", label, &words);
    }
    let mut day = String::new();
    for entry in &time_line.entries {
        match entry {
            Entry::Event(event) => {
                let date = date(event.time);
                if date != day {
                    page.heading(&format!("\n{date}"));
                    day = date;
                }
                let (label, mut words) = describe(event);
                if event.deliveries > 1 {
                    words.push_str(" [delivered more than once]");
                }
                page.entry(&clock(event.time), &label, &words);
            }
            Entry::Chunks(run) => page.entry(&clock(run.time), "recorded", &chunks(run)),
        }
    }
    if !time_line.recordings.is_empty() {
        page.heading("\nRecordings");
        for summary in &time_line.recordings {
            page.entry("", &summary.recording_id, &recording(summary));
        }
    }
    if !notices.is_empty() {
        page.out.push('\n');
        for notice in notices {
            page.line(&format!("notice: {notice}"));
        }
    }
    page.out
}

fn date(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

fn clock(time: DateTime<Utc>) -> String {
    time.format("%H:%M:%S").to_string()
}

/// The lines at the top, without those that are empty.
fn head(summary: &SessionSummary) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| printable(text.as_deref().unwrap_or_default()).into_owned();
    let moment = |time: Option<DateTime<Utc>>| {
        time.map(|time| format!("{} {} UTC", date(time), clock(time))).unwrap_or_default()
    };
    let mut state = text(&summary.state);
    if summary.broken_off {
        state.push_str("; it broke off, no end was seen");
    }
    let rating = summary.rating.map(|rating| format!("{rating} of 5"));
    let resolved = Some(text(&summary.resolved)).filter(|answer| !answer.is_empty());
    let resolved = resolved.map(|answer| format!("resolved: {answer}"));
    let lines = [
        ("state", state),
        ("ticket", text(&summary.ticket)),
        ("customer", text(&summary.customer)),
        ("portal", text(&summary.portal)),
        ("agent", text(&summary.agent)),
        ("requested", moment(summary.requested_at)),
        ("started", moment(summary.started_at)),
        ("ended", moment(summary.ended_at)),
        ("waited", summary.waited.map(duration).unwrap_or_default()),
        ("handled", summary.handled.map(duration).unwrap_or_default()),
        ("agent's outcome", text(&summary.resolution)),
        ("customer's answer", rating.into_iter().chain(resolved).collect::<Vec<_>>().join(", ")),
    ];
    lines.into_iter().filter(|(_, words)| !words.is_empty()).collect()
}

fn chunks(run: &ChunkRun) -> String {
    let which = match run.numbers {
        None => "a chunk without a number".to_owned(),
        Some(numbers) if numbers.first == numbers.last => format!("chunk {}", numbers.first),
        Some(numbers) => format!("chunks {} to {}", numbers.first, numbers.last),
    };
    let recording = run.recording_id.as_deref().unwrap_or_default();
    format!("{}, {which}, {}", printable(recording), bytes(run.bytes))
}

fn recording(summary: &RecordingSummary) -> String {
    let mut parts = vec![counted(summary.chunks, "chunk", "chunks")];
    parts.extend(summary.bytes.map(bytes));
    if let (Some(first), Some(last)) = (summary.first_ms, summary.last_ms) {
        parts.push(duration(last.saturating_sub(first) as f64 / 1000.0));
    }
    parts.push(match summary.missing.as_deref() {
        _ if summary.complete => "complete".to_owned(),
        None | Some("") => "incomplete: its end was not seen".to_owned(),
        Some(missing) => format!("incomplete: missing {}", printable(missing)),
    });
    parts.join(", ")
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

    /// A time, a label and words, which are wrapped in their own column.
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

#[cfg(test)]
mod tests {
    use holdfast_timeline::{Facts, timeline};
    use serde_json::{Value, json};

    use crate::cli::session::facts::{event, recording, summary};
    use crate::cli::session::rows::Row;

    fn row(value: Value) -> Row {
        match value {
            Value::Object(row) => row,
            _ => panic!("not an object"),
        }
    }

    #[test]
    fn a_time_line_is_printed_in_order() {
        let at = |time: &str, kind: &str, more: Value| {
            let mut columns = row(json!({"type": kind, "time": format!("2026-05-10T{time}Z")}));
            columns.extend(row(more));
            event(columns).unwrap()
        };
        let chunk =
            |seq: i64| at("08:01:00", "recording.chunk", json!({"recording_id": "r-1", "seq": seq, "size": 1024}));
        let time_line = timeline(Facts {
            session: "s-1".to_owned(),
            summary: summary(&row(
                json!({"state": "ended", "ticket": "T-7", "rating": 4, "resolved": "yes", "handled": 120.0, "broken_off": false}),
            ))
            .unwrap(),
            recordings: vec![recording(&row(
                json!({"recording_id": "r-1", "chunks": 3, "bytes": 3072, "first_ms": 0, "last_ms": 9000, "complete": false, "missing": "2"}),
            ))],
            events: vec![
                at("08:00:00", "session.queued", json!({"queue": "q"})),
                at("08:00:05", "chat.line", json!({"sender": "customer", "data": "{\"text\":\"hello there\"}"})),
                chunk(0),
                chunk(1),
                chunk(3),
                at("08:02:00", "session.ended", json!({"ended_by": "agent", "deliveries": 2})),
            ],
            withheld: Vec::new(),
        });
        let text = super::text(&time_line, &["column `data` is withheld".to_owned()], None, false);
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
    fn a_session_that_broke_off_states_so_at_the_top() {
        let row = row(json!({"state": "started", "broken_off": true, "started_at": "2026-05-10T08:00:00.75Z"}));
        let facts = Facts { summary: summary(&row).unwrap(), ..Facts::default() };
        let text = super::text(&timeline(facts), &[], None, false);
        assert!(text.contains("state               started; it broke off, no end was seen\n"), "{text}");
        assert!(text.contains("started             2026-05-10 08:00:00 UTC\n"), "{text}");
    }
}
