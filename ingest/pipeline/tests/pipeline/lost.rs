//! An archiver to which Kafka's group gives no partitions, and one that does not come forward: it notices by the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use holdfast_archive::Table;
use holdfast_events::Timestamp;
use holdfast_ingest::archiver::ArchiverSettings;
use holdfast_ingest::gateway::{Clock, system_clock};
use holdfast_testkit::faults::Faults;
use holdfast_testkit::kafka::clients;
use holdfast_testkit::require;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::time::Instant;

use crate::conformance::events;
use crate::fixture::{BrokerKind, Fixture, LIMIT, RunningArchiver, StoreKind, archiver_settings};
use crate::sent::Sent;

/// A clock that is ahead by as many seconds as the test wants.
fn movable_clock() -> (Clock, Arc<AtomicI64>) {
    let ahead = Arc::new(AtomicI64::new(0));
    let (now, seconds) = (system_clock(), Arc::clone(&ahead));
    let clock = move || Timestamp(now().0 + seconds.load(Ordering::Relaxed) * 1_000_000);
    (Arc::new(clock), ahead)
}

async fn wait_for(what: &str, archiver: &RunningArchiver, done: impl Fn(&RunningArchiver) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done(archiver) {
        assert!(Instant::now() < deadline, "{what}");
        assert!(!archiver.has_ended(), "the archiver has ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A member that is in the group and does not answer keeps the group from sharing the partitions. The archiver makes its
/// consumer anew after a minute, says meanwhile that it is not ready, and goes on when the group does.
async fn an_archiver_without_partitions_makes_its_consumer_anew(fixture: &Fixture) {
    let mut config = clients::config(&fixture.kafka.brokers);
    config
        .set("group.id", &fixture.kafka.group)
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "500")
        .set("max.poll.interval.ms", "600000")
        .set("enable.auto.commit", "false");
    let silent: BaseConsumer = config.create().unwrap();
    silent.subscribe(&[fixture.events(), fixture.recordings()]).unwrap();
    let silent = tokio::task::spawn_blocking(move || {
        while silent.assignment().unwrap().count() == 0 {
            silent.poll(Duration::from_millis(50));
        }
        silent
    });
    let silent = tokio::time::timeout(LIMIT, silent).await.expect("it gets partitions").unwrap();

    let (clock, ahead) = movable_clock();
    let settings = ArchiverSettings { rejoin_after: Duration::from_secs(60), ..archiver_settings() };
    let archiver = fixture.run_archiver(fixture.kafka.clone(), settings, clock, Faults::default());
    fixture.send(events(fixture, "waiting", 4, 10)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((archiver.metric("rejoins_total"), archiver.is_ready()), (0, false));
    ahead.store(61, Ordering::Relaxed);
    wait_for("the consumer is made anew", &archiver, |archiver| archiver.metric("rejoins_total") == 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(archiver.metric("rejoins_total"), 1, "the next time only after a longer pause");
    assert!(!archiver.is_ready());

    tokio::task::spawn_blocking(move || drop(silent)).await.unwrap();
    archiver.ready().await;
    fixture.wait_and_check().await;
    archiver.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_brokers_group_gives_no_partitions() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    an_archiver_without_partitions_makes_its_consumer_anew(&fixture).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_kafkas_group_gives_no_partitions() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    an_archiver_without_partitions_makes_its_consumer_anew(&fixture).await;
}

/// More archivers than partitions: each topic has three. The fourth stands by, is ready, and takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archiver_beyond_the_number_of_partitions_stands_by() {
    let fixture = require!(Fixture::start(BrokerKind::Apache, StoreKind::Memory).await);
    let (clock, ahead) = movable_clock();
    let mut archivers = Vec::new();
    for _ in 0..4 {
        let (kafka, clock) = (fixture.kafka.clone(), Arc::clone(&clock));
        archivers.push(fixture.run_archiver(kafka, archiver_settings(), clock, Faults::default()));
    }
    let is_settled = |archivers: &[RunningArchiver]| {
        let given: Vec<_> = archivers.iter().map(|archiver| archiver.metric("assigned_partitions")).collect();
        given.iter().sum::<i64>() == 6 && given.contains(&0) && archivers.iter().all(RunningArchiver::is_ready)
    };
    let deadline = Instant::now() + LIMIT;
    while !is_settled(&archivers) {
        assert!(Instant::now() < deadline, "all four are ready, three of them with partitions");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ahead.store(10_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(archivers.iter().all(|archiver| archiver.metric("rejoins_total") == 0), "standing by is no fault");
    fixture.send(events(&fixture, "three", 6, 20)).await;
    fixture.wait_and_check().await;
    archivers.sort_by_key(|archiver| archiver.metric("assigned_partitions"));
    let standby = archivers.remove(0);
    for archiver in archivers {
        archiver.stop().await;
    }
    fixture.send(events(&fixture, "one", 6, 20)).await;
    fixture.wait_and_check().await;
    standby.stop().await;
}

/// While nothing can be written, the lag grows; afterwards it is 0 again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lag_is_the_age_of_what_is_not_archived() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let archiver = fixture.archiver();
    archiver.ready().await;
    assert_eq!(archiver.metric("lag_seconds"), 0);
    archiver.faults.fill_disk();
    fixture.send(events(&fixture, "waiting", 4, 10)).await;
    wait_for("the lag grows", &archiver, |archiver| archiver.metric("lag_seconds") > 0).await;
    archiver.faults.free_disk();
    fixture.wait_and_check().await;
    wait_for("the lag ends", &archiver, |archiver| archiver.metric("lag_seconds") == 0).await;
    archiver.stop().await;
}

/// A flush never has more filing dates than the limit, so that its memory is bounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_filing_dates_are_committed_in_parts() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let days = Timestamp::parse("2012-01-01T08:00:00Z").unwrap();
    let sent = (0..300).map(|day| {
        let time = format!("{}T08:00:00Z", days.plus_days(day).date_text());
        Sent::chat_at(fixture.events(), &format!("s-{}", day % 7), day as usize, &time)
    });
    fixture.send(sent.collect()).await;
    let settings = ArchiverSettings { flush_interval: Duration::from_secs(2), ..archiver_settings() };
    let limit = settings.flush_dates;
    let archiver = fixture.run_archiver(fixture.kafka.clone(), settings, system_clock(), Faults::default());
    let contents = fixture.wait_and_check().await;
    archiver.stop().await;
    assert_eq!(contents.events.len(), 300);
    let newest = fixture.archive.table(Table::Events).version().await.unwrap().unwrap();
    let mut files = Vec::new();
    for version in 0..=newest {
        use object_store::ObjectStoreExt;
        let entry = holdfast_archive::paths::delta_log_entry(Table::Events, version);
        let entry = fixture.archive.store().get(&entry).await.unwrap().bytes().await.unwrap();
        files.push(String::from_utf8_lossy(&entry).lines().filter(|line| line.starts_with("{\"add\"")).count());
    }
    assert_eq!(files.iter().sum::<usize>(), 300, "one file a date, because each message has its own");
    assert!(files.iter().all(|files| *files <= limit), "{files:?}");
}
