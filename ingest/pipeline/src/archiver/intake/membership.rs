//! Whether Kafka's group still knows this process. A group that has lost a member says nothing to it, so time decides:
//! without partitions for longer than a rebalance takes, the consumer is made anew.
//!
//! ```text
//! partitions ──▶ fine
//! none given ──▶ other members have them all? ──▶ standing by, asked again at intervals
//!                       │ no
//! revoked, or never given ──▶ pause over? ──▶ make the consumer anew, and wait twice as long
//! ```

use holdfast_events::Timestamp;
use std::time::Duration;

/// The longest pause between two new consumers, in first pauses. A consumer that is made anew rebalances the group.
const MAX_PAUSES: u32 = 16;

/// What this process knows of its place in the group.
#[derive(Debug)]
pub(super) struct Membership {
    /// How long it waits at first.
    first_pause: Duration,
    pause: Duration,
    /// Since when it has no partitions, or the last decision.
    since: Timestamp,
    /// The number that the group has given it; `None` if it was given none since it joined or since they were revoked.
    partitions: Option<usize>,
    /// Whether it was already asked who has the others.
    is_asked: bool,
}

/// What to do about a group that gives no partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Others have all partitions.
    Standby,
    /// The consumer is to be made anew.
    Renew,
}

impl Membership {
    pub(super) fn new(first_pause: Duration, now: Timestamp) -> Self {
        Self { first_pause, pause: first_pause, since: now, partitions: None, is_asked: false }
    }

    /// The group has given this many partitions.
    pub(super) fn assigned(&mut self, partitions: usize, now: Timestamp) {
        let pause = if partitions > 0 { self.first_pause } else { self.pause };
        *self = Self { partitions: Some(partitions), pause, ..Self::new(self.first_pause, now) };
    }

    /// The group has taken the partitions back.
    pub(super) fn revoked(&mut self, now: Timestamp) {
        *self = Self { pause: self.pause, ..Self::new(self.first_pause, now) };
    }

    /// Whether it is time to ask Kafka about the group.
    pub(super) fn is_doubtful(&self, now: Timestamp) -> bool {
        match self.partitions {
            Some(0) if !self.is_asked => true,
            None | Some(0) => self.is_over(now),
            Some(_) => false,
        }
    }

    /// Decides with the number of members that the group has. Kafka gives a partition to every member, as long as there
    /// are some, so a member without one is not alone.
    pub(super) fn decide(&mut self, members: usize, now: Timestamp) -> Verdict {
        self.is_asked = true;
        if self.partitions == Some(0) && members > 1 {
            self.since = now;
            self.pause = self.first_pause;
            return Verdict::Standby;
        }
        if !self.is_over(now) {
            return Verdict::Wait;
        }
        self.pause = (self.pause * 2).min(self.first_pause * MAX_PAUSES);
        self.since = now;
        self.partitions = None;
        Verdict::Renew
    }

    /// Kafka did not respond, or has no partitions: a new consumer would not get any either.
    pub(super) fn postpone(&mut self, now: Timestamp) {
        self.is_asked = true;
        self.since = now;
    }

    fn is_over(&self, now: Timestamp) -> bool {
        i128::from(now.0) - i128::from(self.since.0) >= self.pause.as_micros() as i128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    fn membership() -> Membership {
        Membership::new(Duration::from_secs(60), at(0))
    }

    #[test]
    fn a_member_with_partitions_is_never_in_doubt() {
        let mut membership = membership();
        membership.assigned(4, at(10));
        assert!(!membership.is_doubtful(at(1_000_000)));
    }

    #[test]
    fn a_consumer_that_gets_no_partitions_is_made_anew_at_growing_intervals() {
        let mut membership = membership();
        assert!(!membership.is_doubtful(at(59)));
        let mut renewed = Vec::new();
        for second in 0..6_000 {
            if membership.is_doubtful(at(second)) && membership.decide(1, at(second)) == Verdict::Renew {
                renewed.push(second);
            }
        }
        assert_eq!(renewed, [60, 180, 420, 900, 1860, 2820, 3780, 4740, 5700]);
        membership.assigned(2, at(6_000));
        membership.revoked(at(6_100));
        assert!(!membership.is_doubtful(at(6_159)) && membership.is_doubtful(at(6_160)), "the pauses begin anew");
    }

    #[test]
    fn a_revocation_counts_from_its_own_time() {
        let mut membership = membership();
        membership.assigned(2, at(0));
        membership.revoked(at(500));
        assert!(!membership.is_doubtful(at(559)) && membership.is_doubtful(at(560)));
    }

    #[test]
    fn a_member_beside_others_stands_by() {
        let mut membership = membership();
        membership.assigned(0, at(5));
        assert!(membership.is_doubtful(at(5)), "asked at once");
        assert_eq!(membership.decide(3, at(5)), Verdict::Standby);
        assert!(!membership.is_doubtful(at(64)));
        assert!(membership.is_doubtful(at(65)), "and again later");
        assert_eq!(membership.decide(3, at(65)), Verdict::Standby);
        // The others have left, and the group has not noticed.
        assert_eq!(membership.decide(1, at(124)), Verdict::Wait);
        assert_eq!(membership.decide(1, at(125)), Verdict::Renew);
    }

    #[test]
    fn a_lone_member_without_partitions_waits_for_a_rebalance_first() {
        let mut membership = membership();
        membership.assigned(0, at(5));
        assert_eq!(membership.decide(1, at(5)), Verdict::Wait);
        assert!(!membership.is_doubtful(at(64)));
        assert_eq!(membership.decide(1, at(65)), Verdict::Renew);
    }

    #[test]
    fn a_broker_that_does_not_respond_postpones_the_decision() {
        let mut membership = membership();
        membership.postpone(at(60));
        assert!(!membership.is_doubtful(at(119)) && membership.is_doubtful(at(120)));
        assert_eq!(membership.decide(0, at(120)), Verdict::Renew, "the pause did not grow");
        assert!(!membership.is_doubtful(Timestamp(i64::MIN)), "a clock that jumps");
    }
}
