//! Consumer groups: two members share a topic, one leaves, one crashes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::FutureRecord,
};

use crate::client::{WAIT, consumer, create_topic, producer, start};

const TOPIC: &str = "holdfast.events";
const PARTITIONS: i32 = 4;

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    consumer
        .assignment()
        .map(|list| list.elements().iter().map(|element| element.partition()).collect())
        .unwrap_or_default()
}

/// Polls all members and records what they read, until `done`.
fn poll_until(members: &[&BaseConsumer], seen: &mut Vec<i64>, mut done: impl FnMut(&[i64]) -> bool) -> Duration {
    let start = Instant::now();
    while !done(seen) {
        assert!(
            start.elapsed() < 2 * WAIT,
            "timed out; assignments {:?}",
            members.iter().map(|m| assigned(m)).collect::<Vec<_>>()
        );
        for member in members {
            while let Some(Ok(message)) = member.poll(Duration::from_millis(20)) {
                seen.push(String::from_utf8_lossy(message.payload().unwrap()).parse().unwrap());
                member.commit_message(&message, CommitMode::Sync).unwrap();
            }
        }
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_share_the_partitions_and_reassign_them_when_one_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, PARTITIONS).await;
    let producer = producer(&servers);
    let send = async |numbers: std::ops::Range<i64>| {
        for number in numbers {
            let payload = number.to_string();
            let record = FutureRecord::<(), _>::to(TOPIC).partition((number % 4) as i32).payload(&payload);
            producer.send(record, WAIT).await.unwrap();
        }
    };
    send(0..40).await;

    let mut seen = Vec::new();
    let all: BTreeSet<i32> = (0..PARTITIONS).collect();
    let first = consumer(&servers, "shared");
    first.subscribe(&[TOPIC]).unwrap();
    let alone = poll_until(&[&first], &mut seen, |seen| seen.len() == 40 && assigned(&first) == all);

    let second = consumer(&servers, "shared");
    second.subscribe(&[TOPIC]).unwrap();
    let joined = poll_until(&[&first, &second], &mut seen, |_| {
        let (one, other) = (assigned(&first), assigned(&second));
        one.len() == 2 && other.len() == 2 && &one | &other == all
    });
    send(40..80).await;
    poll_until(&[&first, &second], &mut seen, |seen| seen.len() == 80);

    // One member leaves: the other gets its partitions at once.
    drop(second);
    let left = poll_until(&[&first], &mut seen, |_| assigned(&first) == all);
    send(80..100).await;
    poll_until(&[&first], &mut seen, |seen| seen.len() == 100);

    // The first member leaves: a new member gets its partitions.
    let second = consumer(&servers, "shared");
    second.subscribe(&[TOPIC]).unwrap();
    poll_until(&[&first, &second], &mut seen, |_| assigned(&second).len() == 2);
    drop(first);
    let taken = poll_until(&[&second], &mut seen, |_| assigned(&second) == all);
    send(100..120).await;
    poll_until(&[&second], &mut seen, |seen| seen.len() == 120);

    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..120), "each message once");
    // A list from a consumer keeps a reference to it. The consumer could not be dropped while the list lives.
    let committed: Vec<_> = second.committed(WAIT).unwrap().elements().iter().map(|element| element.offset()).collect();
    assert_eq!(committed, [Offset::Offset(30); 4]);
    crate::rates::print(&format!(
        "group: first member ready in {alone:?}, second in {joined:?}, after a leave {left:?}, by a newcomer {taken:?}"
    ));
    drop((second, producer));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_continues_after_a_restart_of_the_broker() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let address = broker.address();
    let servers = address.to_string();
    create_topic(&servers, TOPIC, PARTITIONS).await;
    let producer = producer(&servers);
    let member = consumer(&servers, "returning");
    member.subscribe(&[TOPIC]).unwrap();
    let mut seen = Vec::new();
    for number in 0..8 {
        let payload = number.to_string();
        producer.send(FutureRecord::<(), _>::to(TOPIC).partition(number % 4).payload(&payload), WAIT).await.unwrap();
    }
    poll_until(&[&member], &mut seen, |seen| seen.len() == 8);
    broker.stop().await.unwrap();

    let broker = crate::client::start_at(directory.path(), address.port()).await;
    for number in 8..16 {
        let payload = number.to_string();
        producer.send(FutureRecord::<(), _>::to(TOPIC).partition(number % 4).payload(&payload), WAIT).await.unwrap();
    }
    poll_until(&[&member], &mut seen, |seen| seen.len() == 16);
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..16));
    drop((member, producer));
    broker.stop().await.unwrap();
}

/// A process crashes with its broker and its consumer. The next one gets all partitions, long before the session
/// timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_from_before_a_restart_do_not_keep_partitions() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, PARTITIONS).await;
    let with_long_timeout = |servers: &str| {
        let mut config = crate::client::config(servers);
        config.set("group.id", "restarted").set("session.timeout.ms", "30000");
        config.create::<BaseConsumer>().unwrap()
    };
    let crashed = with_long_timeout(&servers);
    crashed.subscribe(&[TOPIC]).unwrap();
    poll_until(&[&crashed], &mut Vec::new(), |_| assigned(&crashed).len() == PARTITIONS as usize);
    broker.stop().await.unwrap();

    // At another address, so that the first consumer can neither rejoin nor leave.
    let broker = start(directory.path()).await;
    let member = with_long_timeout(&broker.address().to_string());
    member.subscribe(&[TOPIC]).unwrap();
    let taken = poll_until(&[&member], &mut Vec::new(), |_| assigned(&member).len() == PARTITIONS as usize);
    assert!(taken < Duration::from_secs(10), "{taken:?}");
    drop((crashed, member));
    broker.stop().await.unwrap();
}

/// The broker's runtime stands still for longer than the session timeout. The member's heartbeats wait meanwhile, and
/// when they are read it is taken for dead. It must get its partitions back.
#[test]
fn a_member_gets_its_partitions_back_after_a_stall_of_the_broker() {
    const STALL: Duration = Duration::from_secs(6);
    let of_broker = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let of_clients = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let broker = of_broker.block_on(start(directory.path()));
    let servers = broker.address().to_string();
    of_clients.block_on(create_topic(&servers, TOPIC, PARTITIONS));
    let mut config = crate::client::config(&servers);
    config.set("group.id", "stalled").set("session.timeout.ms", "2000").set("heartbeat.interval.ms", "300");
    let member: BaseConsumer = config.create().unwrap();
    member.subscribe(&[TOPIC]).unwrap();
    let has_all = |consumer: &BaseConsumer| assigned(consumer).len() == PARTITIONS as usize;
    poll_until(&[&member], &mut Vec::new(), |_| has_all(&member));
    for _ in 0..3 {
        let stalled = Instant::now();
        of_broker.spawn(async { std::thread::sleep(STALL) });
        // It loses its partitions at its own session timeout, while the broker stands still.
        poll_until(&[&member], &mut Vec::new(), |_| assigned(&member).is_empty() || stalled.elapsed() > STALL);
        poll_until(&[&member], &mut Vec::new(), |_| stalled.elapsed() > STALL && has_all(&member));
    }
    drop(member);
    of_broker.block_on(broker.stop()).unwrap();
}
