//! `holdfast session ID --completeness`: reads what is operational of a session's events, and prints which parts of it
//! are present and which are missing.
//!
//! ```text
//! archive.events (operational columns) ─▶ Delivery ─▶ holdfast_timeline::completeness ─┬▶ table: for people
//! the log of dead letters ──────────────▶ their number ────────────────────────────────┴▶ one JSON object
//! ```

mod detail;
mod table;

use chrono::{DateTime, Utc};
use holdfast_archive::{Archive, Table};
use holdfast_timeline::{
    Completeness, Delivery, Detail, Gap, Part, PartName, Range, State, Status, Verdict, completeness,
};
use serde::Serialize;

use super::facts;
use crate::render::answer;
use crate::wiring::query::literal;

/// The completeness of one session.
#[derive(Debug)]
pub(super) struct Checked {
    session: String,
    report: Completeness,
    /// Messages of the whole archive that are no events. They have no session.
    dead_letters_in_archive: u64,
}

/// The completeness of one session, for machines.
#[derive(Debug, Serialize)]
struct CheckedJson<'c> {
    session: &'c str,
    verdict: Verdict,
    state: State,
    /// Events, each counted once.
    events: u64,
    /// Deliveries beyond the first of each event.
    duplicates: u64,
    with_problems: u64,
    newest_event: DateTime<Utc>,
    parts: Vec<PartJson<'c>>,
    dead_letters_in_archive: u64,
}

/// A part, for machines.
#[derive(Debug, Serialize)]
struct PartJson<'c> {
    part: PartName,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_id: Option<&'c str>,
    status: Status,
    /// In words. Ids are as they were received.
    detail: String,
    events: u64,
    /// Numbers of lines or chunks that are missing.
    #[serde(skip_serializing_if = "<[Range]>::is_empty")]
    missing: &'c [Range],
    /// Numbers that were delivered more than once.
    #[serde(skip_serializing_if = "<[Range]>::is_empty")]
    duplicates: &'c [Range],
    /// Time of a recording that no chunk covers.
    #[serde(skip_serializing_if = "<[Gap]>::is_empty")]
    gaps: &'c [Gap],
    /// The same, while it was paused.
    #[serde(skip_serializing_if = "<[Gap]>::is_empty")]
    paused: &'c [Gap],
}

/// Judges the session `id`, as far as it is archived. `None` if the archive has no event of it.
pub(super) async fn check(
    archive: &Archive,
    caller: &holdfast_query::Session,
    id: &str,
) -> anyhow::Result<Option<Checked>> {
    // Only columns of the operational tier, so that its key is enough. The JSON is read only where a field of it is used.
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
    let deliveries = rows.iter().map(facts::delivery).collect::<anyhow::Result<Vec<Delivery>>>()?;
    let Some(report) = completeness(&deliveries, Utc::now()) else { return Ok(None) };
    let letters = archive.table(Table::DeadLetters).snapshot().await?;
    let dead_letters_in_archive = letters.files.iter().map(|file| file.rows).sum();
    Ok(Some(Checked { session: id.to_owned(), report, dead_letters_in_archive }))
}

impl Checked {
    pub(super) fn verdict(&self) -> Verdict {
        self.report.verdict
    }

    /// For machines.
    pub(super) fn json(&self) -> impl Serialize {
        let Self { session, report, dead_letters_in_archive } = self;
        let Completeness { verdict, state, events, duplicates, with_problems, newest_event, ref parts } = *report;
        CheckedJson {
            session,
            verdict,
            state,
            events,
            duplicates,
            with_problems,
            newest_event,
            parts: parts.iter().map(|part| PartJson::new(part, state)).collect(),
            dead_letters_in_archive: *dead_letters_in_archive,
        }
    }

    /// For people. `limit` is the terminal's width.
    pub(super) fn text(&self, limit: Option<usize>, is_coloured: bool) -> String {
        table::text(&self.session, &self.report, self.dead_letters_in_archive, limit, is_coloured)
    }
}

impl<'c> PartJson<'c> {
    fn new(part: &'c Part, state: State) -> Self {
        let numbers = part.detail.numbers();
        let (gaps, paused): (&[Gap], &[Gap]) = match &part.detail {
            Detail::Chunks(chunks) => (&chunks.gaps, &chunks.paused),
            _ => (&[], &[]),
        };
        Self {
            part: part.part,
            recording_id: part.recording_id.as_deref(),
            status: part.status,
            detail: detail::text(part, state),
            events: part.events,
            missing: numbers.map_or(&[], |numbers| &numbers.missing),
            duplicates: numbers.map_or(&[], |numbers| &numbers.duplicates),
            gaps,
            paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::session::rows::Row;
    use crate::render::text::width;

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
            facts::delivery(&event).unwrap()
        };
        let consent = r#"{"what":"recording","granted":true}"#;
        let deliveries = [
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
        let report = completeness(&deliveries, now).unwrap();
        Checked { session: "s-1".to_owned(), report, dead_letters_in_archive: 2 }
    }

    #[test]
    fn people_get_an_aligned_table_and_a_sentence() {
        let text = checked().text(None, false);
        let expected = r"Session s-1

part               status        detail
─────────────────  ────────────  ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
request            present       2026-05-10 08:00:01 UTC
queue              not expected  no event shows one
start              present       2026-05-10 08:00:03 UTC
consent            present       recording granted
participants       not expected  no participant was seen joining or leaving
pauses             not expected  no event shows any
connection         not expected  no event shows any
chat               broken        2 lines, 0-2; missing 1; more than once 2
start of r\u{1b}   present       2026-05-10 08:00:06 UTC
chunks of r\u{1b}  broken        2 chunks, 0-1; not covered 500 ms between 0 and 1 (from 3000 ms); paused 2,000 ms between 0 and 1 (from 1000 ms); none is the last one, and no event states how many there were
pauses of r\u{1b}  present       1 pause, 1 resumed
end of r\u{1b}     missing       recording.ended is not there
end                missing       it broke off: nothing since recording.chunk 4 h ago, more than 1 h
survey             not expected  it follows session.ended
diagnostics        not expected  none
files              not expected  none

10 events, 1 duplicate, 1 event with problems (column `problems` of archive.events).
2 dead letters in the archive, of unknown sessions.
2 parts are missing: end of r\u{1b}, end; 2 parts are broken: chat, chunks of r\u{1b}.
";
        let without_rule = |text: &str| text.lines().filter(|line| !line.contains('─')).collect::<Vec<_>>().join("\n");
        assert_eq!(without_rule(&text), without_rule(expected), "{text}");
        assert_eq!(checked().verdict(), Verdict::Incomplete);
    }

    #[test]
    fn words_stay_in_their_column_of_a_narrow_terminal() {
        let text = checked().text(Some(72), true);
        assert!(text.lines().all(|line| width(&line.replace("\x1b[31m", "").replace("\x1b[0m", "")) <= 90), "{text}");
        assert!(text.contains("\x1b[31mend  "), "{text}");
    }

    #[test]
    fn machines_get_one_object() {
        let value = serde_json::to_value(checked().json()).unwrap();
        assert_eq!(value["session"], "s-1");
        assert_eq!((&value["verdict"], &value["state"]), (&json!("incomplete"), &json!("broken_off")));
        assert_eq!((&value["with_problems"], &value["dead_letters_in_archive"]), (&json!(1), &json!(2)));
        let part = |name: &str| value["parts"].as_array().unwrap().iter().find(|part| part["part"] == name).unwrap();
        assert_eq!(value["duplicates"], 1);
        assert_eq!(part("chat")["missing"], json!([{"first": 1, "last": 1}]));
        assert_eq!(part("chat")["duplicates"], json!([{"first": 2, "last": 2}]));
        assert_eq!(part("recording_chunks")["recording_id"], "r\u{1b}");
        assert_eq!(
            part("recording_chunks")["gaps"],
            json!([{"after": 0, "before": 1, "first_ms": 3000, "last_ms": 3499, "milliseconds": 500}])
        );
        assert_eq!(part("recording_chunks")["paused"][0]["milliseconds"], 2000);
        assert_eq!(
            part("queue"),
            &json!({"part": "queue", "status": "not_expected", "detail": "no event shows one", "events": 0})
        );
    }
}
