//! Rules, and their evaluation on an event.

use holdfast_events::{Event, Field, FieldKind, JsonKind, type_spec, whole_number};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The first line of the input of an alert's id.
const ID_FORMAT: &[u8] = b"holdfast alert 1\n";

/// When an event causes an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique among the rules.
    pub name: String,
    /// The event's type.
    pub when: String,
    /// The condition on the event's `data`.
    #[serde(default)]
    pub condition: Condition,
    /// The severity of the alert.
    pub severity: Severity,
    /// The attributes that form the group: alerts that differ in one of them do not silence each other.
    pub group_by: Vec<Attribute>,
}

/// A condition on a field of `data`. It is false for a field that is absent, null or against the catalogue; the column of such
/// a field is NULL.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// Every event of the type.
    #[default]
    Always,
    /// The field is a number of at most `limit`.
    AtMost {
        /// The field's name.
        field: String,
        /// The greatest number for which the condition is true.
        limit: f64,
    },
    /// The field is a number of at least `limit`.
    AtLeast {
        /// The field's name.
        field: String,
        /// The least number for which the condition is true.
        limit: f64,
    },
    /// The field is this text.
    Is {
        /// The field's name.
        field: String,
        /// The text.
        value: String,
    },
}

/// The severity of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For information.
    Info,
    /// To be handled today.
    Warning,
    /// To be handled now.
    Critical,
}

/// An attribute of the envelope by which alerts are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attribute {
    /// The agent's id.
    Agent,
    /// The customer's account.
    Customer,
    /// The entry portal.
    Portal,
    /// The session, or the queue, agent or ticket that the event is about.
    Subject,
    /// The CRM ticket's number.
    Ticket,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// 64 hexadecimal digits: the same for the same rule and the same event.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// The severity.
    pub severity: Severity,
    /// The event's source and id.
    pub event: (String, String),
    /// The subject of the event.
    pub subject: String,
    /// The event's time in microseconds since 1970 UTC, as stated by the source.
    pub time: i64,
    /// The group; `None` for an attribute that the event lacks.
    pub group: BTreeMap<Attribute, Option<String>>,
}

/// Rules that can be used together.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules(Vec<Rule>);

/// Why rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A rule without a name or an event type.
    #[error("rule {number} has no {what}; give it one")]
    Empty {
        /// The number of the rule, from 1.
        number: usize,
        /// What it lacks.
        what: &'static str,
    },
    /// Two rules have the same name.
    #[error("two rules have the name `{name}`; names must be unique")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A limit that is not a finite number.
    #[error("the limit of the rule `{name}` is not a finite number")]
    Limit {
        /// The rule's name.
        name: String,
    },
}

/// The built-in rule: a survey with a rating of at most `limit` of five, grouped by agent.
pub fn negative_rating(limit: u8) -> Rule {
    Rule {
        name: "negative-rating".to_owned(),
        when: "survey.submitted".to_owned(),
        condition: Condition::AtMost { field: "rating".to_owned(), limit: f64::from(limit) },
        severity: Severity::Warning,
        group_by: vec![Attribute::Agent],
    }
}

impl Rules {
    /// Checks rules.
    ///
    /// # Errors
    /// [`RuleError`] for the first rule that cannot be used.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        for (index, rule) in rules.iter().enumerate() {
            for (what, text) in [("name", &rule.name), ("type in `when`", &rule.when)] {
                if text.trim().is_empty() {
                    return Err(RuleError::Empty { number: index + 1, what });
                }
            }
            if rules[..index].iter().any(|other| other.name == rule.name) {
                return Err(RuleError::Duplicate { name: rule.name.clone() });
            }
            if let Condition::AtMost { limit, .. } | Condition::AtLeast { limit, .. } = &rule.condition
                && !limit.is_finite()
            {
                return Err(RuleError::Limit { name: rule.name.clone() });
            }
        }
        Ok(Self(rules))
    }

    /// The alerts of one event, in the order of the rules.
    pub fn evaluate(&self, event: &Event<'_>) -> impl Iterator<Item = Alert> {
        self.0.iter().filter_map(|rule| rule.evaluate(event))
    }
}

impl Rule {
    /// The alert for the event, if the rule matches it.
    pub fn evaluate(&self, event: &Event<'_>) -> Option<Alert> {
        if event.type_ != self.when || !self.condition.matches(event) {
            return None;
        }
        let group = self.group_by.iter().map(|attribute| (*attribute, attribute.of(event))).collect();
        Some(Alert {
            id: alert_id(&self.name, &event.source, &event.id),
            rule: self.name.clone(),
            severity: self.severity,
            event: (event.source.clone().into_owned(), event.id.clone().into_owned()),
            subject: event.subject.clone().into_owned(),
            time: event.time.0,
            group,
        })
    }
}

impl Condition {
    fn matches(&self, event: &Event<'_>) -> bool {
        let number = |name: &str| event.fields().find(|field| field.name == name).and_then(|f| number(event, &f));
        match self {
            Self::Always => true,
            Self::AtMost { field, limit } => number(field).is_some_and(|number| number <= *limit),
            Self::AtLeast { field, limit } => number(field).is_some_and(|number| number >= *limit),
            Self::Is { field, value } => event
                .fields()
                .any(|found| found.name == *field && found.kind == JsonKind::String && found.text() == *value),
        }
    }
}

/// A field's number, if the catalogue allows it: a rating of 0 is not a bad rating but no rating.
fn number(event: &Event<'_>, field: &Field<'_>) -> Option<f64> {
    if field.kind != JsonKind::Number {
        return None;
    }
    let known = type_spec(&event.type_).and_then(|spec| spec.field(&field.name));
    match known.map(|known| known.kind) {
        Some(FieldKind::Range(low, high)) => {
            let whole = whole_number(field.raw).ok().filter(|number| (low..=high).contains(number))?;
            Some(whole as f64)
        }
        Some(FieldKind::Integer) => whole_number(field.raw).ok().map(|number| number as f64),
        Some(FieldKind::Seconds) => field.raw.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0),
        _ => field.raw.parse::<f64>().ok().filter(|number| number.is_finite()),
    }
}

impl Attribute {
    fn of(self, event: &Event<'_>) -> Option<String> {
        let value = match self {
            Self::Agent => event.agent.as_deref(),
            Self::Customer => event.customer.as_deref(),
            Self::Portal => event.portal.as_deref(),
            Self::Subject => Some(event.subject.as_ref()),
            Self::Ticket => event.ticket.as_deref(),
        };
        value.map(str::to_owned)
    }
}

/// SHA-256 over the three texts, each after its length, so that different triples give different bytes.
fn alert_id(rule: &str, source: &str, id: &str) -> String {
    let mut hash = Sha256::new_with_prefix(ID_FORMAT);
    for text in [rule, source, id] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_events::decode_structured;

    fn survey(id: &str, data: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"desk","type":"survey.submitted","subject":"s-1","time":"2026-01-01T00:00:00Z","agent":"ann","data":{data}}}"#
        )
    }

    fn fires(rule: &Rule, data: &str) -> bool {
        rule.evaluate(&decode_structured(survey("1", data).as_bytes()).unwrap()).is_some()
    }

    #[test]
    fn a_bad_rating_fires_and_no_rating_does_not() {
        let rule = negative_rating(2);
        for (data, expected) in [
            (r#"{"rating":1}"#, true),
            (r#"{"rating":2}"#, true),
            (r#"{"rating":1.0}"#, true),
            (r#"{"rating":20e-1}"#, true),
            (r#"{"rating":1.5}"#, false),
            (r#"{"rating":3}"#, false),
            (r#"{"rating":0}"#, false),
            (r#"{"rating":-1}"#, false),
            (r#"{"rating":null}"#, false),
            (r#"{"rating":"1"}"#, false),
            (r#"{"resolved":"no"}"#, false),
            ("[1]", false),
        ] {
            assert_eq!(fires(&rule, data), expected, "{data}");
        }
        let json = survey("1", r#"{"rating":1}"#).replace("survey.submitted", "acme.rated");
        assert_eq!(rule.evaluate(&decode_structured(json.as_bytes()).unwrap()), None);
    }

    #[test]
    fn conditions_compare_the_whole_field() {
        let rule = |condition| Rule { condition, ..negative_rating(2) };
        let is = |value: &str| Condition::Is { field: "resolved".to_owned(), value: value.to_owned() };
        assert!(fires(&rule(is("no")), r#"{"rating":5,"resolved":"no"}"#));
        assert!(!fires(&rule(is("n")), r#"{"rating":5,"resolved":"no"}"#));
        let at_least = Condition::AtLeast { field: "rating".to_owned(), limit: 5.0 };
        assert!(fires(&rule(at_least.clone()), r#"{"rating":5}"#) && !fires(&rule(at_least), r#"{"rating":4}"#));
        assert!(fires(&rule(Condition::Always), "{}"));
    }

    #[test]
    fn the_same_event_and_rule_always_give_the_same_alert_id() {
        let (json, data) = (survey("7", r#"{"rating":1,"feedback":"awful"}"#), negative_rating(2));
        let alert = data.evaluate(&decode_structured(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(alert.id, alert_id("negative-rating", "desk", "7"));
        // A golden value: receivers deduplicate alerts by id, across restarts and versions.
        assert_eq!(alert.id, "6842e754af91f317cf3a2526595fd4adbaee9b2842659b039c6f325cce0a050c");
        assert_ne!(alert_id("a", "bc", "d"), alert_id("ab", "c", "d"));
        assert_eq!(alert.group[&Attribute::Agent].as_deref(), Some("ann"));
        assert_eq!((alert.time, alert.subject.as_str()), (1_767_225_600_000_000, "s-1"));
        assert!(!serde_json::to_string(&alert).unwrap().contains("awful"));
    }

    #[test]
    fn rules_without_a_unique_name_or_a_finite_limit_are_refused() {
        let rule = negative_rating(2);
        let two = Rules::new(vec![rule.clone(), rule.clone()]);
        assert_eq!(two, Err(RuleError::Duplicate { name: "negative-rating".to_owned() }));
        let nameless = Rules::new(vec![Rule { name: " ".to_owned(), ..rule.clone() }]);
        assert_eq!(nameless, Err(RuleError::Empty { number: 1, what: "name" }));
        let limit = Condition::AtMost { field: "rating".to_owned(), limit: f64::NAN };
        assert!(matches!(Rules::new(vec![Rule { condition: limit, ..rule.clone() }]), Err(RuleError::Limit { .. })));
        let json = survey("1", r#"{"rating":1}"#);
        let rules = Rules::new(vec![rule]).unwrap();
        assert_eq!(rules.evaluate(&decode_structured(json.as_bytes()).unwrap()).count(), 1);
    }

    #[test]
    fn a_rule_is_read_and_unknown_keys_are_refused() {
        let json = r#"{"name":"negative-rating","when":"survey.submitted","condition":{"at_most":{"field":"rating","limit":2}},"severity":"warning","group_by":["agent"]}"#;
        assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), negative_rating(2));
        assert!(serde_json::from_str::<Rule>(&json.replace("severity", "severty")).is_err());
    }
}
