use super::collect::StartOffset;
use super::*;
use crate::archiver::metrics::ArchiverMetrics;
use crate::archiver::settings::ArchiverSettings;
use crate::clock::system_clock;
use crate::kafka::KafkaSettings;
use holdfast_archive::{Advance, Archive, Location};
use object_store::memory::InMemory;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(20);

fn run(brokers: String) -> Run {
    Run {
        kafka: KafkaSettings { brokers, ..KafkaSettings::default() },
        settings: ArchiverSettings::default(),
        archive: Archive::new(Location { url: "memory:///".parse().unwrap(), store: Arc::new(InMemory::new()) }),
        clock: system_clock(),
        metrics: ArchiverMetrics::default(),
        ownership: Arc::default(),
        committed: Arc::default(),
        archived: Arc::default(),
        cluster: Arc::default(),
        on_ready: Arc::new(|_| {}),
        stop: CancellationToken::new(),
        died: CancellationToken::new(),
    }
}

/// The offset of the next message.
fn next_offset(consumer: &ArchivingConsumer) -> i64 {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(POLL_TIMEOUT) {
            return rdkafka::Message::offset(&message);
        }
    }
    panic!("no message arrives");
}

#[test]
fn a_partition_that_was_paused_when_it_was_revoked_is_read_when_it_is_assigned_again() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _context = runtime.enter();
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
    assert!(producer.send(BaseRecord::<str, str>::to("t").partition(0).payload("a message")).is_ok());
    producer.flush(LIMIT).unwrap();
    let run = run(cluster.bootstrap_servers());
    let marks = Marks::new(run.archive.clone());
    let consumer = create_consumer(&run, &marks).unwrap();
    let mut state = State {
        reader: Reader::new(run.settings.class.clone(), run.metrics.clone()),
        membership: Membership::new(run.settings.rejoin_after, (run.clock)()),
        isolation: Isolation::new(marks),
    };
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(0)).unwrap();
    consumer.assign(&list).unwrap();
    assert_eq!(next_offset(&consumer), 0);
    consumer.pause(&list).unwrap();
    consumer.unassign().unwrap();
    consumer.assign(&list).unwrap();
    let start = StartOffset { topic: "t".to_owned(), partition: 0, next: Some(0), earliest: 0 };
    let assignment = Assignment { epoch: 1, starts: vec![start], cause: Cause::Assigned(Vec::new()) };
    consumer.context().set_assignment(Ok(assignment));
    assert!(state.take_assignment(&consumer, &run).unwrap());
    assert_eq!(next_offset(&consumer), 0);
}

#[test]
fn a_commit_that_the_writer_drops_is_not_waited_for() {
    let run = run(String::new());
    let partition = ("t".to_owned(), 0);
    let ends = [(partition.clone(), 9)];
    run.archived.begin([(partition.clone(), 5)]);
    let first = run.ownership.epoch();
    assert!(!is_settled(&run, first, &ends));
    let second = run.ownership.end_epoch();
    run.archived.begin([(partition, 5)]);
    assert!(is_settled(&run, first, &ends), "the same partition was assigned again");
    assert!(!is_settled(&run, second, &ends));
    run.ownership.request_resync();
    assert!(is_settled(&run, second, &ends));
    assert!(run.ownership.take_resync());
    run.archived.advance(&[Advance { topic: "t".to_owned(), partition: 0, expected: Some(5), next: 9 }]);
    assert!(is_settled(&run, second, &ends));
}

#[test]
fn a_consumer_that_leaves_declines_the_partitions_that_it_is_being_given() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _context = runtime.enter();
    let cluster = MockCluster::new(1).unwrap();
    let mut run = run(cluster.bootstrap_servers());
    for topic in [&run.kafka.events_topic, &run.kafka.recordings_topic] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let (given, is_given) = std::sync::mpsc::channel();
    run.on_ready = Arc::new(move |_| given.send("taken").unwrap());
    let (waiting, is_waiting) = std::sync::mpsc::channel();
    let context = RebalanceContext::new(&run, Marks::new(run.archive.clone()));
    let mut consumer: ArchivingConsumer = run.kafka.consumer_config().unwrap().create_with_context(context).unwrap();
    consumer.set_nonempty_callback(move || waiting.send(()).unwrap());
    subscribe(&consumer, &run).unwrap();
    // The group has given the partitions, and nobody has polled yet.
    is_waiting.recv_timeout(LIMIT).unwrap();
    let has_left = Member::new(consumer).leave();
    runtime.block_on(async { tokio::time::timeout(LIMIT, has_left).await }).unwrap().unwrap();
    assert!(is_given.try_recv().is_err());
    assert_eq!(run.ownership.epoch(), 0);
}
