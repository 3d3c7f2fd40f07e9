//! How often a provider's keys are fetched. Anybody can show a token with an invented key id, so their number must not decide.

use chrono::{DateTime, TimeDelta, Utc};

/// Decides whether keys may be fetched again.
#[derive(Debug, Clone)]
pub struct RefetchLimit {
    least: TimeDelta,
    last: Option<DateTime<Utc>>,
}

impl RefetchLimit {
    /// At most once in this time, whether or not it succeeds.
    pub fn new(least: TimeDelta) -> Self {
        Self { least, last: None }
    }

    /// Whether to fetch now. A yes counts as a fetch.
    pub fn may_fetch(&mut self, now: DateTime<Utc>) -> bool {
        // A clock that went back must not close the door until it has caught up.
        let may = self.last.is_none_or(|last| now - last >= self.least || now < last);
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
    fn invented_key_ids_fetch_no_oftener_than_once_in_the_time() {
        let at = |second| DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap();
        let mut limit = RefetchLimit::new(TimeDelta::seconds(30));
        let fetches: Vec<i64> = (0..100).filter(|second| limit.may_fetch(at(*second))).collect();
        assert_eq!(fetches, [0, 30, 60, 90]);
        assert!(limit.may_fetch(at(0)), "the clock went back");
        assert!(!limit.may_fetch(at(1)));
    }
}
