//! The catalogue of event types: the fields of `data`, with the kind, the tier and the column of each.
//!
//! Types are open. An event whose type is not in the catalogue is archived as it is. A field that is not in its type's
//! list stays in `data`, tier content. An event that violates its type's rules is archived too, and `problems` names
//! the violation.

use crate::chunk::MAX_CHUNK_SEQ;
use crate::event::{Data, Event, Field};
use crate::json::JsonKind;
use crate::number::{InvalidNumber, whole_number};
use crate::schema::{Column, Tier};
use crate::time::Timestamp;
use std::fmt::Write;

/// One or more types of event that have the same fields.
#[derive(Debug)]
pub struct TypeSpec {
    /// Their names.
    pub names: &'static [&'static str],
    /// The fields of `data`.
    pub fields: &'static [FieldSpec],
}

/// A field of `data`.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: FieldKind,
    /// Its tier.
    pub tier: Tier,
    /// Whether every event of the type has it.
    pub required: bool,
    /// Its column, if it has one.
    pub column: Option<Column>,
}

/// The kind of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A string.
    Text,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A whole number of 64 bits.
    Integer,
    /// A whole number in a range, both ends included.
    Range(i64, i64),
    /// A number.
    Number,
    /// A number of seconds, not below 0.
    Seconds,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339 with a zone.
    Time,
    /// An array.
    Array,
    /// An object.
    Object,
    /// Anything.
    Any,
}

use FieldKind::{Any, Array, Boolean, Integer, Number, Object, OneOf, Range, Seconds, Text, Time};

const fn must(name: &'static str, kind: FieldKind) -> FieldSpec {
    FieldSpec { name, kind, tier: Tier::Operational, required: true, column: None }
}

const fn may(name: &'static str, kind: FieldKind) -> FieldSpec {
    FieldSpec { name, kind, tier: Tier::Operational, required: false, column: None }
}

impl FieldSpec {
    const fn personal(self) -> Self {
        Self { tier: Tier::Personal, ..self }
    }

    const fn content(self) -> Self {
        Self { tier: Tier::Content, ..self }
    }

    const fn into(self, column: Column) -> Self {
        Self { column: Some(column), ..self }
    }
}

const SENDERS: FieldKind = OneOf(&["agent", "customer", "observer", "system"]);
const ROLES: FieldKind = OneOf(&["agent", "customer", "observer"]);
const RESOLUTIONS: FieldKind = OneOf(&["resolved", "unresolved", "unknown"]);

macro_rules! types {
    ($( $($name:literal)|+ => [ $($field:expr),* $(,)? ] ),* $(,)?) => {
        const TYPES: &[TypeSpec] = &[ $( TypeSpec { names: &[$($name),+], fields: { const FIELDS: &[FieldSpec] = &[$($field),*]; FIELDS } } ),* ];
    };
}

types! {
    "session.requested" => [
        must("portal", Text), must("mode", OneOf(&["web", "phone"])).into(Column::Mode),
        may("question", Text).content(), may("customer_name", Text).personal(), may("customer_email", Text).personal(),
        may("account", Text), may("fields", Object).personal(), may("skill", Text).into(Column::Skill),
    ],
    "session.queued" => [
        must("queue", Text).into(Column::Queue), must("position", Integer), may("skill", Text).into(Column::Skill),
    ],
    "session.declined" | "session.abandoned" | "session.failed" => [
        must("reason", Text).into(Column::Reason), must("stage", Text),
        may("waited", Seconds).into(Column::Waited), may("posted", Any),
    ],
    "consent.recorded" => [must("what", Text), must("granted", Boolean), may("by", Text)],
    "session.started" => [
        must("agent_id", Text), must("customer_id", Text), may("agent_name", Text),
        may("customer_name", Text).personal(), may("customer_ip", Text).personal(), may("platform", Text),
        may("waited", Seconds).into(Column::Waited), may("device_serial", Text).personal(),
    ],
    "session.transferred" => [
        must("from_agent", Text), must("to_agent", Text), may("reason", Text).into(Column::Reason),
        may("note", Text).content(),
    ],
    "session.joined" | "session.left" => [
        must("participant_id", Text).into(Column::ParticipantId), must("role", ROLES).into(Column::Role),
        may("name", Text).personal(),
    ],
    "session.paused" | "session.resumed" => [may("reason", Text).into(Column::Reason)],
    "connection.lost" | "connection.restored" | "reboot.requested" => [
        may("cause", Text), may("gap", Seconds), may("safe_mode", Boolean),
    ],
    "session.linked" => [must("ticket", Text), may("note", Text).content()],
    "session.noted" => [must("author", Text), may("note", Text).content()],
    "session.ended" => [
        must("ended_by", Text).into(Column::EndedBy), must("resolution", RESOLUTIONS).into(Column::Resolution),
        may("notes", Text).content(), may("duration", Seconds).into(Column::Duration),
    ],
    "code.issued" => [
        must("code_hash", Text), must("ticket", Text), must("expires_at", Time), may("agent_id", Text),
    ],
    "code.redeemed" | "code.cancelled" | "code.expired" => [
        must("code_hash", Text), may("reason", Text).into(Column::Reason),
    ],
    "chat.line" => [
        must("seq", Integer).into(Column::Seq), must("sender", SENDERS).into(Column::Sender),
        must("text", Text).content(), may("participant_id", Text).into(Column::ParticipantId),
        may("visibility", OneOf(&["all", "agents"])).into(Column::Visibility), may("lang", Text),
    ],
    "chat.redacted" => [
        must("seq", Integer).into(Column::Seq), must("by", Text), must("reason", Text).into(Column::Reason),
    ],
    "diagnostics.collected" => [
        must("kind", OneOf(&["system", "application", "device"])).into(Column::Kind),
        may("hostname", Text).personal(), may("os", Text), may("os_version", Text), may("cpu", Text),
        may("memory", Integer), may("disks", Array), may("apps", Array), may("services", Array),
        may("device_serial", Text).personal(), may("report", Object).content(),
    ],
    "file.sent" | "file.received" => [
        must("name", Text).personal(), must("size", Integer).into(Column::Size), must("sha256", Text).into(Column::Sha256),
        may("media_type", Text).into(Column::MediaType), may("path", Text).personal(),
    ],
    "control.viewed" | "control.granted" | "control.released" => [
        must("participant_id", Text).into(Column::ParticipantId), may("permissions", Array),
    ],
    "whiteboard.drawn" | "url.pushed" | "clipboard.shared" => [may("content", Any).content()],
    "recording.started" => [
        must("recording_id", Text).into(Column::RecordingId), must("media_type", Text).into(Column::MediaType),
        may("width", Integer), may("height", Integer), may("started_at", Time),
    ],
    "recording.chunk" => [
        must("recording_id", Text).into(Column::RecordingId), must("seq", Range(0, MAX_CHUNK_SEQ)).into(Column::Seq),
        must("first_ms", Integer).into(Column::FirstMs), must("last_ms", Integer).into(Column::LastMs),
        may("last", Boolean).into(Column::Last), may("sha256", Text).into(Column::Sha256),
        may("size", Integer).into(Column::Size), may("media_type", Text).into(Column::MediaType),
    ],
    "recording.paused" | "recording.resumed" => [
        must("recording_id", Text).into(Column::RecordingId), must("at_ms", Integer),
        must("reason", OneOf(&["privacy", "pci", "user", "policy"])).into(Column::Reason), may("by", Text),
    ],
    "recording.ended" => [
        must("recording_id", Text).into(Column::RecordingId), must("chunks", Integer),
        may("duration", Seconds).into(Column::Duration), may("sha256", Text).into(Column::Sha256),
    ],
    "survey.submitted" => [
        must("rating", Range(1, 5)).into(Column::Rating), may("resolved", OneOf(&["yes", "no"])).into(Column::Resolved),
        may("feedback", Text).content(), may("answers", Object).content(), may("customer_name", Text).personal(),
    ],
    "agent.presence" => [
        must("state", OneOf(&["available", "in_session", "away", "offline"])), may("sessions", Integer),
        may("portals", Array), may("extension", Text),
    ],
    "queue.measured" => [must("waiting", Integer), must("oldest_waited", Seconds), may("agents_available", Integer)],
    "ticket.opened" | "ticket.changed" | "ticket.closed" => [
        may("issue_type", Text), may("priority", Text), may("status", Text), may("owner", Text),
        may("title", Text).content(), may("changes", Object).content(),
    ],
    "alert.fired" | "alert.delivered" | "alert.failed" => [
        must("alert_id", Text), must("severity", Text), may("group", Object), may("target", Text),
        may("attempts", Integer), may("error", Text),
    ],
    "archive.queried" | "archive.viewed" | "archive.exported" | "archive.denied" => [
        must("user", Text), may("purpose", Text), may("rows", Integer), may("bytes", Integer), may("subjects", Array),
        may("duration", Seconds).into(Column::Duration),
        // A statement contains the values that it searches for, and an address is personal data.
        may("statement", Text).content(), may("remote_ip", Text).personal(),
        may("access_id", Text), may("stage", OneOf(&["begun", "ended"])), may("outcome", Text), may("role", Text),
        may("interface", Text), may("reason", Text).into(Column::Reason), may("all_subjects", Boolean),
        may("customers", Array), may("tickets", Array), may("tables", Array), may("tiers", Array),
    ],
    "hold.placed" | "hold.released" => [
        must("scope", Object), must("reason", Text).into(Column::Reason), must("by", Text), may("matter", Text),
        may("expires_at", Time),
    ],
    "retention.planned" | "retention.approved" | "retention.disposed" => [
        must("class", Text), must("through", Any), must("by", Text), may("rows", Integer), may("objects", Any),
        may("keys", Array), may("root", Text),
    ],
    "key.created" | "key.granted" | "key.revoked" | "key.shredded" => [must("by", Text), may("holders", Array)],
    "config.changed" => [must("by", Text), must("before_sha256", Text), must("after_sha256", Text)],
}

/// Every type of the catalogue.
pub fn types() -> &'static [TypeSpec] {
    TYPES
}

/// The catalogue's entry for a type, if it has one.
pub fn type_spec(name: &str) -> Option<&'static TypeSpec> {
    TYPES.iter().find(|spec| spec.names.contains(&name))
}

impl TypeSpec {
    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<&'static FieldSpec> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl FieldSpec {
    /// How a value violates the field's rules; `None` if it does not. `null` counts as absent.
    pub(crate) fn violation(&self, field: &Field<'_>) -> Option<&'static str> {
        let right_kind = match self.kind {
            Text | OneOf(_) | Time => field.kind == JsonKind::String,
            Integer | Range(..) | Number | Seconds => field.kind == JsonKind::Number,
            Boolean => field.kind == JsonKind::Bool,
            Array => field.kind == JsonKind::Array,
            Object => field.kind == JsonKind::Object,
            Any => true,
        };
        if !right_kind {
            return Some(match self.kind {
                Text | OneOf(_) => "is not a string",
                Time => "is not a time",
                Integer | Range(..) | Number | Seconds => "is not a number",
                Boolean => "is not true or false",
                Array => "is not an array",
                Object => "is not an object",
                Any => unreachable!("any kind is right"),
            });
        }
        match self.kind {
            OneOf(words) if !words.contains(&field.text().as_ref()) => {
                Some("is none of the words that the catalogue knows")
            }
            Integer if whole_number(field.raw).is_err() => Some("is not a whole number of 64 bits"),
            Range(low, high) => match whole_number(field.raw) {
                Ok(value) if (low..=high).contains(&value) => None,
                Err(InvalidNumber::NotWhole) => Some("is not a whole number"),
                Ok(_) | Err(InvalidNumber::TooLarge) => Some("is out of its range"),
            },
            Number | Seconds => match field.raw.parse::<f64>() {
                Ok(value) if value < 0.0 && self.kind == Seconds => Some("is negative"),
                Ok(value) if value.is_finite() => None,
                _ => Some("is not a finite number"),
            },
            Time if Timestamp::parse(&field.text()).is_err() => Some("is not RFC 3339 with a zone"),
            _ => None,
        }
    }
}

impl Event<'_> {
    /// The event's violations of the catalogue, without values; `None` if there are none, or if its type is not in the
    /// catalogue.
    pub fn problems(&self) -> Option<String> {
        let mut problems = String::new();
        self.match_fields(type_spec(&self.type_)?, &mut problems, |_, _| {});
        (!problems.is_empty()).then_some(problems)
    }

    /// Calls `on_field` for each field of `spec` that follows its rules, and appends the violations to `problems`.
    pub(crate) fn match_fields(
        &self,
        spec: &'static TypeSpec,
        problems: &mut String,
        mut on_field: impl FnMut(&'static FieldSpec, &Field<'_>),
    ) {
        let mut report = |name: &str, what: &str| {
            let separator = if problems.is_empty() { "" } else { "; " };
            let _ = write!(problems, "{separator}{name} {what}");
        };
        match &self.data {
            Data::Text(text) if !text.starts_with('{') => return report("data", "is not an object"),
            Data::Text(_) => {}
            Data::None | Data::Binary(_) if spec.fields.iter().any(|field| field.required) => {
                return report("data", "is missing");
            }
            Data::None | Data::Binary(_) => return,
        }
        let mut found = 0u64;
        for field in self.fields() {
            let Some(place) = spec.fields.iter().position(|known| known.name == field.name) else { continue };
            if field.kind == JsonKind::Null {
                continue;
            }
            found |= 1 << place;
            let known = &spec.fields[place];
            match known.violation(&field) {
                Some(what) => report(known.name, what),
                None => on_field(known, &field),
            }
        }
        for (place, field) in spec.fields.iter().enumerate() {
            if field.required && found & (1 << place) == 0 {
                report(field.name, "is missing");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::COLUMNS;
    use crate::{decode_structured, schema::ColumnKind};

    #[test]
    fn types_are_listed_once_and_their_fields_fit_their_columns() {
        for (index, spec) in TYPES.iter().enumerate() {
            for name in spec.names {
                assert!(TYPES[..index].iter().all(|other| !other.names.contains(name)), "{name} is listed twice");
            }
            assert!(spec.fields.len() <= 64);
            for field in spec.fields {
                let Some(column) = field.column else { continue };
                let column = COLUMNS[column as usize];
                assert_eq!(column.tier, field.tier, "{} of {}", field.name, spec.names[0]);
                let fits = match column.kind {
                    ColumnKind::Text => matches!(field.kind, Text | OneOf(_)),
                    ColumnKind::Int64 => matches!(field.kind, Integer | Range(..)),
                    ColumnKind::Int32 => matches!(field.kind, Range(..)),
                    ColumnKind::Float64 => matches!(field.kind, Number | Seconds),
                    ColumnKind::Bool => matches!(field.kind, Boolean),
                    ColumnKind::Time | ColumnKind::Binary => false,
                };
                assert!(fits, "{} of {}", field.name, spec.names[0]);
            }
        }
    }

    fn problems(type_: &str, data: &str) -> Option<String> {
        let json = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"{type_}","subject":"x","time":"2026-01-01T00:00:00Z","data":{data}}}"#
        );
        decode_structured(json.as_bytes()).unwrap().problems()
    }

    #[test]
    fn violations_are_named_without_values() {
        assert_eq!(problems("chat.line", r#"{"seq":0,"sender":"agent","text":"hello"}"#), None);
        assert_eq!(
            problems("chat.line", r#"{"seq":"first","sender":"nobody"}"#).unwrap(),
            "seq is not a number; sender is none of the words that the catalogue knows; text is missing"
        );
        assert_eq!(problems("survey.submitted", r#"{"rating":0}"#).unwrap(), "rating is out of its range");
        assert_eq!(problems("survey.submitted", r#"{"rating":null}"#).unwrap(), "rating is missing");
        assert_eq!(problems("survey.submitted", r#"{"rating":4.5}"#).unwrap(), "rating is not a whole number");
        assert_eq!(problems("survey.submitted", r#"{"rating":1e400}"#).unwrap(), "rating is out of its range");
        assert_eq!(problems("survey.submitted", "[]").unwrap(), "data is not an object");
        assert_eq!(problems("survey.submitted", "null").unwrap(), "data is missing");
        assert_eq!(problems("something.else", r#"{"rating":0}"#), None);
    }

    #[test]
    fn whole_numbers_are_whole_however_json_writes_them() {
        for rating in ["5", "5.0", "4.00", "4e0", "50e-1", "0.1E+1"] {
            assert_eq!(problems("survey.submitted", &format!(r#"{{"rating":{rating}}}"#)), None, "{rating}");
        }
        let line = |seq: &str| problems("chat.line", &format!(r#"{{"seq":{seq},"sender":"agent","text":"x"}}"#));
        for seq in ["3.0", "9007199254740993.0", "-9223372036854775808", "9223372036854775807"] {
            assert_eq!(line(seq), None, "{seq}");
        }
        for seq in ["3.5", "1e400", "9223372036854775808"] {
            assert_eq!(line(seq).unwrap(), "seq is not a whole number of 64 bits", "{seq}");
        }
    }

    #[test]
    fn seconds_are_not_negative() {
        for seconds in ["0", "-0.0", "12.5", "1e3"] {
            assert_eq!(problems("session.failed", &failed(seconds)), None, "{seconds}");
        }
        assert_eq!(problems("session.failed", &failed("-30")).unwrap(), "waited is negative");
        assert_eq!(problems("session.failed", &failed("-1e400")).unwrap(), "waited is negative");
        assert_eq!(problems("session.failed", &failed("1e400")).unwrap(), "waited is not a finite number");
        let ended = r#"{"ended_by":"agent","resolution":"resolved","duration":-120}"#;
        assert_eq!(problems("session.ended", ended).unwrap(), "duration is negative");
    }

    fn failed(waited: &str) -> String {
        format!(r#"{{"reason":"x","stage":"queue","waited":{waited}}}"#)
    }

    #[test]
    fn numbers_of_chunks_have_a_bound() {
        let chunk = |seq: i64| {
            problems("recording.chunk", &format!(r#"{{"recording_id":"r","seq":{seq},"first_ms":0,"last_ms":1}}"#))
        };
        assert_eq!((chunk(0), chunk(MAX_CHUNK_SEQ)), (None, None));
        for seq in [-1, MAX_CHUNK_SEQ + 1, i64::MIN, i64::MAX] {
            assert_eq!(chunk(seq).unwrap(), "seq is out of its range", "{seq}");
        }
    }
}
