//! How long to wait before a process that ended is started again. Pure.

use std::time::Duration;

/// After the first end.
const FIRST: Duration = Duration::from_secs(1);
/// At most.
const LONGEST: Duration = Duration::from_secs(30);
/// A process that ran for this long was healthy: its end is the first of a new series.
const HEALTHY: Duration = Duration::from_secs(60);

/// The ends of one process, in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    ends: u32,
}

impl Backoff {
    /// What to wait after a process that ran for `ran` ended: 1 s, and twice as long each time, to 30 s.
    pub(super) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= HEALTHY {
            self.ends = 0;
        }
        let wait = FIRST.saturating_mul(1_u32.checked_shl(self.ends).unwrap_or(u32::MAX)).min(LONGEST);
        self.ends = self.ends.saturating_add(1);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_starts_anew_after_a_healthy_run() {
        let mut backoff = Backoff::default();
        let short = Duration::from_millis(5);
        let waits: Vec<u64> = (0..8).map(|_| backoff.after(short).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff.after(HEALTHY), FIRST);
        assert_eq!(backoff.after(short), FIRST * 2);
        for _ in 0..100 {
            assert!(backoff.after(short) <= LONGEST);
        }
    }
}
