//! Posts events at a steady rate, and measures how long they take from the 202 until the archive has them.
//!
//! ```text
//! tick ─▶ POST /v1/events ─▶ 202 ─▶ Kafka's end of the partition ─▶ waits ─▶ the log's offset is behind it: its delay
//! ```
//!
//! Neither an answer of the server nor its metrics say what is archived: Kafka is asked by a client of its own, and the
//! Delta log is read from its files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::deployment::{Deployment, SOURCE};
use crate::Error;
use crate::kafka::clients;
use crate::process::http_client;

const TOPIC: &str = "holdfast.events";
/// All events have one subject, and so are in one partition.
const SUBJECT: &str = "trial";
/// How often the log is read: the error of a delay, which is never too short.
const POLL: Duration = Duration::from_millis(25);
const KAFKA_LIMIT: Duration = Duration::from_secs(30);
/// How long the end waits for events that are not archived. More is a loss.
const ARCHIVE_LIMIT: Duration = Duration::from_secs(120);

/// What was posted, and when it was archived.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// Events with a 202.
    pub acknowledged: u64,
    /// Events without one: they may be archived or not.
    pub unknown: u64,
    /// Until the 202, for each acknowledged event.
    pub latencies: Vec<Duration>,
    /// From the 202 until the archive had the event, for each one that it has.
    pub delays: Vec<Duration>,
    /// Acknowledged, and not in the archive at the end.
    pub lost: u64,
}

impl Posted {
    /// The longest time from a 202 until the archive had the event.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        self.delays.iter().max().copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.lost += other.lost;
        self.latencies.extend(other.latencies);
        self.delays.extend(other.delays);
    }
}

/// The value that `share` of the values are below or at, such as 0.99; zero without values.
#[must_use]
pub fn percentile(values: &[Duration], share: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// Events that are being posted.
pub(super) struct Posting {
    stop: Arc<AtomicBool>,
    posting: JoinHandle<Posted>,
    watching: JoinHandle<()>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Acknowledged events, until they are archived.
#[derive(Default)]
struct Waiting {
    /// When an event was acknowledged, and the offset behind it.
    events: Vec<(Instant, i64)>,
    delays: Vec<Duration>,
}

impl Posting {
    /// Posts an event `every` so often, whether or not the ones before are acknowledged.
    pub(super) async fn start(deployment: &Deployment, every: Duration) -> Result<Self, Error> {
        let mut kafka = clients::config(&deployment.broker);
        kafka.set("group.id", "holdfast-trial").set("enable.auto.commit", "false");
        let poster = Arc::new(Poster {
            client: http_client()?,
            url: format!("http://{}/v1/events", deployment.gateway),
            token: deployment.token.clone(),
            consumer: Arc::new(kafka.create()?),
            run: RUNS.fetch_add(1, Ordering::Relaxed),
        });
        let partition = poster.partition().await?;
        let (stop, waiting) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Waiting::default())));
        let log = DeltaLog::new(deployment.events_log());
        let watching = tokio::spawn(watch(log, format!("kafka:{TOPIC}:{partition}"), Arc::clone(&waiting)));
        let posting = tokio::spawn(poster.post(every, partition, Arc::clone(&stop), Arc::clone(&waiting)));
        Ok(Self { stop, posting, watching, waiting })
    }

    /// Stops, and waits until everything that was acknowledged is archived.
    pub(super) async fn finish(self) -> Result<Posted, Error> {
        self.stop.store(true, Ordering::Release);
        let mut posted = self.posting.await.map_err(|error| failed(error.to_string()))?;
        let deadline = Instant::now() + ARCHIVE_LIMIT;
        while !lock(&self.waiting).events.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        self.watching.abort();
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        posted.lost = waiting.events.len() as u64;
        posted.delays = waiting.delays;
        Ok(posted)
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(message: String) -> Error {
    Error::Http { request: "POST /v1/events".to_owned(), message }
}

/// Tells the ids of one posting from those of another.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Posts events.
struct Poster {
    client: Client,
    url: String,
    token: String,
    consumer: Arc<BaseConsumer>,
    run: u64,
}

impl Poster {
    /// Posts a first event, and finds the partition that it is in.
    async fn partition(&self) -> Result<i32, Error> {
        let before = self.ends().await?;
        let (accepted, _) = self.event("first").await;
        if !accepted {
            return Err(failed("the first event was not accepted".to_owned()));
        }
        let after = self.ends().await?;
        let grown = after.iter().find(|(partition, end)| before.get(*partition).copied().unwrap_or_default() < **end);
        grown.map(|(partition, _)| *partition).ok_or_else(|| failed("Kafka does not have the first event".to_owned()))
    }

    /// The end of each partition.
    async fn ends(&self) -> Result<BTreeMap<i32, i64>, Error> {
        let consumer = Arc::clone(&self.consumer);
        let asked = tokio::task::spawn_blocking(move || -> Result<BTreeMap<i32, i64>, Error> {
            let metadata = consumer.fetch_metadata(Some(TOPIC), KAFKA_LIMIT)?;
            let mut ends = BTreeMap::new();
            for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
                ends.insert(partition.id(), end(&consumer, partition.id())?);
            }
            Ok(ends)
        });
        asked.await.map_err(|error| failed(error.to_string()))?
    }

    /// Posts one event. Returns whether it was accepted, and how long that took.
    async fn event(&self, name: &str) -> (bool, Duration) {
        let event = json!({
            "specversion": "1.0", "id": format!("{}-{name}", self.run), "source": SOURCE, "type": "chat.line",
            "subject": SUBJECT, "time": "2026-11-20T10:00:00Z",
            "data": { "seq": 1, "sender": "customer", "text": "posted while statements run" },
        });
        let began = Instant::now();
        let request = self.client.post(&self.url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/cloudevents+json").body(event.to_string());
        let Ok(response) = request.send().await else { return (false, began.elapsed()) };
        let accepted = response.status() == StatusCode::ACCEPTED;
        // The connection is used again only after the whole response was read.
        (response.bytes().await.is_ok() && accepted, began.elapsed())
    }

    /// Posts one event, and lets it wait for the archive.
    async fn acknowledged(
        self: Arc<Self>,
        name: u64,
        partition: i32,
        waiting: Arc<Mutex<Waiting>>,
    ) -> Option<Duration> {
        let (accepted, latency) = self.event(&name.to_string()).await;
        let acknowledged = Instant::now();
        if !accepted {
            return None;
        }
        // Its offset is below the end that Kafka has now.
        let consumer = Arc::clone(&self.consumer);
        let behind = tokio::task::spawn_blocking(move || end(&consumer, partition)).await;
        // If Kafka does not answer, the event counts as lost.
        let behind = behind.ok().and_then(Result::ok).unwrap_or(i64::MAX);
        lock(&waiting).events.push((acknowledged, behind));
        Some(latency)
    }

    async fn post(
        self: Arc<Self>,
        every: Duration,
        partition: i32,
        stop: Arc<AtomicBool>,
        waiting: Arc<Mutex<Waiting>>,
    ) -> Posted {
        // The first event was posted to find the partition.
        let mut posted = Posted { acknowledged: 1, ..Posted::default() };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut requests = JoinSet::new();
        for number in 0_u64.. {
            ticks.tick().await;
            if stop.load(Ordering::Acquire) {
                break;
            }
            requests.spawn(Arc::clone(&self).acknowledged(number, partition, Arc::clone(&waiting)));
            while let Some(done) = requests.try_join_next() {
                posted.count(done.ok().flatten());
            }
        }
        while let Some(done) = requests.join_next().await {
            posted.count(done.ok().flatten());
        }
        posted
    }
}

impl Posted {
    /// Counts an event by its latency, if it was acknowledged.
    fn count(&mut self, latency: Option<Duration>) {
        match latency {
            Some(latency) => {
                self.acknowledged += 1;
                self.latencies.push(latency);
            }
            None => self.unknown += 1,
        }
    }
}

/// The offset behind the last message of a partition.
fn end(consumer: &BaseConsumer, partition: i32) -> Result<i64, Error> {
    Ok(consumer.fetch_watermarks(TOPIC, partition, KAFKA_LIMIT)?.1)
}

/// Moves events out of `waiting` when the log is behind them.
async fn watch(mut log: DeltaLog, partition: String, waiting: Arc<Mutex<Waiting>>) {
    loop {
        log.refresh();
        let archived = log.offsets.get(&partition).copied().unwrap_or_default();
        {
            let mut waiting = lock(&waiting);
            let Waiting { events, delays } = &mut *waiting;
            events.retain(|(acknowledged, behind)| {
                if *behind <= archived {
                    delays.push(acknowledged.elapsed());
                }
                *behind > archived
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The entries of a Delta log, read one after the other.
struct DeltaLog {
    folder: PathBuf,
    next: u64,
    /// The `version` of the newest `txn` of each `appId`.
    offsets: BTreeMap<String, i64>,
}

impl DeltaLog {
    fn new(folder: PathBuf) -> Self {
        Self { folder, next: 0, offsets: BTreeMap::new() }
    }

    /// Reads the entries that are new.
    fn refresh(&mut self) {
        while let Ok(entry) = std::fs::read_to_string(self.folder.join(format!("{:020}.json", self.next))) {
            for action in entry.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                let txn = &action["txn"];
                if let (Some(id), Some(version)) = (txn["appId"].as_str(), txn["version"].as_i64()) {
                    self.offsets.insert(id.to_owned(), version);
                }
            }
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&values, 1.0), Duration::from_millis(100));
        assert_eq!(percentile(&values, 0.0), Duration::from_millis(1));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }

    #[test]
    fn the_log_is_read_entry_by_entry() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = DeltaLog::new(folder.path().to_owned());
        log.refresh();
        assert!(log.offsets.is_empty());
        let entry = |number: u64, version: i64| {
            let text =
                format!("{{\"commitInfo\":{{}}}}\n{{\"txn\":{{\"appId\":\"kafka:t:0\",\"version\":{version}}}}}\n");
            std::fs::write(folder.path().join(format!("{number:020}.json")), text).unwrap();
        };
        entry(0, 5);
        log.refresh();
        assert_eq!(log.offsets["kafka:t:0"], 5);
        entry(2, 9);
        log.refresh();
        assert_eq!(log.offsets["kafka:t:0"], 5, "the entry before it does not exist yet");
        entry(1, 7);
        log.refresh();
        assert_eq!(log.offsets["kafka:t:0"], 9);
    }
}
