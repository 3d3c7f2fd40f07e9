//! `holdfast status`
//!
//! ```text
//! Delta logs ──────▶ rows, files, bytes, newest commit ─┐
//! Kafka offsets ───▶ lag, if Kafka answers ─────────────┼─▶ Report ─▶ text or JSON
//! keys/, disk ─────▶ master keys, free space ───────────┤
//! /readyz ─────────▶ whether a server runs and is ready ┘
//! ```
//!
//! Needs no private key and no server: what cannot be determined is reported as unknown.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use futures::TryStreamExt;
use holdfast_archive::{Archive, Snapshot, Table, paths};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde::Serialize;
use serde_json::Value;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::render::text::{bytes, count, counted, duration};
use crate::wiring::lag::TopicLag;
use crate::wiring::lock_file::{self, LockFile};
use crate::wiring::{archive, broker, kafka, lag, proof};

/// How long `/readyz` may take to answer.
const READYZ_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of its response that are read.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// The state of the archive: lag, freshness, size, dead letters, keys, disk; with or without a server.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print it as one JSON object
    #[arg(long)]
    json: bool,
}

/// The whole report. `None` is unknown.
#[derive(Debug, Serialize)]
struct Report {
    archive: String,
    events: TableReport,
    dead_letters: TableReport,
    kafka: KafkaReport,
    server: ServerReport,
    keys: KeysReport,
    proof: ProofReport,
    /// Free bytes on the file system of the archive, if the archive is a folder.
    disk_free_bytes: Option<u64>,
}

/// One table.
#[derive(Debug, PartialEq, Serialize)]
struct TableReport {
    rows: u64,
    files: usize,
    bytes: u64,
    version: Option<u64>,
    /// RFC 3339.
    newest_commit: Option<String>,
    newest_commit_age_seconds: Option<f64>,
    /// Times of the earliest and the latest row, as their sources set them.
    first_time: Option<String>,
    last_time: Option<String>,
}

#[derive(Debug, Serialize)]
struct KafkaReport {
    brokers: String,
    is_built_in: bool,
    topics: Vec<TopicLag>,
    /// Messages that Kafka has and the archive does not.
    lag: Option<i64>,
    /// Why the lag is unknown.
    unknown: Option<String>,
}

#[derive(Debug, Serialize)]
struct ServerReport {
    running: bool,
    process: Option<u32>,
    roles: Vec<String>,
    started_at: Option<String>,
    address: Option<String>,
    /// From the response of `/readyz`.
    ready: Option<bool>,
    components: Option<Value>,
}

/// The proof log's checkpoint, if its signature verifies with a trusted key.
#[derive(Debug, Default, Serialize)]
struct ProofReport {
    /// Leaves of the tree.
    size: Option<u64>,
    checkpoint_age_seconds: Option<f64>,
    /// Why the checkpoint cannot be trusted.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct KeysReport {
    holders: Vec<String>,
    /// Master keys by tier.
    master_keys: BTreeMap<String, usize>,
}

impl Status {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_quiet_log(&settings);
        let report = block_on(async {
            let _progress = session.bars.open_ended("reading", "");
            report(&settings).await
        })?;
        if self.json {
            print_json(&report)?;
        } else {
            print(&describe(&report))?;
        }
        Ok(Outcome::Success)
    }
}

async fn proof_report(settings: &Settings, archive: &Archive, now: DateTime<Utc>) -> anyhow::Result<ProofReport> {
    let path = holdfast_archive::paths::proof_checkpoint();
    let found = match archive.store().get(&path).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(ProofReport::default()),
        Err(error) => return Err(error).context("read the proof log's checkpoint"),
    };
    let age = (now - found.meta.last_modified).as_seconds_f64();
    let note = String::from_utf8_lossy(&found.bytes().await?).into_owned();
    let opened = proof::trusted_keys(settings)
        .and_then(|keys| Ok(keys.open(&note, holdfast_proof::note::Purpose::Checkpoint)?.tree.size));
    let (size, problem) = match opened {
        Ok(size) => (Some(size), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    Ok(ProofReport { size, checkpoint_age_seconds: Some(age), problem })
}

async fn report(settings: &Settings) -> anyhow::Result<Report> {
    let archive = archive::open(settings)?;
    let now = Utc::now();
    let events = archive.table(Table::Events).snapshot().await?;
    let letters = archive.table(Table::DeadLetters).snapshot().await?;
    let running = lock_file::find(&broker::folder(settings));
    Ok(Report {
        archive: archive.url().to_string(),
        kafka: kafka_report(settings, running.as_ref(), &events).await,
        server: server_report(settings, running).await,
        events: table_report(&archive, Table::Events, &events, now).await?,
        dead_letters: table_report(&archive, Table::DeadLetters, &letters, now).await?,
        keys: keys_report(settings, &archive).await?,
        proof: proof_report(settings, &archive, now).await?,
        disk_free_bytes: disk_free(&archive),
    })
}

async fn table_report(
    archive: &Archive,
    table: Table,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> anyhow::Result<TableReport> {
    let mut newest = None;
    if let Some(version) = snapshot.version {
        let entry = paths::delta_log_entry(table, version);
        let entry = archive.store().head(&entry).await.context("read the time of the newest commit")?;
        newest = Some(entry.last_modified);
    }
    Ok(summarise(snapshot, newest, now))
}

/// Adds up a snapshot. Pure.
fn summarise(snapshot: &Snapshot, newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> TableReport {
    let times = || snapshot.files.iter().filter_map(|file| file.time);
    let text = |micros: i64| {
        DateTime::from_timestamp_micros(micros).map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
    };
    TableReport {
        rows: snapshot.files.iter().map(|file| file.rows).sum(),
        files: snapshot.files.len(),
        bytes: snapshot.files.iter().map(|file| file.size).sum(),
        version: snapshot.version,
        newest_commit: newest.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        newest_commit_age_seconds: newest.map(|time| (now - time).as_seconds_f64().max(0.0)),
        first_time: times().map(|(first, _)| first).min().and_then(text),
        last_time: times().map(|(_, last)| last).max().and_then(text),
    }
}

async fn kafka_report(settings: &Settings, running: Option<&LockFile>, events: &Snapshot) -> KafkaReport {
    let is_built_in = kafka::is_built_in(settings);
    let address = running.map(|running| running.broker);
    let brokers = match address {
        Some(address) => address.to_string(),
        None if is_built_in => String::new(),
        None => settings.config.kafka.brokers.clone(),
    };
    let watermarks = match (is_built_in, address) {
        (true, None) => Err("the built-in broker runs only with a server".to_owned()),
        _ => match kafka::settings(settings, address) {
            Ok(kafka) => lag::watermarks(&kafka).await.map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("{error:#}")),
        },
    };
    match watermarks {
        Ok(watermarks) => {
            let topics = lag::lags(&watermarks, &events.offsets);
            let lag = Some(topics.iter().map(|topic| topic.lag).sum());
            KafkaReport { brokers, is_built_in, topics, lag, unknown: None }
        }
        Err(unknown) => KafkaReport { brokers, is_built_in, topics: Vec::new(), lag: None, unknown: Some(unknown) },
    }
}

async fn server_report(settings: &Settings, running: Option<LockFile>) -> ServerReport {
    // With the built-in broker a server writes its address to the lock file. With a cluster there is only the
    // configured one.
    let address = match &running {
        Some(running) => running.http,
        None if kafka::is_built_in(settings) => None,
        None => Some(settings.config.health.listen.unwrap_or(settings.config.gateway.listen).0),
    };
    let (url, readiness) = match address {
        Some(address) => get_readiness(address).await.unzip(),
        None => (None, None),
    };
    ServerReport {
        running: running.is_some() || readiness.is_some(),
        process: running.as_ref().map(|running| running.process),
        roles: running.as_ref().map(|running| running.roles.clone()).unwrap_or_default(),
        started_at: running.map(|running| running.started_at),
        address: url,
        ready: readiness.as_ref().and_then(|readiness| readiness["ready"].as_bool()),
        components: readiness.map(|mut readiness| readiness["components"].take()),
    }
}

/// The URL of the server at `address`, and what its `/readyz` reports; `None` if no server of Holdfast answers there.
async fn get_readiness(address: SocketAddr) -> Option<(String, Value)> {
    // Directly, whatever proxy the environment names. A certificate has the name by which clients know the server and not
    // this address, and nothing that is sent is a secret.
    let client = reqwest::Client::builder()
        .use_rustls_tls()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_built_in_root_certs(false)
        .danger_accept_invalid_certs(true)
        .timeout(READYZ_TIMEOUT)
        .build()
        .ok()?;
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}");
        if let Some(readiness) = fetch_readiness(&client, &url).await {
            return Some((url, readiness));
        }
    }
    None
}

async fn fetch_readiness(client: &reqwest::Client, url: &str) -> Option<Value> {
    let mut response = client.get(format!("{url}/readyz")).send().await.ok()?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.ok()? {
        body.extend_from_slice(&part);
        if body.len() > MAX_RESPONSE_BYTES {
            return None;
        }
    }
    parse_readiness(&body)
}

/// The body of an HTTP response, if it is a readiness report.
fn parse_readiness(body: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("ready")?.as_bool()?;
    Some(value)
}

async fn keys_report(settings: &Settings, archive: &Archive) -> anyhow::Result<KeysReport> {
    let holders = settings.config.keys.holders.iter().map(|holder| holder.name.clone()).collect();
    let objects: Vec<_> =
        archive.store().list(Some(&Path::from("keys"))).try_collect().await.context("list the keys")?;
    let mut master_keys = BTreeMap::new();
    for object in objects.iter().filter(|object| object.location.extension() == Some("age")) {
        if let Some(tier) = object.location.parts().nth(1) {
            *master_keys.entry(tier.as_ref().to_owned()).or_insert(0) += 1;
        }
    }
    Ok(KeysReport { holders, master_keys })
}

/// Free bytes on the archive's file system.
fn disk_free(archive: &Archive) -> Option<u64> {
    let folder = archive.url().to_file_path().ok()?;
    let disk = rustix::fs::statvfs(&folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn describe_proof(proof: &ProofReport) -> String {
    match (&proof.problem, proof.size, proof.checkpoint_age_seconds) {
        (Some(problem), _, _) => format!("its checkpoint cannot be trusted: {problem}"),
        (None, Some(size), Some(age)) => {
            format!("{} in the checkpoint, {} old", counted(size, "leaf", "leaves"), duration(age))
        }
        _ => "no checkpoint yet".to_owned(),
    }
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: String| text.push_str(&format!("{label:14}{words}\n"));
    let free = report.disk_free_bytes.map(|free| format!(" ({} free)", bytes(free))).unwrap_or_default();
    line("Archive", format!("{}{free}", report.archive));
    line("Events", describe_table(&report.events));
    if let (Some(first), Some(last)) = (&report.events.first_time, &report.events.last_time) {
        line("", format!("from {first} to {last}"));
    }
    line("Dead letters", describe_table(&report.dead_letters));
    let keys: Vec<String> = report.keys.master_keys.iter().map(|(tier, keys)| format!("{keys} {tier}")).collect();
    let keys =
        if keys.is_empty() { "no master key yet".to_owned() } else { format!("master keys: {}", keys.join(", ")) };
    line("Proof log", describe_proof(&report.proof));
    line("Keys", format!("{keys}; holders: {}", report.keys.holders.join(", ")));

    let kafka = &report.kafka;
    let name = match (kafka.is_built_in, kafka.brokers.as_str()) {
        (true, "") => "built-in broker".to_owned(),
        (true, address) => format!("built-in broker at {address}"),
        (false, brokers) => brokers.to_owned(),
    };
    match (&kafka.unknown, kafka.lag) {
        (Some(unknown), _) => line("Kafka", format!("{name}; lag unknown: {unknown}")),
        (None, lag) => line("Kafka", format!("{name}; lag {}", counted_messages(lag.unwrap_or(0)))),
    }
    for topic in &kafka.topics {
        let partitions = counted(topic.partitions as u64, "partition", "partitions");
        line("", format!("{}: {partitions}, lag {}", topic.topic, counted_messages(topic.lag)));
    }

    let server = &report.server;
    if !server.running {
        line("Server", "not running".to_owned());
        return text;
    }
    let mut parts = vec!["running".to_owned()];
    parts.extend(server.process.map(|process| format!("process {process}")));
    parts.extend(server.started_at.as_ref().map(|since| format!("since {since}")));
    parts.extend(server.address.clone());
    parts.push(match server.ready {
        Some(true) => "ready".to_owned(),
        Some(false) => "not ready".to_owned(),
        None => "readiness unknown".to_owned(),
    });
    line("Server", parts.join(", "));
    if let Some(Value::Object(components)) = &server.components {
        for (name, component) in components {
            let state = component["state"].as_str().unwrap_or_default().replace('_', " ");
            let reason = component["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
            line("", format!("{name}: {state}{reason}"));
        }
    }
    text
}

fn describe_table(table: &TableReport) -> String {
    if table.version.is_none() {
        return "none yet".to_owned();
    }
    let age = match table.newest_commit_age_seconds {
        Some(age) => format!("; newest commit {} ago", duration(age)),
        None => String::new(),
    };
    let files = counted(table.files as u64, "file", "files");
    format!("{} in {files}, {}{age}", count(table.rows), bytes(table.bytes))
}

fn counted_messages(lag: i64) -> String {
    counted(u64::try_from(lag).unwrap_or(0), "message", "messages")
}

#[cfg(test)]
mod tests {
    use holdfast_archive::DataFile;

    use super::*;

    #[test]
    fn a_snapshot_is_added_up() {
        let now = DateTime::from_timestamp(1_800_000_010, 0).unwrap();
        let newest = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let file = |rows: u64, time: Option<(i64, i64)>| DataFile {
            path: Path::from("x"),
            id: "x".to_owned(),
            class: "general".to_owned(),
            date: 0,
            rows,
            size: rows * 10,
            time,
        };
        let files = vec![file(3, Some((1_000_000, 5_000_000))), file(4, None), file(1, Some((0, 2_000_000)))];
        let snapshot =
            Snapshot { version: Some(7), files: files.into(), offsets: BTreeMap::new(), damaged_checkpoint: None };
        let report = summarise(&snapshot, Some(newest), now);
        assert_eq!((report.rows, report.files, report.bytes), (8, 3, 80));
        assert_eq!(report.first_time.as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(report.last_time.as_deref(), Some("1970-01-01T00:00:05.000Z"));
        assert_eq!(describe_table(&report), "8 in 3 files, 80 bytes; newest commit 10 s ago");
        let empty = summarise(&Snapshot::default(), None, now);
        assert_eq!(describe_table(&empty), "none yet");
    }

    #[test]
    fn only_a_readiness_report_counts() {
        assert_eq!(parse_readiness(b"{\"ready\":false,\"components\":{}}").unwrap()["ready"], false);
        assert!(parse_readiness(b"<html>").is_none());
        assert!(parse_readiness(b"{\"status\":\"ok\"}").is_none());
        assert!(parse_readiness(b"").is_none());
    }
}
