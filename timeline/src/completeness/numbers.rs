//! Numbers from 0 on, and those of them that are missing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::delivery::Delivery;
use super::duplicates::Duplicates;
use crate::range::Range;

/// The numbers of chat lines, or of the chunks of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// From the lowest number to the highest; absent without any.
    pub span: Option<Range>,
    /// Numbers that are missing.
    pub missing: Vec<Range>,
    /// Numbers that were delivered more than once, by one event or by several.
    pub duplicates: Vec<Range>,
    /// Events without a number, or with a negative one.
    pub without_number: u64,
}

impl Series {
    /// The highest number.
    pub fn highest(&self) -> Option<i64> {
        self.span.map(|span| span.last)
    }
}

/// Counts how often each number was delivered.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    deliveries: BTreeMap<i64, u64>,
    without_number: u64,
}

impl Numbers {
    /// The numbers of `events`, with those of their duplicates.
    pub(super) fn new<'d>(events: impl Iterator<Item = &'d Delivery>, duplicates: &Duplicates<'_>) -> Self {
        let mut numbers = Self::default();
        for event in events {
            match event.seq.filter(|seq| *seq >= 0) {
                Some(seq) => *numbers.deliveries.entry(seq).or_default() += 1 + duplicates.of(event),
                None => numbers.without_number += 1,
            }
        }
        numbers
    }

    pub(super) fn highest(&self) -> Option<i64> {
        self.deliveries.keys().next_back().copied()
    }

    /// The series, in which 0 to `end`, without `end`, is expected.
    pub(super) fn series(&self, end: i64) -> Series {
        let lowest = self.deliveries.keys().next().copied();
        Series {
            span: lowest.zip(self.highest()).map(|(first, last)| Range { first, last }),
            missing: self.missing(end),
            duplicates: self.duplicates(),
            without_number: self.without_number,
        }
    }

    fn missing(&self, end: i64) -> Vec<Range> {
        let mut missing = Vec::new();
        let mut next = 0;
        for &seq in self.deliveries.keys().take_while(|seq| **seq < end) {
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

    fn duplicates(&self) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for &seq in self.deliveries.iter().filter(|(_, times)| **times > 1).map(|(seq, _)| seq) {
            match ranges.last_mut() {
                Some(range) if range.last.checked_add(1) == Some(seq) => range.last = seq,
                _ => ranges.push(Range { first: seq, last: seq }),
            }
        }
        ranges
    }
}
