//! Completeness: accounts for every offset from the first to the last that the archive consumed. Pure.
//!
//! ```text
//! spans   [0 ─────────── 100)[100 ──────── 180)      signed; each begins where the one before ends
//! events   ████ ██████ █████  ███████ ██████         read from rows, or only counted
//! dead         █                     █
//! skipped             █               (transactions)
//! ```
//!
//! Of a batch whose rows were not read (no keys, another date, disposed of), only the first offset, the last offset and
//! the number of records are available. Then the sums must agree. If all rows were read, each offset must be accounted
//! for.

use super::report::{Finding, Kind, PartitionAccount};
use holdfast_proof::{Skip, SkipReason};

/// The evidence about one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    /// In the order of the log.
    pub(crate) spans: Vec<SpanEvidence>,
    /// Runs of offsets that were read from rows, as events or dead letters; each offset once.
    pub(crate) runs: Vec<Run>,
    /// Batches that were not read.
    pub(crate) unread: Vec<UnreadBatch>,
}

/// A span.
#[derive(Debug, Clone)]
pub(crate) struct SpanEvidence {
    pub(crate) from: Option<i64>,
    pub(crate) next: i64,
    pub(crate) skipped: Vec<Skip>,
    /// The entry of the Delta log of events.
    pub(crate) version: u64,
}

/// Where offsets were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Events,
    DeadLetters,
    Disposed,
}

/// Consecutive offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) place: Place,
}

/// A batch whose rows were not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnreadBatch {
    pub(crate) first: i64,
    pub(crate) next: i64,
    pub(crate) count: u64,
    pub(crate) place: Place,
}

/// Sorted offsets as runs.
pub(crate) fn runs_of(offsets: impl IntoIterator<Item = i64>, place: Place) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for offset in offsets {
        match runs.last_mut() {
            Some(run) if run.end == offset => run.end += 1,
            _ => runs.push(Run { start: offset, end: offset + 1, place }),
        }
    }
    runs
}

/// Accounts for the offsets of one partition.
pub(crate) fn account(topic: &str, partition: i32, evidence: &Evidence) -> (PartitionAccount, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut account = PartitionAccount::default();
    let Some(first) = evidence.spans.first() else { return (account, findings) };
    account.first = first.from.unwrap_or(0);
    account.next = account.first;

    let mut spans: Vec<(i64, i64, &SpanEvidence)> = Vec::new();
    for span in &evidence.spans {
        let start = span.from.unwrap_or(0);
        if start != account.next || (span.from.is_none() && !spans.is_empty()) {
            let what =
                format!("entry {} of events does not continue at the offset where the one before ended", span.version);
            let (low, high) = (start.min(account.next), start.max(account.next));
            let finding = Finding::new(Kind::SpansDisjoint, what).at(topic, partition, low, high);
            findings.push(finding.expected(account.next, start));
        }
        spans.push((start, span.next, span));
        account.next = account.next.max(span.next);
        for skip in &span.skipped {
            *account.skipped.entry(reason(skip.why).to_owned()).or_default() += length(skip.start, skip.end);
        }
    }

    let mut runs = evidence.runs.clone();
    runs.sort_unstable();
    for run in &runs {
        add(&mut account, run.place, length(run.start, run.end));
    }
    for batch in &evidence.unread {
        add(&mut account, batch.place, batch.count);
    }

    let mut batches = evidence.unread.clone();
    batches.sort_unstable_by_key(|batch| batch.first);
    for (start, end, members) in groups(&spans, &batches) {
        let begun = &batches[batches.partition_point(|batch| batch.first < start)..];
        let unread: u64 = begun.iter().take_while(|batch| batch.first < end).map(|batch| batch.count).sum();
        let skips = members.iter().flat_map(|span| &span.skipped).map(|skip| (skip.start, skip.end));
        let known = &runs[runs.partition_point(|run| run.end <= start)..];
        let known = known.iter().take_while(|run| run.start < end).map(|run| (run.start, run.end));
        let gaps = gaps(start, end, skips.chain(known));
        let missing: u64 = gaps.iter().map(|(start, end)| length(*start, *end)).sum();
        if missing == unread {
            continue;
        }
        if unread == 0 {
            account.missing += missing;
            findings.extend(gaps.iter().map(|(start, end)| {
                let what = "acknowledged offsets are neither archived, nor dead letters, nor skipped by Kafka";
                Finding::new(Kind::OffsetsMissing, what).at(topic, partition, *start, *end)
            }));
        } else {
            account.missing += missing.saturating_sub(unread);
            let what = "the records of these offsets do not add up";
            let finding = Finding::new(Kind::OffsetsMissing, what).at(topic, partition, start, end);
            findings.push(finding.expected(format!("{missing} records"), format!("{unread} records")));
        }
    }
    (account, findings)
}

/// Spans, joined where an unread batch extends over their edge. `unread` is sorted.
fn groups<'s>(
    spans: &[(i64, i64, &'s SpanEvidence)],
    unread: &[UnreadBatch],
) -> Vec<(i64, i64, Vec<&'s SpanEvidence>)> {
    let mut reaches = unread.iter().map(|batch| (batch.first, batch.next)).peekable();
    let mut groups: Vec<(i64, i64, Vec<&SpanEvidence>)> = Vec::new();
    // The greatest end of the batches that begin in the spans so far.
    let mut reach = i64::MIN;
    for (start, end, span) in spans {
        match groups.last_mut() {
            Some((_, last, members)) if reach > *start && *last == *start => {
                *last = *end;
                members.push(span);
            }
            _ => groups.push((*start, *end, vec![span])),
        }
        while let Some((_, next)) = reaches.next_if(|(first, _)| first < end) {
            reach = reach.max(next);
        }
    }
    groups
}

/// The parts of `start..end` that none of `parts` covers.
fn gaps(start: i64, end: i64, parts: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut parts: Vec<(i64, i64)> = parts.collect();
    parts.sort_unstable();
    let mut gaps = Vec::new();
    let mut at = start;
    for (first, next) in parts {
        if first > at {
            gaps.push((at, first.min(end)));
        }
        at = at.max(next);
        if at >= end {
            break;
        }
    }
    if at < end {
        gaps.push((at, end));
    }
    gaps
}

fn add(account: &mut PartitionAccount, place: Place, count: u64) {
    match place {
        Place::Events => account.archived += count,
        Place::DeadLetters => account.dead_letters += count,
        Place::Disposed => account.disposed += count,
    }
}

fn length(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

/// The name of the reason in the report.
fn reason(why: SkipReason) -> &'static str {
    match why {
        SkipReason::Transactions => "transactions",
        SkipReason::Compaction => "compaction",
        SkipReason::BeforeFirst => "before_first",
        SkipReason::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(from: Option<i64>, next: i64, skipped: &[(i64, i64)]) -> SpanEvidence {
        let skip = |(start, end): &(i64, i64)| Skip { start: *start, end: *end, why: SkipReason::Transactions };
        SpanEvidence { from, next, skipped: skipped.iter().map(skip).collect(), version: 1 }
    }

    fn found(evidence: &Evidence) -> Vec<(Kind, Option<(i64, i64)>)> {
        account("t", 0, evidence).1.into_iter().map(|finding| (finding.kind, finding.offsets)).collect()
    }

    #[test]
    fn skipped_transactions_are_distinguished_from_losses() {
        let mut evidence = Evidence {
            spans: vec![span(None, 5, &[(0, 2)]), span(Some(5), 10, &[(7, 8)])],
            runs: vec![
                Run { start: 2, end: 5, place: Place::Events },
                Run { start: 5, end: 6, place: Place::DeadLetters },
                Run { start: 6, end: 7, place: Place::Events },
                Run { start: 8, end: 10, place: Place::Events },
            ],
            unread: Vec::new(),
        };
        assert_eq!(found(&evidence), []);
        let (account, _) = account("t", 0, &evidence);
        assert_eq!((account.first, account.next, account.archived, account.dead_letters), (0, 10, 6, 1));
        assert_eq!(account.skipped["transactions"], 3);
        evidence.runs.pop();
        assert_eq!(found(&evidence), [(Kind::OffsetsMissing, Some((8, 10)))]);
    }

    #[test]
    fn spans_that_do_not_join_are_found() {
        let whole = [Run { start: 0, end: 9, place: Place::Events }];
        for (spans, offsets) in [
            (vec![span(None, 4, &[]), span(Some(5), 9, &[])], (4, 5)),
            (vec![span(None, 4, &[]), span(Some(3), 9, &[])], (3, 4)),
            (vec![span(None, 9, &[]), span(None, 9, &[])], (0, 9)),
        ] {
            let evidence = Evidence { spans, runs: whole.to_vec(), unread: Vec::new() };
            assert!(found(&evidence).contains(&(Kind::SpansDisjoint, Some(offsets))));
        }
    }

    #[test]
    fn the_counts_of_unread_batches_must_add_up() {
        let unread = |first, next, count| UnreadBatch { first, next, count, place: Place::Disposed };
        let mut evidence = Evidence {
            spans: vec![span(None, 4, &[]), span(Some(4), 8, &[]), span(Some(8), 12, &[])],
            runs: vec![Run { start: 1, end: 2, place: Place::Events }, Run { start: 8, end: 12, place: Place::Events }],
            // A batch of dead letters that, after a crash, extends over the edge of two spans, and one of events.
            unread: vec![unread(0, 6, 3), unread(2, 8, 4)],
        };
        assert_eq!(found(&evidence), []);
        evidence.unread[1].count = 3;
        assert_eq!(found(&evidence), [(Kind::OffsetsMissing, Some((0, 8)))]);
    }

    proptest! {
        #[test]
        fn any_missing_offset_is_named(total in 1i64..200, cuts in prop::collection::vec(1i64..199, 0..6), lost in 0i64..200) {
            let lost = lost % total;
            let mut edges: Vec<i64> = cuts.into_iter().filter(|cut| *cut < total).collect();
            edges.extend([0, total]);
            edges.sort_unstable();
            edges.dedup();
            let spans = edges.windows(2).map(|edge| span((edge[0] > 0).then_some(edge[0]), edge[1], &[])).collect();
            let mut evidence = Evidence { spans, runs: runs_of(0..total, Place::Events), unread: Vec::new() };
            prop_assert_eq!(found(&evidence), []);
            evidence.runs = runs_of((0..total).filter(|offset| *offset != lost), Place::Events);
            prop_assert_eq!(found(&evidence), [(Kind::OffsetsMissing, Some((lost, lost + 1)))]);
        }
    }
}
