//! Numbers from 0 on, and those of them that are not there.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Fact, Repetitions};

/// Ranges that are named in words.
const NAMED: usize = 20;

/// Consecutive numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::cli::session) struct Range {
    pub(in crate::cli::session) first: i64,
    pub(in crate::cli::session) last: i64,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

/// Ranges in words.
pub(super) fn listed(ranges: &[Range]) -> String {
    let named: Vec<String> = ranges.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if ranges.len() > NAMED { format!(" and {} more ranges", ranges.len() - NAMED) } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// The numbers of a series, and how often each came.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    seen: BTreeMap<i64, u64>,
    /// Events that have no number, or one that is none.
    pub(super) without: u64,
}

impl Numbers {
    /// The numbers of `events`, with those of their repetitions.
    pub(super) fn new<'f>(events: impl Iterator<Item = &'f Fact>, repetitions: &Repetitions<'_>) -> Self {
        let mut numbers = Self::default();
        for event in events {
            let again = repetitions.get(&event.name()).copied().unwrap_or(0);
            match event.seq.filter(|seq| *seq >= 0) {
                Some(seq) => *numbers.seen.entry(seq).or_default() += 1 + again,
                None => numbers.without += 1,
            }
        }
        numbers
    }

    pub(super) fn highest(&self) -> Option<i64> {
        self.seen.keys().next_back().copied()
    }

    /// From the lowest to the highest.
    pub(super) fn span(&self) -> Option<Range> {
        Some(Range { first: *self.seen.keys().next()?, last: self.highest()? })
    }

    /// What is not there of 0 to `end`, without `end`.
    pub(super) fn missing(&self, end: i64) -> Vec<Range> {
        let mut missing = Vec::new();
        let mut next = 0;
        for &seq in self.seen.keys().take_while(|seq| **seq < end) {
            if seq > next {
                missing.push(Range { first: next, last: seq - 1 });
            }
            next = seq.saturating_add(1);
        }
        if next < end {
            missing.push(Range { first: next, last: end - 1 });
        }
        missing
    }

    /// What came more than once.
    pub(super) fn repeated(&self) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for &seq in self.seen.iter().filter(|(_, times)| **times > 1).map(|(seq, _)| seq) {
            match ranges.last_mut() {
                Some(range) if range.last.checked_add(1) == Some(seq) => range.last = seq,
                _ => ranges.push(Range { first: seq, last: seq }),
            }
        }
        ranges
    }
}
