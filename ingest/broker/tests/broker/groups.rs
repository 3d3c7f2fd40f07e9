//! Consumer groups: two members share a topic, one leaves, one dies.

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

/// Polls all members, noting what they read, until `done`.
fn poll_until(members: &[&BaseConsumer], seen: &mut Vec<i64>, mut done: impl FnMut(&[i64]) -> bool) -> Duration {
    let start = Instant::now();
    while !done(seen) {
        assert!(
            start.elapsed() < 2 * WAIT,
            "gave up; assignments {:?}",
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
async fn two_members_share_the_partitions_and_take_over_from_each_other() {
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

    // One leaves: the other takes over at once.
    drop(second);
    let left = poll_until(&[&first], &mut seen, |_| assigned(&first) == all);
    send(80..100).await;
    poll_until(&[&first], &mut seen, |seen| seen.len() == 100);

    // And the other way round, with a newcomer.
    let second = consumer(&servers, "shared");
    second.subscribe(&[TOPIC]).unwrap();
    poll_until(&[&first, &second], &mut seen, |_| assigned(&second).len() == 2);
    drop(first);
    let taken = poll_until(&[&second], &mut seen, |_| assigned(&second) == all);
    send(100..120).await;
    poll_until(&[&second], &mut seen, |seen| seen.len() == 120);

    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..120), "each message once");
    // A list from a consumer keeps its partitions: the consumer's end would wait for the list's, for ever.
    let committed: Vec<_> = second.committed(WAIT).unwrap().elements().iter().map(|element| element.offset()).collect();
    assert_eq!(committed, [Offset::Offset(30); 4]);
    crate::rates::say(&format!(
        "group: first member ready in {alone:?}, second in {joined:?}, after a leave {left:?}, by a newcomer {taken:?}"
    ));
    drop((second, producer));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_after_the_broker_was_away() {
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

/// A process dies with its broker and its consumer; the next one gets everything, and long before a session timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_process_before_hold_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, PARTITIONS).await;
    let patient = |servers: &str| {
        let mut config = crate::client::config(servers);
        config.set("group.id", "mortal").set("session.timeout.ms", "30000");
        config.create::<BaseConsumer>().unwrap()
    };
    let gone = patient(&servers);
    gone.subscribe(&[TOPIC]).unwrap();
    poll_until(&[&gone], &mut Vec::new(), |_| assigned(&gone).len() == PARTITIONS as usize);
    broker.stop().await.unwrap();

    // At another address, so that the one before cannot come back or leave.
    let broker = start(directory.path()).await;
    let member = patient(&broker.address().to_string());
    member.subscribe(&[TOPIC]).unwrap();
    let taken = poll_until(&[&member], &mut Vec::new(), |_| assigned(&member).len() == PARTITIONS as usize);
    assert!(taken < Duration::from_secs(10), "{taken:?}");
    drop((gone, member));
    broker.stop().await.unwrap();
}
