//! How often a provider's keys are fetched. Any client can send tokens with invented key ids, so the number of tokens must not
//! decide.

use chrono::{DateTime, TimeDelta, Utc};

/// Decides whether keys may be fetched again.
#[derive(Debug, Clone)]
pub struct RefetchLimit {
    interval: TimeDelta,
    last: Option<DateTime<Utc>>,
}

impl RefetchLimit {
    /// Allows one fetch in this time, whether or not it succeeds.
    pub fn new(interval: TimeDelta) -> Self {
        Self { interval, last: None }
    }

    /// Whether to fetch now. `true` counts as a fetch.
    pub fn may_fetch(&mut self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not prevent fetches until it has caught up.
        let may = self.last.is_none_or(|last| now - last >= self.interval || now < last);
        if may {
            self.last = Some(now);
        }
        may
    }
}

impl Default for RefetchLimit {
    fn default() -> Self {
        Self::new(TimeDelta::seconds(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_key_ids_cause_at_most_one_fetch_per_interval() {
        let at = |second| DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap();
        let mut limit = RefetchLimit::new(TimeDelta::seconds(30));
        let fetches: Vec<i64> = (0..100).filter(|second| limit.may_fetch(at(*second))).collect();
        assert_eq!(fetches, [0, 30, 60, 90]);
        assert!(limit.may_fetch(at(0)), "the clock went back");
        assert!(!limit.may_fetch(at(1)));
    }
}
