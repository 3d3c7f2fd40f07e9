//! Events of a generated service desk, through Kafka, and the table of their sessions.

use crate::{archive, process, prove};
use holdfast_archive::keys::{Holder, KeyRing, Unlocker};
use holdfast_archive::table::GENERAL_CLASS;
use holdfast_events::Tier;
use holdfast_ingest::producer::{KafkaProducer, Record};
use holdfast_sessions::{Maintainer, MaintainerSettings};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// The end of the generated events, in microseconds since 1970.
const END: i64 = 1_795_132_800_000_000;
/// The same as text, for statements.
pub(super) const END_TEXT: &str = "2026-11-20T00:00:00Z";
/// Days that the sessions are spread over.
const DAYS: u32 = 90;
/// A lower bound of the events for each session, including its ticket and its share of events without a session.
const EVENTS_A_SESSION: u64 = 28;

/// Writes `events` events to Kafka, of as many sessions as needed. Returns how many Kafka acknowledged.
pub(super) async fn kafka(brokers: &str, events: u64) -> anyhow::Result<u64> {
    let settings = archive::settings(brokers, "bench");
    let mut options = holdfast_demo::Options::new(7, events / EVENTS_A_SESSION + 1, END);
    options.days = DAYS;
    options.record_every = 0;
    let bulk = KafkaProducer::new(&settings)?.bulk(100_000);
    for message in holdfast_demo::generate(options).take(usize::try_from(events)?) {
        let topic = &settings.events_topic;
        bulk.send(Record { topic, key: message.key.as_bytes(), value: &message.payload, headers: &[] }).await?;
    }
    Ok(bulk.finish().await?.acknowledged)
}

/// The projecting process: builds the table of sessions, and reports.
pub(crate) async fn project(folder: &Path) -> anyhow::Result<()> {
    let (archive, identities) = prove::open(folder)?;
    let holder = Holder { name: "bench".to_owned(), recipient: identities[0].to_public(), tiers: Tier::ALL.to_vec() };
    let ring = Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder])?);
    let unlocker = Arc::new(Unlocker::new(archive.clone(), identities));
    let mut maintainer = Maintainer::new(archive, unlocker, ring, MaintainerSettings::new(GENERAL_CLASS));
    let began = Instant::now();
    let rebuilt = maintainer.rebuild(prove::now(), |_| {}).await?;
    let report = serde_json::json!({
        "sessions": rebuilt.sessions,
        "wall": began.elapsed().as_secs_f64(),
        "memory": process::peak_memory()?,
    });
    println!("{report}");
    Ok(())
}
