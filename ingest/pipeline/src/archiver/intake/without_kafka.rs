//! The archiver's way from messages to commits without Kafka, for tests and for fuzzing: what a broker would refuse to
//! store, or would take a day to deliver, is tried here.

use super::collect::StartOffset;
use super::reader::Reader;
use crate::archiver::error::ArchiverError;
use crate::archiver::metrics::ArchiverMetrics;
use crate::archiver::queue::Work;
use crate::archiver::run::Run;
use crate::archiver::settings::ArchiverSettings;
use crate::archiver::writer::Writer;
use crate::clock::Clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::keys::KeyRing;
use holdfast_archive::log::TopicPartition;
use holdfast_archive::{Archive, Table};
use rdkafka::message::{Message, OwnedMessage};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Archives `messages` as the archiver does, on the calling thread, in the context of a runtime. What is before the
/// first message of a partition that the log does not have counts as deleted by Kafka.
///
/// # Errors
/// See [`ArchiverError`].
///
/// # Panics
/// If the offsets of a partition do not ascend from the next offset in the log on.
pub fn archive_messages(
    settings: ArchiverSettings,
    archive: Archive,
    ring: Arc<KeyRing>,
    clock: Clock,
    messages: &[OwnedMessage],
) -> Result<(), ArchiverError> {
    // Nobody mends the store meanwhile, so retries are to end.
    let stop = CancellationToken::new();
    stop.cancel();
    let run = Run {
        kafka: KafkaSettings::default(),
        settings,
        archive,
        clock,
        metrics: ArchiverMetrics::default(),
        ownership: Arc::default(),
        committed: Arc::default(),
        archived: Arc::default(),
        cluster: Arc::default(),
        on_ready: Arc::new(|_| {}),
        stop,
        died: CancellationToken::new(),
    };
    let archived = Handle::current().block_on(run.archive.table(Table::Events).offsets())?;
    let mut starts: BTreeMap<TopicPartition, StartOffset> = BTreeMap::new();
    for message in messages {
        let key = (message.topic().to_owned(), message.partition());
        let (next, (topic, partition)) = (archived.get(&key).copied(), key.clone());
        starts.entry(key).or_insert(StartOffset { topic, partition, next, earliest: message.offset() });
    }
    let mut reader = Reader::new(run.settings.class.clone(), run.metrics.clone());
    reader.collector.begin(run.ownership.epoch(), starts.into_values(), false);
    let (sender, receiver) = std::sync::mpsc::channel();
    let send = |work: Option<Work>| {
        if let Some(work) = work {
            sender.send(work).expect("the receiver is not dropped");
        }
    };
    let new_id = || uuid::Uuid::now_v7().to_string();
    for message in messages {
        let rows = reader.read(message, (run.clock)()).expect("the offsets of a partition ascend");
        send(rows.map(Work::Rows));
        if reader.is_full(run.settings.flush_rows, &run.settings) {
            send(reader.collector.take(new_id()).map(Work::Commit));
        }
    }
    send(reader.collector.take(new_id()).map(Work::Commit));
    drop(sender);
    Writer::new(run, ring).run(&receiver)
}
