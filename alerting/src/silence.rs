//! Silences: after an alert, further ones of the same rule and the same group are kept back for a while.

use crate::rule::{Alert, Attribute};
use holdfast_events::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Below this many silences nothing is swept.
const FEW: usize = 1024;

/// One rule, one group with all of its values.
type Key = (String, Vec<(Attribute, String)>);

/// Which alerts are kept back. Groups come from outside, so what is over is forgotten as the number grows.
#[derive(Debug, Default)]
pub struct Silences {
    open: HashMap<Key, Silence>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Silence {
    /// The alert that began it.
    alert: String,
    until: Timestamp,
}

impl Silences {
    /// Whether `alert` is to be delivered at `now`; if so, its rule is silent for its group for the length of `silence`.
    ///
    /// An alert is never silenced by itself: the one that began a silence is admitted again when it is found again, as
    /// after an interrupted delivery.
    pub fn admits(&mut self, alert: &Alert, now: Timestamp, silence: Duration) -> bool {
        // Two alerts of an unknown agent may be those of two agents.
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

    /// Forgets what is over, each time that the number has doubled.
    fn sweep(&mut self, now: Timestamp) {
        if self.open.len() >= self.sweep_at.max(FEW) {
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
    fn a_silence_is_of_one_group_and_ends() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        let other = Rule { name: "other".to_owned(), ..rule.clone() };
        assert!(silences.admits(&alert(&rule, "1", Some("ann")), NOON, HOUR));
        assert!(!silences.admits(&alert(&rule, "2", Some("ann")), after(3599), HOUR));
        assert!(silences.admits(&alert(&rule, "3", Some("bob")), after(1), HOUR), "another agent");
        assert!(silences.admits(&alert(&other, "2", Some("ann")), after(1), HOUR), "another rule");
        assert!(silences.admits(&alert(&rule, "4", Some("ann")), after(3600), HOUR));
    }

    #[test]
    fn an_alert_is_not_silenced_by_itself_nor_by_somebody_unknown() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        for _ in 0..2 {
            assert!(silences.admits(&alert(&rule, "1", Some("ann")), NOON, HOUR));
        }
        for id in ["2", "3"] {
            assert!(silences.admits(&alert(&rule, id, None), NOON, HOUR));
        }
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (rule, mut silences) = (negative_rating(2), Silences::default());
        for n in 0..3000 {
            silences.admits(&alert(&rule, "1", Some(&n.to_string())), after(n), Duration::from_secs(1));
        }
        assert!(silences.open.len() <= FEW + 1, "{}", silences.open.len());
    }

    proptest! {
        #[test]
        fn the_first_alert_of_each_group_is_always_admitted(agents in prop::collection::vec(0u8..6, 1..40)) {
            let (rule, mut silences) = (negative_rating(2), Silences::default());
            let mut seen = std::collections::HashSet::new();
            for (n, agent) in agents.iter().enumerate() {
                let alert = alert(&rule, &n.to_string(), Some(&agent.to_string()));
                prop_assert_eq!(silences.admits(&alert, NOON, HOUR), seen.insert(*agent));
            }
        }
    }
}
