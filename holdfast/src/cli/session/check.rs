//! `holdfast session ID --completeness`: reads what is operational of a session's events, and tells what was judged.
//!
//! ```text
//! archive.events (operational columns) ─▶ facts ─▶ completeness ─┬▶ a table and a sentence
//! the log of dead letters ───────────────▶ their number ─────────┴▶ one JSON object
//! ```

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use holdfast_archive::{Archive, Table};
use serde::Serialize;
use serde_json::Value;

use super::completeness::{Completeness, Fact, Part, Status, Verdict, completeness};
use super::tell::wrap;
use super::{Outcome, Row, unknown};
use crate::render::answer;
use crate::render::text::{counted, printable, width};
use crate::wiring::query::literal;

/// Columns between two columns.
const GAP: usize = 2;
/// What the words get at least, however narrow the terminal is.
const NARROWEST: usize = 20;

/// What is said of a session.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    session: String,
    #[serde(flatten)]
    found: Completeness,
    /// Messages of the whole archive that are no events, so that nobody knows of which session they would be.
    dead_letters_in_archive: u64,
}

/// Judges the session `id`, as far as it is archived.
pub(super) async fn check(archive: &Archive, caller: &holdfast_query::Session, id: &str) -> anyhow::Result<Checked> {
    // Only columns of the operational tier, so that its key is enough. The JSON is asked for where something of it is used.
    let sql = format!(
        "SELECT CASE WHEN time_implausible THEN archived_at ELSE time END AS time, kafka_topic, kafka_partition, \
             kafka_offset, source, id, type, seq, recording_id, first_ms, last_ms, last, participant_id, \
             problems IS NOT NULL AS has_problems, \
             CASE WHEN type IN ('recording.ended', 'recording.paused', 'recording.resumed', 'consent.recorded') \
                 THEN operational END AS operational \
         FROM archive.events WHERE subject = {} ORDER BY time, kafka_offset",
        literal(id)
    );
    let rows = answer::objects(caller.sql(&sql).await?).await?;
    let facts = rows.iter().map(fact).collect::<anyhow::Result<Vec<Fact>>>()?;
    let found = completeness(&facts, Utc::now()).ok_or_else(|| unknown(id))?;
    let letters = archive.table(Table::DeadLetters).snapshot().await?;
    let dead_letters_in_archive = letters.files.iter().map(|file| file.rows).sum();
    Ok(Checked { session: id.to_owned(), found, dead_letters_in_archive })
}

fn fact(row: &Row) -> anyhow::Result<Fact> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| row.get(name).and_then(Value::as_i64);
    let is = |name: &str| row.get(name).and_then(Value::as_bool).unwrap_or(false);
    let more: Value = match row.get("operational").and_then(Value::as_str) {
        Some(json) => serde_json::from_str(json).context("the column `operational` of an event is not JSON")?,
        None => Value::Null,
    };
    let time = text("time").context("an event has no time")?;
    Ok(Fact {
        time: DateTime::parse_from_rfc3339(&time).context("an event's time is not RFC 3339")?.to_utc(),
        place: (
            text("kafka_topic").unwrap_or_default(),
            number("kafka_partition").unwrap_or_default(),
            number("kafka_offset").unwrap_or_default(),
        ),
        source: text("source").unwrap_or_default(),
        id: text("id").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        seq: number("seq"),
        recording: text("recording_id"),
        first_ms: number("first_ms"),
        last_ms: number("last_ms"),
        last: is("last"),
        participant: text("participant_id"),
        chunks: more["chunks"].as_i64(),
        at_ms: more["at_ms"].as_i64(),
        what: more["what"].as_str().map(str::to_owned),
        granted: more["granted"].as_bool(),
        has_problems: is("has_problems"),
    })
}

impl Checked {
    pub(super) fn outcome(&self) -> Outcome {
        match self.found.verdict {
            Verdict::Incomplete => Outcome::Found,
            Verdict::Complete | Verdict::Open => Outcome::Success,
        }
    }

    /// For people. `limit` is the terminal's width.
    pub(super) fn tell(&self, limit: Option<usize>, is_coloured: bool) -> String {
        let found = &self.found;
        let paint = |code: &str, words: &str| match is_coloured {
            true => format!("\x1b[{code}m{words}\x1b[0m"),
            false => words.to_owned(),
        };
        let title = format!("Session {}", printable(&self.session));
        let mut lines = vec![paint("1", &title), String::new()];

        let names: Vec<String> = found.parts.iter().map(|part| printable(&part.name()).into_owned()).collect();
        let first = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let second = Status::NotExpected.words().len();
        let indent = first + second + 2 * GAP;
        let room = limit.map_or(usize::MAX, |limit| limit.saturating_sub(indent).max(NARROWEST));
        let row = |name: &str, status: &str, words: &str| {
            let pad = |text: &str, columns: usize| " ".repeat((columns + GAP).saturating_sub(width(text)));
            format!("{name}{}{status}{}{words}", pad(name, first), pad(status, second)).trim_end().to_owned()
        };
        let details: Vec<Vec<String>> =
            found.parts.iter().map(|part| wrap(&printable(&part.detail), room, room)).collect();
        let third = details.iter().flatten().map(|line| width(line)).max().unwrap_or(0);
        lines.push(paint("1", &row("part", "status", "detail")));
        lines.push(row(&"─".repeat(first), &"─".repeat(second), &"─".repeat(third)));
        for ((part, name), words) in found.parts.iter().zip(&names).zip(&details) {
            for (index, words) in words.iter().enumerate() {
                let line = match index {
                    0 => row(name, part.status.words(), words),
                    _ => format!("{}{words}", " ".repeat(indent)),
                };
                lines.push(if part.status.is_found() { paint("31", &line) } else { line });
            }
        }

        lines.push(String::new());
        let mut counts = vec![counted(found.events, "event", "events")];
        if found.repetitions > 0 {
            counts.push(counted(found.repetitions, "repetition", "repetitions"));
        }
        counts.push(match found.with_problems {
            0 => "none with problems".to_owned(),
            number => {
                format!("{} with problems (column `problems` of archive.events)", counted(number, "event", "events"))
            }
        });
        lines.push(format!("{}.", counts.join(", ")));
        if self.dead_letters_in_archive > 0 {
            let letters = counted(self.dead_letters_in_archive, "dead letter", "dead letters");
            lines.push(format!("{letters} in the archive: nobody knows of which session."));
        }
        lines.push(paint("1", &printable(&sentence(found))));
        lines.push(String::new());
        lines.join("\n")
    }
}

/// The verdict.
fn sentence(found: &Completeness) -> String {
    let of = |status: Status| {
        let names: Vec<String> = found.parts.iter().filter(|part| part.status == status).map(Part::name).collect();
        (names.len() as u64, names.join(", "))
    };
    let parts = |(number, names): (u64, String), what: &str| {
        format!("{} {what}: {names}", counted(number, "part is", "parts are"))
    };
    let (missing, broken) = (of(Status::Missing), of(Status::Broken));
    match found.verdict {
        Verdict::Complete => "Complete.".to_owned(),
        Verdict::Open => format!("Nothing is missing so far; {}.", parts(of(Status::Open), "still open")),
        Verdict::Incomplete if broken.0 == 0 => format!("{}.", parts(missing, "missing")),
        Verdict::Incomplete if missing.0 == 0 => format!("{}.", parts(broken, "broken")),
        Verdict::Incomplete => format!("{}; {}.", parts(missing, "missing"), parts(broken, "broken")),
    }
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

    /// A session that broke off in its recording.
    fn checked() -> Checked {
        let event = |id: u32, kind: &str, more: Value| {
            let mut event = row(json!({
                "time": format!("2026-05-10T08:{:02}:{:02}Z", id / 60, id % 60), "kafka_topic": "t", "kafka_partition": 0,
                "kafka_offset": id, "source": "urn:x", "id": id.to_string(), "type": kind, "has_problems": id == 3,
            }));
            event.extend(row(more));
            fact(&event).unwrap()
        };
        let consent = r#"{"what":"recording","granted":true}"#;
        let facts = [
            event(1, "session.requested", json!({})),
            event(2, "consent.recorded", json!({"operational": consent})),
            event(3, "session.started", json!({})),
            event(4, "chat.line", json!({"seq": 0})),
            event(5, "chat.line", json!({"seq": 2})),
            event(5, "chat.line", json!({"seq": 2})),
            event(6, "recording.started", json!({"recording_id": "r\u{1b}"})),
            event(7, "recording.chunk", json!({"recording_id": "r\u{1b}", "seq": 0, "first_ms": 0, "last_ms": 999})),
            event(8, "recording.paused", json!({"recording_id": "r\u{1b}", "operational": r#"{"at_ms":1000}"#})),
            event(9, "recording.resumed", json!({"recording_id": "r\u{1b}", "operational": r#"{"at_ms":3000}"#})),
            event(
                10,
                "recording.chunk",
                json!({"recording_id": "r\u{1b}", "seq": 1, "first_ms": 3500, "last_ms": 4000}),
            ),
        ];
        let now = "2026-05-10T12:00:10Z".parse().unwrap();
        Checked { session: "s-1".to_owned(), found: completeness(&facts, now).unwrap(), dead_letters_in_archive: 2 }
    }

    #[test]
    fn people_get_an_aligned_table_and_a_sentence() {
        let text = checked().tell(None, false);
        let expected = r"Session s-1

part               status        detail
─────────────────  ────────────  ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
request            present       2026-05-10 08:00:01 UTC
queue              not expected  nothing tells of one
start              present       2026-05-10 08:00:03 UTC
consent            present       recording granted
participants       not expected  nobody was seen joining or leaving
pauses             not expected  nothing tells of any
connection         not expected  nothing tells of any
chat               broken        2 lines, 0-2; missing 1; more than once 2
start of r\u{1b}   present       2026-05-10 08:00:06 UTC
chunks of r\u{1b}  broken        2 chunks, 0-1; not covered 500 ms between 0 and 1 (from 3000 ms); paused 2,000 ms between 0 and 1 (from 1000 ms); none is the last one, and nothing says how many there were
pauses of r\u{1b}  present       1 pause, 1 resumed
end of r\u{1b}     missing       recording.ended is not there
end                missing       it broke off: nothing since recording.chunk 4 h ago, more than 1 h
survey             not expected  it follows session.ended
diagnostics        not expected  none
files              not expected  none

10 events, 1 repetition, 1 event with problems (column `problems` of archive.events).
2 dead letters in the archive: nobody knows of which session.
2 parts are missing: end of r\u{1b}, end; 2 parts are broken: chat, chunks of r\u{1b}.
";
        let without_rule = |text: &str| text.lines().filter(|line| !line.contains('─')).collect::<Vec<_>>().join("\n");
        assert_eq!(without_rule(&text), without_rule(expected), "{text}");
        assert_eq!(checked().outcome(), Outcome::Found);
    }

    #[test]
    fn words_stay_in_their_column_of_a_narrow_terminal() {
        let text = checked().tell(Some(72), true);
        assert!(text.lines().all(|line| width(&line.replace("\x1b[31m", "").replace("\x1b[0m", "")) <= 90), "{text}");
        assert!(text.contains("\x1b[31mend  "), "{text}");
    }

    #[test]
    fn machines_get_one_object() {
        let value = serde_json::to_value(checked()).unwrap();
        assert_eq!(value["session"], "s-1");
        assert_eq!((&value["verdict"], &value["state"]), (&json!("incomplete"), &json!("broken_off")));
        assert_eq!((&value["with_problems"], &value["dead_letters_in_archive"]), (&json!(1), &json!(2)));
        let part = |name: &str| value["parts"].as_array().unwrap().iter().find(|part| part["part"] == name).unwrap();
        assert_eq!(part("chat")["missing"], json!([{"first": 1, "last": 1}]));
        assert_eq!(part("recording_chunks")["recording_id"], "r\u{1b}");
        assert_eq!(
            part("recording_chunks")["gaps"],
            json!([{"after": 0, "before": 1, "first_ms": 3000, "last_ms": 3499, "milliseconds": 500}])
        );
        assert_eq!(part("queue")["status"], "not_expected");
    }
}
