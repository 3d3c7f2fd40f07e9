//! Silences: after an alert, further alerts of the same rule and the same group are not delivered for a while.

use crate::rule::{Alert, Attribute};
use holdfast_events::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Up to this many silences, expired ones are not removed.
const MIN_SWEEP: usize = 1024;

/// A rule and a group whose values are all known.
type Key = (String, Vec<(Attribute, String)>);

/// The silences in force. Groups come from outside, so expired silences are removed as the number grows.
#[derive(Debug, Default)]
pub struct Silences {
    open: HashMap<Key, Silence>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Silence {
    /// The alert that started it.
    alert: String,
    until: Timestamp,
}

impl Silences {
    /// Whether `alert` is to be delivered at `now`. If so, a silence of length `silence` starts for its rule and group.
    ///
    /// An alert is never silenced by itself: the alert that started a silence is allowed again, as after an interrupted
    /// delivery.
    pub fn allows(&mut self, alert: &Alert, now: Timestamp, silence: Duration) -> bool {
        // Two alerts with an unknown agent may be about two agents.
        let group: Option<Vec<_>> =
            alert.group.iter().map(|(attribute, value)| Some((*attribute, value.clone()?))).collect();
        let Some(group) = group else { return true };
        let key = (alert.rule.clone(), group);
        match self.open.get(&key) {
            Some(open) if now < open.until => return open.alert == alert.id,
            _ => {}
        }
        self.sweep(now);
        let length = i64::try_from(silence.as_micros()).unwrap_or(i64::MAX);
        let until = Timestamp(now.0.saturating_add(length));
        self.open.insert(key, Silence { alert: alert.id.clone(), until });
        true
    }

    /// Removes expired silences each time that the number has doubled.
    fn sweep(&mut self, now: Timestamp) {
        if self.open.len() >= self.sweep_at.max(MIN_SWEEP) {
            self.open.retain(|_, silence| now < silence.until);
            self.sweep_at = self.open.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rule, negative_rating};
    use holdfast_events::decode_structured;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOON: Timestamp = Timestamp(1_767_268_800_000_000);

    fn after(seconds: i64) -> Timestamp {
        Timestamp(NOON.0 + seconds * 1_000_000)
    }

    fn alert(rule: &Rule, id: &str, agent: Option<&str>) -> Alert {
        let agent = agent.map_or(String::new(), |agent| format!(r#","agent":"{agent}""#));
        let json = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"desk","type":"survey.submitted","subject":"s","time":"2026-01-01T00:00:00Z"{agent},"data":{{"rating":1}}}}"#
        );
        rule.evaluate(&decode_structured(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_silence_is_for_one_group_and_ends() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        let other = Rule { name: "other".to_owned(), ..rule.clone() };
        assert!(silences.allows(&alert(&rule, "1", Some("ann")), NOON, HOUR));
        assert!(!silences.allows(&alert(&rule, "2", Some("ann")), after(3599), HOUR));
        assert!(silences.allows(&alert(&rule, "3", Some("bob")), after(1), HOUR), "another agent");
        assert!(silences.allows(&alert(&other, "2", Some("ann")), after(1), HOUR), "another rule");
        assert!(silences.allows(&alert(&rule, "4", Some("ann")), after(3600), HOUR));
    }

    #[test]
    fn an_alert_is_not_silenced_by_itself_nor_if_its_agent_is_unknown() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        for _ in 0..2 {
            assert!(silences.allows(&alert(&rule, "1", Some("ann")), NOON, HOUR));
        }
        for id in ["2", "3"] {
            assert!(silences.allows(&alert(&rule, id, None), NOON, HOUR));
        }
    }

    #[test]
    fn expired_silences_are_removed() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        for n in 0..3000 {
            silences.allows(&alert(&rule, "1", Some(&n.to_string())), after(n), Duration::from_secs(1));
        }
        assert!(silences.open.len() <= MIN_SWEEP + 1, "{}", silences.open.len());
    }

    proptest! {
        #[test]
        fn the_first_alert_of_each_group_is_always_allowed(agents in prop::collection::vec(0u8..6, 1..40)) {
            let (rule, mut silences) = (negative_rating(2), Silences::default());
            let mut seen = std::collections::HashSet::new();
            for (n, agent) in agents.iter().enumerate() {
                let alert = alert(&rule, &n.to_string(), Some(&agent.to_string()));
                prop_assert_eq!(silences.allows(&alert, NOON, HOUR), seen.insert(*agent));
            }
        }
    }
}
