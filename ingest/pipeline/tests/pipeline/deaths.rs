//! Threads of the archiver that panic, and processes that are killed, each time at the same message.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::{Archive, Location, Table, open_store};
use holdfast_events::Tier;
use holdfast_ingest::archiver::{Archiver, ArchiverError, ArchiverMetrics};
use holdfast_ingest::gateway::system_clock;
use holdfast_ingest::kafka::KafkaSettings;
use holdfast_testkit::faults::{Failure, Fault, Faults, FaultyStore, Operation, Rule, When};
use holdfast_testkit::require;
use tokio_util::sync::CancellationToken;

use crate::conformance::events;
use crate::fixture::{BrokerKind, Fixture, LIMIT, StoreKind, archiver_settings};
use crate::sent::{Outcome, Sent};

/// The filing date of the message at which the archiver dies: when it puts the file of that date.
const DATE: &str = "2013-07-07";

fn dies_at_the_date() -> Rule {
    Rule::new(Fault::Panic).on(Operation::WRITES).path_contains(format!("date={DATE}/"))
}

/// A message at which the archiver dies, which is to become a dead letter.
fn deadly(fixture: &Fixture) -> Sent {
    let sent = Sent::chat_at(fixture.events(), "s-deadly", 0, &format!("{DATE}T08:00:00Z"));
    Sent { outcome: Outcome::DeadLetter { reason: "internal_error" }, ..sent }
}

/// A panic of the writer is told at once, although no further message arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_writer_ends_the_archiver_within_a_second() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let mut archiver = fixture.archiver();
    archiver.ready().await;
    let rule = archiver.faults.inject(dies_at_the_date());
    fixture.send(vec![deadly(&fixture)]).await;
    let deadline = Instant::now() + LIMIT;
    while archiver.faults.fired(rule) == 0 {
        assert!(Instant::now() < deadline, "the writer puts the file");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let died = Instant::now();
    let failure = archiver.failure().await;
    assert!(died.elapsed() < Duration::from_secs(1), "{:?}", died.elapsed());
    assert!(!archiver.is_ready());
    let ArchiverError::Died { thread: "writer", reason } = failure else { panic!("{failure}") };
    assert!(reason.contains("injected: a panic"), "{reason}");
}

/// The first commit after a start reads the version of the dead letters. A listing that fails then is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_call_of_the_first_commit_is_retried() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let archiver = fixture.archiver();
    archiver.ready().await;
    let failing = Rule::new(Fault::FailBefore(Failure::Transient))
        .on(&[Operation::List, Operation::Get])
        .path_contains("tables/dead_letters/_delta_log")
        .when(When::First(3));
    let failing = archiver.faults.inject(failing);
    fixture.send(events(&fixture, "first", 3, 10)).await;
    fixture.wait_until_archived().await;
    assert!(archiver.faults.fired(failing) > 0);
    fixture.send(events(&fixture, "second", 3, 10)).await;
    fixture.wait_and_check().await;
    assert!(!archiver.has_ended());
    archiver.stop().await;
}

/// Archivers die one after the other, until the message is found. Everything else is archived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_at_which_archivers_die_becomes_a_dead_letter() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Memory).await);
    let faults = Faults::default();
    faults.inject(dies_at_the_date());
    fixture.send(events(&fixture, "before", 4, 20)).await;
    fixture.send(vec![deadly(&fixture)]).await;
    fixture.send(events(&fixture, "after", 4, 20)).await;
    let mut deaths = 0;
    let survivor = loop {
        let mut archiver = fixture.archiver_with(&fixture.kafka.group, |_| {}, faults.clone());
        tokio::select! {
            () = fixture.wait_until_archived() => break archiver,
            failure = archiver.failure() => {
                assert!(matches!(&failure, ArchiverError::Died { .. }), "{failure}");
                deaths += 1;
                assert!(deaths <= 12, "the message is not found");
            }
        }
    };
    assert!(deaths >= 3, "one death more or less may have another cause");
    let contents = fixture.check().await;
    assert_eq!((contents.events.len(), contents.dead.len()), (2 * 4 * 20, 1));
    assert_eq!(survivor.metric("dead_letters_total{reason=\"internal_error\"}"), 1);

    // After an orderly end the next archiver knows that nothing is left to be found.
    fixture.send(events(&fixture, "more", 4, 40)).await;
    fixture.wait_until_archived().await;
    survivor.stop().await;
    let marks = marks(&fixture).await;
    assert!(marks.iter().all(|mark| mark["is_running"] == false), "{marks:?}");
    let archiver = fixture.archiver_in_new_group();
    archiver.ready().await;
    fixture.send(events(&fixture, "last", 4, 40)).await;
    fixture.wait_and_check().await;
    archiver.stop().await;
    fixture.check().await;
}

/// The marks that are in the archive.
async fn marks(fixture: &Fixture) -> Vec<serde_json::Value> {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    let store = fixture.archive.store();
    let found: Vec<_> = store.list(Some(&"ingest/marks".into())).try_collect().await.unwrap();
    assert!(!found.is_empty());
    let mut marks = Vec::new();
    for object in found {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        marks.push(serde_json::from_slice(&bytes).unwrap());
    }
    marks
}

/// What a process of its own needs to archive into the fixture's archive.
const ENVIRONMENT: &str = "HOLDFAST_TEST_ARCHIVER";

/// As above, with a process that is killed by SIGKILL at the message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_at_which_processes_are_killed_becomes_a_dead_letter() {
    let fixture = require!(Fixture::start(BrokerKind::Embedded, StoreKind::Folder).await);
    fixture.send(events(&fixture, "before", 4, 10)).await;
    fixture.send(vec![deadly(&fixture)]).await;
    fixture.send(events(&fixture, "after", 4, 10)).await;
    let mut process = start_process(&fixture);
    let mut deaths = 0;
    let watching = async {
        while deaths <= 12 {
            if let Some(status) = process.try_wait().unwrap() {
                use std::os::unix::process::ExitStatusExt;
                assert_eq!(status.signal(), Some(9), "{status}");
                deaths += 1;
                process = start_process(&fixture);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let archived = wait_long(&fixture);
    tokio::select! {
        () = archived => {}
        () = watching => panic!("the message is not found"),
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(deaths >= 3, "{deaths}");
    let contents = fixture.check().await;
    assert_eq!((contents.events.len(), contents.dead.len()), (2 * 4 * 10, 1));
}

/// Each process waits for the session timeout of the one that was killed.
async fn wait_long(fixture: &Fixture) {
    let targets = fixture.expectation().targets();
    let log = fixture.archive.table(Table::Events);
    let waiting = holdfast_ingest::archiver::wait_until_archived(&log, &targets, |_| {});
    tokio::time::timeout(3 * LIMIT, waiting).await.expect("everything is archived").expect("the log can be read");
}

fn start_process(fixture: &Fixture) -> Child {
    let kafka = &fixture.kafka;
    let folder = fixture.archive.url().to_file_path().expect("it is in a folder");
    let needed = serde_json::json!({
        "brokers": kafka.brokers,
        "group": kafka.group,
        "events": kafka.events_topic,
        "recordings": kafka.recordings_topic,
        "folder": folder,
        "recipient": fixture.officer.to_public().to_string(),
    });
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deaths::archive_until_killed", "--ignored", "--nocapture"])
        .env(ENVIRONMENT, needed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The process: an archiver that kills itself where it would panic.
#[test]
#[ignore = "is started by another test, in a process of its own"]
fn archive_until_killed() {
    let needed = std::env::var(ENVIRONMENT).expect("the other test sets it");
    let needed: serde_json::Value = serde_json::from_str(&needed).unwrap();
    let text = |name: &str| needed[name].as_str().unwrap().to_owned();
    std::panic::set_hook(Box::new(|_| {
        let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    }));
    let kafka = KafkaSettings {
        brokers: text("brokers"),
        group: text("group"),
        events_topic: text("events"),
        recordings_topic: text("recordings"),
        settings: [("session.timeout.ms", "3000"), ("heartbeat.interval.ms", "500")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..KafkaSettings::default()
    };
    let faults = Faults::default();
    faults.inject(dies_at_the_date());
    let Location { url, store } = open_store(&text("folder"), std::path::Path::new("/"), &Default::default()).unwrap();
    let store = Arc::new(FaultyStore::with_faults(store, faults));
    let archive = Archive::new(Location { url, store });
    let officer = Holder {
        name: "compliance".to_owned(),
        recipient: text("recipient").parse().unwrap(),
        tiers: Tier::ALL.to_vec(),
    };
    let ring = Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![officer]).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let archiver = Archiver::new(kafka, archiver_settings(), archive, ring, system_clock(), ArchiverMetrics::default());
    let ended = runtime.block_on(archiver.run(CancellationToken::new(), |_| {}));
    panic!("the archiver ended before it was killed: {ended:?}");
}
