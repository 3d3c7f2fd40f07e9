//! What happened, in words. Pure.

use holdfast_timeline::Event;
use serde_json::Value;

use crate::cli::session::rows::{Row, text};
use crate::render::text::{bytes, duration, printable};

/// What happened, in a few words, and more about it.
pub(super) fn describe(event: &Event) -> (String, String) {
    let Event { type_, fields, redacted, .. } = event;
    let type_ = type_.as_str();
    let say = |name: &str| printable(text(fields, name)).into_owned();
    let label = match type_ {
        "chat.line" => format!("{}:", say("sender")),
        "code.issued" | "code.redeemed" | "code.cancelled" | "code.expired" => type_.replace('.', " "),
        _ => type_.replace("session.", "").replace(['.', '_'], " "),
    };
    let quoted = |name: &str| match say(name) {
        text if text.is_empty() => text,
        text => format!("\"{text}\""),
    };
    let words = match type_ {
        "chat.line" => match redacted {
            Some(reason) => format!("[redacted: {}]", printable(reason)),
            None if fields.contains_key("text") => say("text"),
            None => "[withheld]".to_owned(),
        },
        "session.requested" => join([mode(&say("mode")), say("portal"), say("customer_name"), quoted("question")]),
        "session.queued" => join([say("queue"), with("place", fields.get("position")), say("skill")]),
        "session.abandoned" | "session.declined" | "session.failed" => {
            join([say("reason"), prefixed("while in ", &say("stage")), waited(fields)])
        }
        "consent.recorded" => {
            let granted =
                if fields.get("granted").and_then(Value::as_bool) == Some(true) { "granted" } else { "refused" };
            join([format!("{} {granted}", say("what").replace('_', " ")), prefixed("by ", &say("by"))])
        }
        "session.started" => {
            join([prefixed("agent ", &either(say("agent_name"), say("agent_id"))), waited(fields), say("platform")])
        }
        "session.transferred" => {
            join([format!("{} to {}", say("from_agent"), say("to_agent")), say("reason"), quoted("note")])
        }
        "session.joined" | "session.left" => join([say("role"), either(say("name"), say("participant_id"))]),
        "session.linked" => join([prefixed("ticket ", &say("ticket")), quoted("note")]),
        "session.noted" => join([say("author"), quoted("note")]),
        "session.ended" => {
            join([prefixed("by ", &say("ended_by")), say("resolution"), seconds(fields, "duration"), quoted("notes")])
        }
        "connection.restored" => join([say("cause"), prefixed("after ", &seconds(fields, "gap"))]),
        "reboot.requested" => {
            let is_safe = fields.get("safe_mode").and_then(Value::as_bool) == Some(true);
            join([say("cause"), if is_safe { "into safe mode".to_owned() } else { String::new() }])
        }
        "diagnostics.collected" => join([
            say("kind"),
            say("hostname"),
            format!("{} {}", say("os"), say("os_version")).trim().to_owned(),
            say("cpu"),
            listed(fields, "apps", "applications"),
        ]),
        "file.sent" | "file.received" => join([quoted("name"), size(fields), say("media_type")]),
        "control.viewed" | "control.granted" | "control.released" => {
            join([say("participant_id"), list(fields.get("permissions"))])
        }
        "chat.redacted" => join([with("line", fields.get("seq")), prefixed("by ", &say("by")), say("reason")]),
        "recording.started" => join([say("recording_id"), say("media_type"), dimensions(fields)]),
        "recording.paused" | "recording.resumed" => {
            join([say("recording_id"), say("reason"), prefixed("by ", &say("by"))])
        }
        "recording.ended" => join([say("recording_id"), seconds(fields, "duration"), counted_chunks(fields)]),
        "survey.submitted" => {
            let resolved = match text(fields, "resolved") {
                "yes" => "resolved".to_owned(),
                "no" => "not resolved".to_owned(),
                other => printable(other).into_owned(),
            };
            join([
                fields.get("rating").map(|rating| format!("{rating} of 5")).unwrap_or_default(),
                resolved,
                quoted("feedback"),
            ])
        }
        "code.issued" | "code.redeemed" | "code.cancelled" | "code.expired" => {
            join([prefixed("ticket ", &say("ticket")), say("reason")])
        }
        _ => everything(fields),
    };
    (label, words)
}

fn join<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn prefixed(prefix: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{prefix}{text}") }
}

fn either(one: String, other: String) -> String {
    if one.is_empty() { other } else { one }
}

fn with(prefix: &str, value: Option<&Value>) -> String {
    value.map(|value| format!("{prefix} {}", plain(value))).unwrap_or_default()
}

fn mode(mode: &str) -> String {
    if mode.is_empty() { String::new() } else { format!("by {mode}") }
}

fn waited(fields: &Row) -> String {
    prefixed("waited ", &seconds(fields, "waited"))
}

fn seconds(fields: &Row, name: &str) -> String {
    fields.get(name).and_then(Value::as_f64).map(duration).unwrap_or_default()
}

fn size(fields: &Row) -> String {
    fields.get("size").and_then(Value::as_u64).map(bytes).unwrap_or_default()
}

fn dimensions(fields: &Row) -> String {
    match (fields.get("width"), fields.get("height")) {
        (Some(width), Some(height)) => format!("{width} x {height}"),
        _ => String::new(),
    }
}

fn counted_chunks(fields: &Row) -> String {
    fields.get("chunks").and_then(Value::as_u64).map(|chunks| format!("{chunks} chunks")).unwrap_or_default()
}

fn listed(fields: &Row, name: &str, what: &str) -> String {
    fields.get(name).and_then(Value::as_array).map(|list| format!("{} {what}", list.len())).unwrap_or_default()
}

fn list(value: Option<&Value>) -> String {
    let list = value.and_then(Value::as_array);
    list.map(|list| list.iter().map(plain).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

/// A value as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text).into_owned(),
        other => printable(&other.to_string()).into_owned(),
    }
}

/// All fields, for a type that has no words of its own.
fn everything(fields: &Row) -> String {
    let parts: Vec<String> =
        fields.iter().map(|(name, value)| format!("{} {}", printable(name), plain(value))).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use holdfast_timeline::{Entry, Facts, timeline};
    use serde_json::json;

    use super::*;
    use crate::cli::session::facts::event;

    fn row(value: Value) -> Row {
        match value {
            Value::Object(row) => row,
            _ => panic!("not an object"),
        }
    }

    /// What is printed of events with these columns.
    fn described(rows: impl IntoIterator<Item = Value>) -> Vec<(String, String)> {
        let events = rows.into_iter().map(|columns| {
            let mut columns = row(columns);
            columns.insert("time".to_owned(), json!("2026-05-10T08:00:00Z"));
            event(columns).unwrap()
        });
        let time_line = timeline(Facts { events: events.collect(), ..Facts::default() });
        let entries = time_line.entries.iter().map(|entry| match entry {
            Entry::Event(event) => describe(event),
            Entry::Chunks(run) => panic!("{run:?} is no event"),
        });
        entries.collect()
    }

    #[test]
    fn redacted_lines_lose_their_text_and_others_do_not() {
        let line = |seq: i64| json!({"type": "chat.line", "seq": seq, "sender": "customer", "data": format!("{{\"seq\":{seq},\"text\":\"4111 1111\"}}")});
        let described = described([line(0), line(1), json!({"type": "chat.redacted", "seq": 1, "reason": "pci"})]);
        let (label, words) = &described[0];
        assert_eq!((label.as_str(), words.as_str()), ("customer:", "4111 1111"));
        let (label, words) = &described[1];
        assert_eq!((label.as_str(), words.as_str()), ("customer:", "[redacted: pci]"));
    }

    #[test]
    fn events_are_described_in_words() {
        let describe = |type_: &str, value: Value| {
            let described = described([json!({"id": "1", "type": type_, "data": value.to_string()})]);
            format!("{} | {}", described[0].0, described[0].1)
        };
        assert_eq!(
            describe(
                "session.started",
                json!({"agent_id": "a", "agent_name": "Ann", "waited": 65, "platform": "Windows 11"})
            ),
            "started | agent Ann, waited 1 min 5 s, Windows 11"
        );
        assert_eq!(describe("file.sent", json!({"name": "a.exe", "size": 2048})), "file sent | \"a.exe\", 2.00 KiB");
        assert_eq!(
            describe("survey.submitted", json!({"rating": 2, "resolved": "no", "feedback": "slow"})),
            "survey submitted | 2 of 5, not resolved, \"slow\""
        );
        assert_eq!(describe("vendor.thing", json!({"a": 1, "b": "x\u{1b}"})), "vendor thing | a 1, b x\\u{1b}");
        assert_eq!(describe("session.noted", json!({})), "noted | ");
    }

    #[test]
    fn a_withheld_text_is_named_as_withheld() {
        let described = described([json!({"type": "chat.line", "seq": 3, "sender": "agent"})]);
        assert_eq!(described[0].1, "[withheld]");
    }
}
