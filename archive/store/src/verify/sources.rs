//! Gaps in the numbers that sources give to their events: the CloudEvents extension `sequence` with the sequence type
//! `Integer`, which counts a source's events from 1.

use super::report::{Finding, Kind};
use super::rows::NumberedEvent;
use std::collections::BTreeMap;

/// Gaps of one source that a finding lists.
const MAX_LISTED: usize = 20;

/// The numbers of each source's events.
#[derive(Debug, Default)]
pub(crate) struct Sources(BTreeMap<String, Vec<i64>>);

impl Sources {
    pub(crate) fn add(&mut self, numbered: Vec<NumberedEvent>) {
        for NumberedEvent { source, sequence } in numbered {
            self.0.entry(source).or_default().push(sequence);
        }
    }

    /// A finding for each source whose numbers from 1 to the last have gaps.
    pub(crate) fn findings(self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (source, mut numbers) in self.0 {
            numbers.sort_unstable();
            numbers.dedup();
            let last = numbers.last().copied().unwrap_or(0);
            let mut gaps = Vec::new();
            let mut next = 1;
            for number in &numbers {
                if *number > next {
                    gaps.push((next, *number - 1));
                }
                next = number.saturating_add(1).max(next);
            }
            let missing: i64 = gaps.iter().map(|(first, last)| last - first + 1).sum();
            if missing == 0 {
                continue;
            }
            let names: Vec<String> = gaps
                .iter()
                .take(MAX_LISTED)
                .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
                .collect();
            let more = if gaps.len() > MAX_LISTED { ", and more" } else { "" };
            let what = format!("the source {source} counted events that never arrived: {}{more}", names.join(", "));
            let found = format!("{} events", last - missing);
            findings.push(Finding::new(Kind::SourceCount, what).expected(format!("{last} events"), found));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_never_arrived_are_named() {
        let mut sources = Sources::default();
        let numbered = |source: &str, sequence| NumberedEvent { source: source.to_owned(), sequence };
        sources.add(vec![numbered("a", 3), numbered("a", 1), numbered("b", 1), numbered("a", 7), numbered("a", 3)]);
        sources.add(vec![numbered("b", 2)]);
        let findings = sources.findings();
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].what.contains("source a counted events that never arrived: 2, 4 to 6"),
            "{}",
            findings[0].what
        );
        assert_eq!(findings[0].found.as_deref(), Some("3 events"));
    }
}
