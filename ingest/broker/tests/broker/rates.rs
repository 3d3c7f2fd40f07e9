//! Measures throughput and latency. Run by hand: `cargo test -p holdfast-broker --test broker rates -- --ignored
//! --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use rama::Service as _;
use rdkafka::{
    consumer::Consumer as _,
    producer::{BaseRecord, DeliveryResult, FutureRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use url::Url;

use crate::client::{WAIT, config, consumer, create_topic, start};

/// Prints a measurement, which is visible with `--nocapture`.
#[allow(clippy::print_stdout)]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

#[derive(Default)]
struct Failures(std::sync::atomic::AtomicUsize);

impl rdkafka::ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        if delivery.is_err() {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// Sends and reads back. Returns messages a second for both.
fn measure(servers: &str, topic: &str, count: usize, bytes: usize, compression: &str) -> (f64, f64) {
    let producer: ThreadedProducer<Failures> = config(servers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "20")
        .set("batch.size", "4000000")
        .set("batch.num.messages", "20000")
        .set("compression.type", compression)
        .set("queue.buffering.max.messages", "2000000")
        .set("queue.buffering.max.kbytes", "1048576")
        .create_with_context(Failures::default())
        .unwrap();
    // Half random, so about as compressible as JSON.
    let mut payload = vec![b'a'; bytes];
    for byte in payload.iter_mut().step_by(2) {
        *byte = rand::random();
    }
    let begin = Instant::now();
    for number in 0..count {
        let key = (number % 1_000).to_string();
        while producer.send(BaseRecord::to(topic).key(&key).payload(&payload)).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(10 * WAIT).unwrap();
    let produced = count as f64 / begin.elapsed().as_secs_f64();
    assert_eq!(producer.context().0.load(std::sync::atomic::Ordering::Relaxed), 0);

    let reader = consumer(servers, "rates");
    reader.subscribe(&[topic]).unwrap();
    let (mut read, mut begin) = (0, None);
    while read < count {
        if let Some(message) = reader.poll(WAIT) {
            assert_eq!(message.unwrap().payload_len(), bytes);
            begin.get_or_insert_with(Instant::now);
            read += 1;
        }
    }
    let consumed = count as f64 / begin.unwrap().elapsed().as_secs_f64();
    (produced, consumed)
}

#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    for (topic, count, bytes, compression) in [
        ("events", 1_000_000, 250, "none"),
        ("events.zstd", 1_000_000, 250, "zstd"),
        ("recordings", 1_000, 1_000_000, "none"),
    ] {
        create_topic(&servers, topic, 4).await;
        let address = servers.clone();
        let (produced, consumed) =
            tokio::task::spawn_blocking(move || measure(&address, topic, count, bytes, compression)).await.unwrap();
        print(&format!(
            "{topic}: {count} messages of {bytes} bytes ({compression}): produced {produced:.0}/s, consumed {consumed:.0}/s"
        ));
    }
    broker.stop().await.unwrap();
}

/// The same with unmodified tansu: no encryption, one row per record, no fsync.
#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_of_tansu_alone() {
    let directory = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = listener.local_addr().unwrap().to_string();
    let storage = tansu_storage::StorageContainer::builder()
        .cluster_id("plain")
        .node_id(1)
        .advertised_listener(Url::parse(&format!("tcp://{servers}")).unwrap())
        .storage(Url::parse(&format!("sqlite:///{}/plain.db", directory.path().display())).unwrap())
        .silent(true)
        .build()
        .await
        .unwrap();
    let registration = tansu_storage::BrokerRegistrationRequest {
        broker_id: 1,
        cluster_id: "plain".to_owned(),
        incarnation_id: uuid::Uuid::new_v4(),
        rack: None,
    };
    tansu_storage::Storage::register_broker(&storage, registration).await.unwrap();
    let groups = tansu_broker::coordinator::group::administrator::Controller::with_storage(storage.clone()).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = tansu_broker::service::services("plain", groups.clone(), storage.clone(), None).unwrap();
            tokio::spawn(async move { service.serve(rama::Context::<()>::default(), stream).await });
        }
    });
    create_topic(&servers, "events", 4).await;
    let address = servers.clone();
    let (produced, consumed) =
        tokio::task::spawn_blocking(move || measure(&address, "events", 60_000, 250, "none")).await.unwrap();
    print(&format!("tansu alone: produced {produced:.0}/s, consumed {consumed:.0}/s"));
}

/// One message after the other: the time until the acknowledgement, and until a waiting consumer has received it.
#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latencies() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, "events", 4).await;
    let producer = crate::client::producer(&servers);
    let reader = consumer(&servers, "latencies");
    reader.subscribe(&["events"]).unwrap();
    let payload = vec![b'x'; 250];
    let (mut acknowledged, mut arrived) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let begin = Instant::now();
        let record = FutureRecord::<(), _>::to("events").partition(number % 4).payload(&payload);
        producer.send(record, WAIT).await.unwrap();
        acknowledged.push(begin.elapsed());
        while !matches!(reader.poll(WAIT), Some(Ok(_))) {}
        arrived.push(begin.elapsed());
    }
    // The first ones include the time to join the group.
    for (what, mut times) in [("acknowledged", acknowledged.split_off(20)), ("arrived", arrived.split_off(20))] {
        times.sort_unstable();
        print(&format!("{what}: median {:?}, 99th percentile {:?}", times[140], times[277]));
    }
    drop((producer, reader));
    broker.stop().await.unwrap();
}
