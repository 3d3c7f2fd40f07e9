//! The lag in time: for how long the oldest message that Kafka acknowledged has waited to be archived.
//!
//! It is counted from when this process first saw that Kafka has the message, and not from the message's own timestamp,
//! which a producer may set to anything. So it is right within [`INTERVAL`], except for what waited already when the
//! process started.

use super::archived::Duty;
use super::error::ArchiverError;
use super::run::Run;
use crate::kafka::{Observer, Watermarks};
use holdfast_archive::log::TopicPartition;
use holdfast_archive::{Table, TableLog};
use holdfast_events::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How often Kafka is asked.
const INTERVAL: Duration = Duration::from_secs(5);
/// Ends of a partition that are remembered. Further ones are merged into the last, whose age is that of the older.
const MAX_SEEN: usize = 128;

/// What waits in each partition, as far as it was seen.
#[derive(Debug, Default)]
struct Waiting(BTreeMap<TopicPartition, VecDeque<Seen>>);

/// All messages before `end` were in Kafka at `since`.
#[derive(Debug)]
struct Seen {
    end: i64,
    since: Timestamp,
}

impl Waiting {
    /// Takes note of the watermarks, and of the next offset to archive of each partition; without one, that is the low
    /// watermark. Returns the age of what waits longest, in microseconds, or 0 if nothing waits.
    fn observe(&mut self, watermarks: &Watermarks, archived: &BTreeMap<TopicPartition, i64>, now: Timestamp) -> i64 {
        self.0.retain(|partition, _| watermarks.contains_key(partition));
        let mut oldest = now;
        for (partition, (low, high)) in watermarks {
            let next = archived.get(partition).copied().unwrap_or(*low).max(*low);
            let seen = self.0.entry(partition.clone()).or_default();
            while seen.front().is_some_and(|first| first.end <= next) {
                seen.pop_front();
            }
            let is_full = seen.len() >= MAX_SEEN;
            match seen.back_mut() {
                Some(last) if last.end >= *high => {}
                None if next >= *high => {}
                Some(last) if is_full => last.end = *high,
                _ => seen.push_back(Seen { end: *high, since: now }),
            }
            if let Some(first) = seen.front() {
                oldest = oldest.min(first.since);
            }
        }
        now.0.saturating_sub(oldest.0)
    }
}

/// Measures the lag of `run` until its stop. While Kafka does not respond, what waited goes on getting older.
pub(super) async fn watch(run: Run) -> Result<(), ArchiverError> {
    let observer = Observer::new(&run.kafka)?;
    // It remembers what it has read of the log. A new one would read the whole log again.
    let events = run.archive.table(Table::Events);
    let mut waiting = Waiting::default();
    let mut known = (Watermarks::new(), BTreeMap::new());
    while run.stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        match run.stop.run_until_cancelled(facts(&run, &observer, &events)).await {
            Some(Ok(facts)) => known = facts,
            Some(Err(reason)) => tracing::debug!(reason, "cannot measure the lag"),
            None => break,
        }
        let (watermarks, archived) = &known;
        let age = waiting.observe(watermarks, archived, (run.clock)());
        run.metrics.lag_seconds.set(age / 1_000_000);
    }
    // Stopping a client joins its threads.
    let _ = tokio::task::spawn_blocking(move || drop(observer)).await;
    Ok(())
}

/// The watermarks of the partitions that this process has to archive, and their next offsets. If nobody is known to
/// have the partitions, these are all of both topics, with the offsets of the log.
async fn facts(
    run: &Run,
    observer: &Observer,
    events: &TableLog,
) -> Result<(Watermarks, BTreeMap<TopicPartition, i64>), String> {
    let archived = match run.archived.duty() {
        Duty::Partitions(partitions) => Some(partitions),
        Duty::Standby => return Ok((Watermarks::new(), BTreeMap::new())),
        Duty::Unknown => None,
    };
    let (observer, mine) = (observer.clone(), archived.clone());
    let topics = [run.kafka.events_topic.clone(), run.kafka.recordings_topic.clone()];
    let asking = tokio::task::spawn_blocking(move || match mine {
        Some(mine) => observer.watermarks(mine.keys()),
        None => observer.watermarks(&observer.partitions(&[&topics[0], &topics[1]])?),
    });
    let watermarks = asking.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let archived = match archived {
        Some(archived) => archived,
        None => events.offsets().await.map_err(|error| error.to_string())?,
    };
    Ok((watermarks, archived))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> TopicPartition {
        ("t".to_owned(), partition)
    }

    #[test]
    fn the_lag_is_the_age_of_what_waits_longest() {
        let mut waiting = Waiting::default();
        let mut observe = |highs: &[i64], nexts: &[i64], now: i64| {
            let watermarks = highs.iter().zip(0..).map(|(high, partition)| (at(partition), (0, *high))).collect();
            let archived = nexts.iter().zip(0..).map(|(next, partition)| (at(partition), *next)).collect();
            waiting.observe(&watermarks, &archived, Timestamp(now))
        };
        assert_eq!(observe(&[0, 0], &[], 0), 0);
        assert_eq!(observe(&[5, 0], &[], 10), 0, "seen for the first time");
        assert_eq!(observe(&[9, 3], &[], 25), 15);
        assert_eq!(observe(&[9, 3], &[5, 0], 40), 15, "the first five are archived, the next were seen at 25");
        assert_eq!(observe(&[9, 3], &[9, 0], 50), 25);
        assert_eq!(observe(&[9, 3], &[9, 3], 60), 0);
        assert_eq!(observe(&[9, 3], &[90, 30], 70), 0, "the log is ahead, as after the broker's folder was deleted");
        assert_eq!(observe(&[9, 4], &[9, 3], 80), 0);
        assert_eq!(observe(&[9], &[9], 90), 0, "a partition of another process is left out");
    }

    #[test]
    fn what_retention_deleted_does_not_wait() {
        let mut waiting = Waiting::default();
        let mut observe =
            |low: i64, now: i64| waiting.observe(&[(at(0), (low, 8))].into(), &BTreeMap::new(), Timestamp(now));
        assert_eq!(observe(3, 0), 0);
        assert_eq!(observe(5, 7), 7);
        assert_eq!(observe(8, 9), 0);
    }

    #[test]
    fn the_memory_of_a_partition_that_stands_still_is_bounded() {
        let mut waiting = Waiting::default();
        let end = 10 * MAX_SEEN as i64;
        for high in 1..=end {
            let age = waiting.observe(&[(at(0), (0, high))].into(), &BTreeMap::new(), Timestamp(high));
            assert_eq!(age, high - 1);
        }
        assert_eq!(waiting.0[&at(0)].len(), MAX_SEEN);
        let archived = [(at(0), end)].into();
        assert_eq!(waiting.observe(&[(at(0), (0, end))].into(), &archived, Timestamp(end + 1)), 0);
    }
}
