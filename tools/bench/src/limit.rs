//! The limit: the rate of one thread that only decodes and encodes.

use crate::figure::figure;
use crate::{event, process};
use holdfast_archive::Table;
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::proof::BatchTrees;
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_events::{Decoder, EventBatchBuilder, Position, Tier, Timestamp};
use holdfast_proof::Secret;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const EVENTS: u64 = 1_000_000;
const ROWS: usize = 16 * 1024;

/// Measures, and prints the figures. Returns the events a CPU second of decoding and encrypted encoding together.
pub(crate) fn measure(runtime: &Runtime) -> anyhow::Result<f64> {
    let mut json = String::new();
    let mut lines = Vec::new();
    let mut ends = Vec::new();
    for n in 0..EVENTS {
        event::write(n, &mut json);
        lines.extend_from_slice(json.as_bytes());
        ends.push(lines.len());
    }
    figure("bytes of an event", lines.len() as u64 / EVENTS, "bytes");

    let began = process::cpu_time()?;
    let mut decoder = Decoder::default();
    let mut builder = EventBatchBuilder::new();
    let mut batches = Vec::new();
    let mut start = 0;
    for (offset, end) in ends.iter().enumerate() {
        let event = decoder.structured(&lines[start..*end])?;
        let position = Position { topic: "holdfast.events", partition: 0, offset: offset as i64 };
        builder.append(&event, position, Timestamp(0), false, None);
        decoder.recycle(event);
        start = *end;
        if builder.rows() == ROWS {
            batches.push(builder.finish());
        }
    }
    batches.push(builder.finish());
    let decode = rate(process::cpu_time()? - began);
    figure("limit: JSON to Arrow, one core", decode as u64, "events/CPU s");

    let partition = Partition { class: "general".to_owned(), date: 20_777 };
    let mut encoded = [0.0; 2];
    for (encrypt, index) in [(false, 0), (true, 1)] {
        let keys = if encrypt {
            let ring = KeyRing::new(Arc::new(object_store::memory::InMemory::new()), vec![holder()])?;
            runtime.block_on(SegmentKeys::new(&ring, Table::Events, &partition, "limit".to_owned()))?
        } else {
            SegmentKeys::unencrypted_for_measurement("limit".to_owned())
        };
        let began = process::cpu_time()?;
        let mut writer = SegmentWriter::new(Table::Events, partition.clone(), keys)?;
        for batch in &batches {
            writer.write(batch)?;
        }
        let segment = writer.finish()?;
        encoded[index] = rate(process::cpu_time()? - began);
        let name = if encrypt { "zstd-1 Parquet with AES-256-GCM" } else { "zstd-1 Parquet, plain" };
        figure(&format!("limit: Arrow to {name}, one core"), encoded[index] as u64, "events/CPU s");
        if encrypt {
            figure("limit: bytes of an archived event", segment.bytes.len() as u64 / EVENTS, "bytes");
        }
    }
    let began = process::cpu_time()?;
    let mut trees = BatchTrees::new(Table::Events);
    for batch in &batches {
        trees.add(&partition, batch, &Secret([7; 32]))?;
    }
    let leaves = trees.finish();
    let hashed = rate(process::cpu_time()? - began);
    figure("limit: Arrow to the root of a batch, one core", hashed as u64, "events/CPU s");
    anyhow::ensure!(leaves.len() == 1, "one topic and partition is one batch");
    let together = 1.0 / (1.0 / decode + 1.0 / encoded[1]);
    figure("limit: both together, one core", together as u64, "events/CPU s");
    Ok(together)
}

fn rate(time: Duration) -> f64 {
    EVENTS as f64 / time.as_secs_f64().max(0.01)
}

/// A holder of every tier, whose identity is discarded.
fn holder() -> Holder {
    Holder {
        name: "bench".to_owned(),
        recipient: age::x25519::Identity::generate().to_public(),
        tiers: Tier::ALL.to_vec(),
    }
}
