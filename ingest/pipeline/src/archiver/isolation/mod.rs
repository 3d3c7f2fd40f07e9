//! Finds a message at which the process dies.
//!
//! ```text
//! runs that died at the same offset:   two             one              five at the same message
//! how the partition is read next:      in small units  message by message        without that message
//! ```
//!
//! Each run leaves a mark for each of its partitions: the offset at which it began. When it gives the partition back in
//! order, it notes that as well. So the next run knows whether the one before died, and whether that one had archived
//! something. A partition at which two runs died in a row is read alone, in small units, each committed before the next
//! is read. Then the offset in the log tells what was being processed when the process died, and nothing has to be
//! written for a message.

pub(super) mod marks;

use serde::{Deserialize, Serialize};

/// Runs that die at one offset before the partition is isolated.
const MAX_DEATHS: u32 = 2;
/// Runs that die at one message that is processed alone before the message is condemned. More of them than before:
/// whoever kills processes in quick succession must not condemn what happens to be next.
const MAX_DEATHS_ALONE: u32 = 5;
/// Messages in a unit, while it is not known which one it is.
const UNIT: usize = 256;

/// What a run leaves behind about a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The next offset in the log when the run began; `null` if the log had none.
    pub(crate) next: Option<i64>,
    /// Runs before this one that died at this offset, in a row.
    pub(crate) deaths: u32,
    /// Messages in a unit, if the partition was being read in isolation.
    pub(crate) unit: Option<usize>,
    /// Whether the run has not given the partition back. If nobody reads it, that run died.
    pub(crate) is_running: bool,
}

/// How a partition is read by the next run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The mark for that run. If the partition is isolated, it is left when the isolation begins, because the process
    /// may die before that.
    pub(super) mark: Mark,
    /// Whether the next message of the partition is a dead letter, whatever it is.
    pub(super) is_condemned: bool,
}

/// Plans how a partition is read. `before` is the mark that was found, `next` the next offset in the log, and `waiting`
/// how many offsets Kafka has from there on; it is called only if the partition may have to be isolated.
pub(super) fn plan(before: Option<&Mark>, next: Option<i64>, waiting: impl FnOnce() -> i64) -> Plan {
    let mark = |deaths, unit| Mark { next, deaths, unit, is_running: true };
    let plain = |deaths| Plan { mark: mark(deaths, None), is_condemned: false };
    let Some(before) = before else { return plain(0) };
    let earlier = if before.next == next { before.deaths } else { 0 };
    let deaths = earlier.saturating_add(u32::from(before.is_running));
    if before.unit.is_none() && deaths < MAX_DEATHS {
        return plain(deaths);
    }
    let waiting = waiting();
    let (unit, deaths) = match before.unit {
        _ if waiting <= 0 => return plain(deaths),
        None if waiting > UNIT as i64 => (UNIT, 0),
        None => (1, 0),
        Some(1) => (1, deaths),
        Some(_) if before.is_running => (1, 0),
        Some(unit) => (unit, 0),
    };
    Plan { mark: mark(deaths, Some(unit)), is_condemned: deaths >= MAX_DEATHS_ALONE }
}

impl Plan {
    /// The offset at which the isolation ends, if reading begins at `from` and Kafka has messages up to `high`: behind
    /// the one message or the one unit that is known to be it. Before that is known, the process was at most two
    /// flushes ahead of the log: the intake reads one while the other is committed.
    pub(super) fn until(&self, from: i64, high: i64, flush_rows: usize) -> i64 {
        let suspected = match self.mark.unit {
            _ if self.is_condemned => 1,
            Some(1) => UNIT,
            _ => flush_rows.saturating_mul(2),
        };
        high.min(from.saturating_add(i64::try_from(suspected).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(next: i64, deaths: u32, unit: Option<usize>) -> Mark {
        Mark { next: Some(next), deaths, unit, is_running: true }
    }

    fn given_back(mark: Mark) -> Mark {
        Mark { is_running: false, ..mark }
    }

    fn after(before: Option<&Mark>, next: i64, waiting: i64) -> Plan {
        plan(before, Some(next), || waiting)
    }

    #[test]
    fn a_run_after_an_orderly_one_or_after_progress_is_plain() {
        assert_eq!(after(None, 5, 9).mark, mark(5, 0, None));
        assert_eq!(after(Some(&mark(5, 0, None)), 5, 9).mark, mark(5, 1, None));
        assert_eq!(after(Some(&mark(5, 1, None)), 7, 9).mark, mark(7, 1, None), "it had archived something");
        assert_eq!(plan(Some(&Mark { next: None, ..mark(0, 0, None) }), None, || 9).mark.deaths, 1);
        assert_eq!(after(Some(&given_back(mark(5, 0, None))), 5, 9).mark, mark(5, 0, None));
        assert_eq!(after(Some(&given_back(mark(5, 1, None))), 7, 9).mark, mark(7, 0, None));
        assert_eq!(after(Some(&mark(5, 7, None)), 5, 0).mark, mark(5, 8, None), "nothing waits that could be it");
        assert_eq!(after(Some(&mark(5, u32::MAX, None)), 5, -3).mark.deaths, u32::MAX);
    }

    #[test]
    fn the_units_become_smaller_until_one_message_is_condemned() {
        // Message 700 of 0..1000 ends the process. The first run had archived up to 100.
        let mut next = 100;
        let mut found = None;
        let mut steps = Vec::new();
        for _ in 0..20 {
            let now = after(found.as_ref(), next, 1000 - next);
            steps.push((now.mark.clone(), now.is_condemned));
            if now.is_condemned {
                break;
            }
            let unit = now.mark.unit.unwrap_or(1000) as i64;
            while next + unit <= 700 {
                next += unit;
            }
            found = Some(now.mark);
        }
        let expected = [
            (mark(100, 0, None), false),
            (mark(100, 1, None), false),
            (mark(100, 0, Some(UNIT)), false),
            (mark(612, 0, Some(1)), false),
            (mark(700, 1, Some(1)), false),
            (mark(700, 2, Some(1)), false),
            (mark(700, 3, Some(1)), false),
            (mark(700, 4, Some(1)), false),
            (mark(700, 5, Some(1)), true),
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_rebalance_without_progress_forgets_nothing() {
        assert_eq!(after(Some(&given_back(mark(5, 1, None))), 5, 9).mark, mark(5, 1, None));
        assert_eq!(after(Some(&given_back(mark(5, 0, Some(UNIT)))), 5, 900).mark, mark(5, 0, Some(UNIT)));
        assert_eq!(after(Some(&given_back(mark(5, 1, Some(1)))), 5, 9).mark, mark(5, 1, Some(1)));
        assert!(after(Some(&given_back(mark(5, 5, Some(1)))), 5, 9).is_condemned);
        assert_eq!(after(Some(&given_back(mark(5, 5, Some(1)))), 6, 9).mark, mark(6, 0, Some(1)));
    }

    #[test]
    fn fewer_deaths_while_a_message_is_alone_condemn_nothing() {
        assert!(!after(Some(&mark(5, 0, Some(1))), 6, 9).is_condemned);
        assert!(!after(Some(&mark(6, 4, Some(1))), 7, 9).is_condemned, "another message");
        assert!(after(Some(&mark(6, 4, Some(1))), 6, 9).is_condemned);
    }

    #[test]
    fn the_isolation_is_no_longer_than_what_is_suspected() {
        let until = |unit, is_condemned, from, high, flush_rows| {
            Plan { mark: mark(from, 0, Some(unit)), is_condemned }.until(from, high, flush_rows)
        };
        assert_eq!(until(UNIT, false, 100, 1_000_000, 250_000), 500_100);
        assert_eq!(until(1, false, 100, 1_000_000, 250_000), 100 + UNIT as i64);
        assert_eq!(until(1, true, 100, 1_000_000, 250_000), 101);
        assert_eq!(until(1, false, 100, 130, 250_000), 130, "Kafka has no more");
        assert_eq!(until(UNIT, false, i64::MAX - 1, i64::MAX, usize::MAX), i64::MAX);
    }

    #[test]
    fn few_waiting_messages_are_taken_one_by_one_at_once() {
        assert_eq!(after(Some(&mark(5, 1, None)), 5, UNIT as i64).mark.unit, Some(1));
        assert_eq!(after(Some(&mark(5, 1, None)), 5, UNIT as i64 + 1).mark.unit, Some(UNIT));
        assert_eq!(after(Some(&mark(5, 1, None)), 5, i64::MAX).mark.unit, Some(UNIT));
    }
}
