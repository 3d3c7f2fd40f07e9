//! Events as data, and what is said of each in words. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Row;
use crate::render::text::{bytes, duration, printable};

/// Columns of an event that say where it stands, and not what happened.
const ABOUT: [&str; 28] = [
    "id",
    "source",
    "type",
    "subject",
    "time",
    "ticket",
    "agent",
    "portal",
    "customer",
    "datacontenttype",
    "dataschema",
    "archived_at",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "time_implausible",
    "problems",
    "operational",
    "personal",
    "extensions",
    "data",
    "data_binary",
    "class",
    "date",
    "deliveries",
    "object_path",
    "object_offset",
    "sha256",
];

/// Puts JSON in the place of the columns that hold it as text.
pub(super) fn parse_data(event: &mut Row) {
    for name in ["data", "operational", "personal", "extensions"] {
        if let Some(Value::String(text)) = event.get(name)
            && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
        {
            event.insert(name.to_owned(), value);
        }
    }
}

/// Takes the text out of chat lines that were redacted, as the view `archive.chat_lines` does.
pub(super) fn redact(events: &mut [Row]) {
    let reasons: BTreeMap<i64, String> = events
        .iter()
        .filter(|event| text(event, "type") == "chat.redacted")
        .filter_map(|event| Some((event.get("seq")?.as_i64()?, text(event, "reason").to_owned())))
        .collect();
    for event in events.iter_mut().filter(|event| text(event, "type") == "chat.line") {
        let Some(reason) = event.get("seq").and_then(Value::as_i64).and_then(|seq| reasons.get(&seq)) else { continue };
        let reason = reason.clone();
        if let Some(Value::Object(data)) = event.get_mut("data") {
            data.remove("text");
        }
        event.insert("redacted".to_owned(), Value::String(reason));
    }
}

/// A text of a row; empty when there is none.
pub(super) fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// All fields that an event has, whatever tier they are of.
pub(super) fn fields(event: &Row) -> Row {
    let mut fields: Row = event.iter().filter(|(name, _)| !ABOUT.contains(&name.as_str())).map(owned).collect();
    for name in ["operational", "personal", "data"] {
        if let Some(Value::Object(members)) = event.get(name) {
            fields.extend(members.iter().map(owned));
        }
    }
    fields
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// What happened, in a few words, and more about it.
pub(super) fn describe(kind: &str, fields: &Row) -> (String, String) {
    let say = |name: &str| printable(text(fields, name)).into_owned();
    let label = match kind {
        "chat.line" => format!("{}:", say("sender")),
        "code.issued" | "code.redeemed" | "code.cancelled" | "code.expired" => kind.replace('.', " "),
        _ => kind.replace("session.", "").replace(['.', '_'], " "),
    };
    let quoted = |name: &str| match say(name) {
        text if text.is_empty() => text,
        text => format!("\"{text}\""),
    };
    let told = match kind {
        "chat.line" => match fields.get("redacted") {
            Some(reason) => format!("[redacted: {}]", printable(reason.as_str().unwrap_or_default())),
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
            join([say("participant_id"), words(fields.get("permissions"))])
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
    (label, told)
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

fn words(value: Option<&Value>) -> String {
    let list = value.and_then(Value::as_array);
    list.map(|list| list.iter().map(plain).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

/// A value as it is read aloud.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text).into_owned(),
        other => printable(&other.to_string()).into_owned(),
    }
}

/// All fields of a type that nothing more is known about.
fn everything(fields: &Map<String, Value>) -> String {
    let parts: Vec<String> =
        fields.iter().map(|(name, value)| format!("{} {}", printable(name), plain(value))).collect();
    parts.join(", ")
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
    fn redacted_lines_lose_their_text_and_others_do_not() {
        let line = |seq: i64| {
            row(
                json!({"type": "chat.line", "seq": seq, "sender": "customer", "data": format!("{{\"seq\":{seq},\"text\":\"4111 1111\"}}")}),
            )
        };
        let mut events = vec![line(0), line(1), row(json!({"type": "chat.redacted", "seq": 1, "reason": "pci"}))];
        events.iter_mut().for_each(parse_data);
        redact(&mut events);
        assert_eq!(events[0]["data"]["text"], "4111 1111");
        assert!(!serde_json::to_string(&events[1]).unwrap().contains("4111"));
        let (label, told) = describe("chat.line", &fields(&events[1]));
        assert_eq!((label.as_str(), told.as_str()), ("customer:", "[redacted: pci]"));
    }

    #[test]
    fn events_are_told_in_words() {
        let tell = |kind: &str, value: Value| {
            let mut event = row(json!({"id": "1", "type": kind, "data": value.to_string()}));
            parse_data(&mut event);
            let (label, told) = describe(kind, &fields(&event));
            format!("{label} | {told}")
        };
        assert_eq!(
            tell(
                "session.started",
                json!({"agent_id": "a", "agent_name": "Ann", "waited": 65, "platform": "Windows 11"})
            ),
            "started | agent Ann, waited 1 min 5 s, Windows 11"
        );
        assert_eq!(tell("file.sent", json!({"name": "a.exe", "size": 2048})), "file sent | \"a.exe\", 2.00 KiB");
        assert_eq!(
            tell("survey.submitted", json!({"rating": 2, "resolved": "no", "feedback": "slow"})),
            "survey submitted | 2 of 5, not resolved, \"slow\""
        );
        assert_eq!(tell("vendor.thing", json!({"a": 1, "b": "x\u{1b}"})), "vendor thing | a 1, b x\\u{1b}");
        assert_eq!(tell("session.noted", json!({})), "noted | ");
    }

    #[test]
    fn what_is_withheld_is_said() {
        let event = row(json!({"type": "chat.line", "seq": 3, "sender": "agent"}));
        assert_eq!(describe("chat.line", &fields(&event)).1, "[withheld]");
    }
}
