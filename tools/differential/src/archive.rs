//! The demo's events as an archive in memory.

use age::x25519::Identity;
use anyhow::Context;
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, Location, Table};
use holdfast_demo::{Options, Topic};
use holdfast_events::{EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use object_store::memory::InMemory;
use std::sync::Arc;

const TOPIC: &str = "holdfast.events";
/// 2026-05-20 12:00 UTC, the end of the demo's run.
const END: i64 = 1_779_278_400_000_000;
const DAY: i64 = 86_400_000_000;
const SESSIONS: u64 = 40;
const DAYS: u32 = 3;
const SEED: u64 = 11;

/// An archive with the events, which `reader` can read.
pub(crate) async fn filled(reader: &Identity) -> anyhow::Result<Archive> {
    let url = url::Url::parse("memory:///")?;
    let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
    let holder = Holder { name: "compliance".into(), recipient: reader.to_public(), tiers: Tier::ALL.to_vec() };
    let ring = KeyRing::new(Arc::clone(archive.store()), vec![holder])?;
    let options = Options { days: DAYS, record_every: 0, ..Options::new(SEED, SESSIONS, END) };
    let mut batch = EventBatchBuilder::new();
    let mut offset = 0;
    // All of them in one file of the last date: a statement then opens one file, and still filters by time.
    for message in holdfast_demo::generate(options).filter(|message| message.topic == Topic::Events) {
        let event = decode_structured(&message.payload).context("decode an event of the demo")?;
        let position = Position { topic: TOPIC, partition: 0, offset };
        batch.append(&event, position, Timestamp(event.time.0 + 1_000_000), false, None);
        offset += 1;
    }
    let date = i32::try_from(END / DAY)?;
    let partition = Partition { class: "general".to_owned(), date };
    let keys = SegmentKeys::new(&ring, Table::Events, &partition, "file-1".to_owned()).await?;
    let mut writer = SegmentWriter::new(Table::Events, partition, keys)?;
    writer.write(&batch.finish())?;
    let segment = writer.finish()?;
    let log = archive.table(Table::Events);
    log.put(&segment).await?;
    let advance = Advance { topic: TOPIC.to_owned(), partition: 0, expected: None, next: offset };
    log.commit(&[segment], &[advance], "file-1", Timestamp(END)).await?;
    Ok(archive)
}
