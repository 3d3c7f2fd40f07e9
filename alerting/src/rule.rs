//! Rules, and what they make of an event.

use holdfast_events::{Event, Field, FieldKind, JsonKind, type_spec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The first line of what an alert's id is a hash of.
const ID_FORMAT: &[u8] = b"holdfast alert 1\n";

/// When somebody is to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, unique among the rules.
    pub name: String,
    /// The event's type.
    pub when: String,
    /// What must be true of the event's `data`.
    #[serde(default)]
    pub condition: Condition,
    /// How bad it is.
    pub severity: Severity,
    /// What a silence is confined to: alerts that differ in one of these do not silence each other.
    pub group_by: Vec<Attribute>,
}

/// What must be true of a field of `data`. A field that is absent, null or against the catalogue makes it false, as it
/// makes the field's column NULL.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// Nothing: every event of the type.
    #[default]
    Always,
    /// The field is a number of at most `limit`.
    AtMost {
        /// The field's name.
        field: String,
        /// The greatest number that is true.
        limit: f64,
    },
    /// The field is a number of at least `limit`.
    AtLeast {
        /// The field's name.
        field: String,
        /// The smallest number that is true.
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

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
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

/// Something that somebody is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// 64 hexadecimal digits: the same for the same rule and the same event.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The event's source and id.
    pub event: (String, String),
    /// What the event is about.
    pub subject: String,
    /// When it happened, in microseconds since 1970 UTC, as the source claims.
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
    /// A rule without a name, or without the type of event that it is for.
    #[error("rule {number} has no {what}; give it one")]
    Empty {
        /// Which rule, from 1.
        number: usize,
        /// What it lacks.
        what: &'static str,
    },
    /// Two rules of one name, whose alerts could not be told apart.
    #[error("two rules have the name `{name}`; give each a name of its own")]
    Repeated {
        /// The name.
        name: String,
    },
    /// A limit that no number is compared with.
    #[error("the limit of the rule `{name}` is not a finite number")]
    Limit {
        /// The rule's name.
        name: String,
    },
}

/// The built-in rule: a survey with at most `limit` of five stars, grouped by agent.
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
    /// The first rule that cannot be used.
    pub fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        for (index, rule) in rules.iter().enumerate() {
            for (what, text) in [("name", &rule.name), ("type in `when`", &rule.when)] {
                if text.trim().is_empty() {
                    return Err(RuleError::Empty { number: index + 1, what });
                }
            }
            if rules[..index].iter().any(|other| other.name == rule.name) {
                return Err(RuleError::Repeated { name: rule.name.clone() });
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
    /// The alert that the event gives rise to, if it does.
    pub fn evaluate(&self, event: &Event<'_>) -> Option<Alert> {
        if event.type_ != self.when || !self.condition.holds(event) {
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
    fn holds(&self, event: &Event<'_>) -> bool {
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

/// A field's number, as far as the catalogue believes it: a rating of 0 is not a bad rating but none.
fn number(event: &Event<'_>, field: &Field<'_>) -> Option<f64> {
    if field.kind != JsonKind::Number {
        return None;
    }
    let known = type_spec(&event.type_).and_then(|spec| spec.field(&field.name));
    match known.map(|known| known.kind) {
        Some(FieldKind::Range(low, high)) => {
            let whole = field.raw.parse::<i64>().ok().filter(|number| (low..=high).contains(number))?;
            Some(whole as f64)
        }
        Some(FieldKind::Integer) => field.raw.parse::<i64>().ok().map(|number| number as f64),
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

/// SHA-256 over the three texts, each with its length before it, so that no two triples give the same bytes.
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
    fn conditions_are_of_the_whole_field() {
        let rule = |condition| Rule { condition, ..negative_rating(2) };
        let is = |value: &str| Condition::Is { field: "resolved".to_owned(), value: value.to_owned() };
        assert!(fires(&rule(is("no")), r#"{"rating":5,"resolved":"no"}"#));
        assert!(!fires(&rule(is("n")), r#"{"rating":5,"resolved":"no"}"#));
        let at_least = Condition::AtLeast { field: "rating".to_owned(), limit: 5.0 };
        assert!(fires(&rule(at_least.clone()), r#"{"rating":5}"#) && !fires(&rule(at_least), r#"{"rating":4}"#));
        assert!(fires(&rule(Condition::Always), "{}"));
    }

    #[test]
    fn an_alert_bears_the_same_id_whenever_it_is_found() {
        let (json, data) = (survey("7", r#"{"rating":1,"feedback":"awful"}"#), negative_rating(2));
        let alert = data.evaluate(&decode_structured(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(alert.id, alert_id("negative-rating", "desk", "7"));
        // A golden value: receivers recognise repetitions by it, over restarts and versions.
        assert_eq!(alert.id, "6842e754af91f317cf3a2526595fd4adbaee9b2842659b039c6f325cce0a050c");
        assert_ne!(alert_id("a", "bc", "d"), alert_id("ab", "c", "d"));
        assert_eq!(alert.group[&Attribute::Agent].as_deref(), Some("ann"));
        assert_eq!((alert.time, alert.subject.as_str()), (1_767_225_600_000_000, "s-1"));
        assert!(!serde_json::to_string(&alert).unwrap().contains("awful"));
    }

    #[test]
    fn rules_that_cannot_be_told_apart_are_refused() {
        let rule = negative_rating(2);
        let two = Rules::new(vec![rule.clone(), rule.clone()]);
        assert_eq!(two, Err(RuleError::Repeated { name: "negative-rating".to_owned() }));
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
