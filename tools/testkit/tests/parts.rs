//! Tests of the real servers and tools: each is started, killed and used.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Duration;

use bytes::Bytes;
use holdfast_testkit::kafka::clients::{self, Isolation, Record, TransactionalProducer};
use holdfast_testkit::kafka::{Kafka, Options};
use holdfast_testkit::s3::{BUCKET, LOCKED_BUCKET, S3Server};
use holdfast_testkit::{chitchat, process, require, tools};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};

fn payloads(records: &[clients::Received]) -> Vec<String> {
    records
        .iter()
        .map(|record| String::from_utf8_lossy(record.payload.as_deref().unwrap_or_default()).into_owned())
        .collect()
}

#[tokio::test]
async fn kafka_keeps_acknowledged_records_after_a_kill() {
    let mut kafka = require!(Kafka::start().await);
    kafka.create_topic("events", 3).await.unwrap();
    kafka.create_topic("events", 3).await.expect("creating it again is not an error");

    let records: Vec<_> = (0..500)
        .map(|number| {
            Record::new("events", number.to_string()).key(format!("session {}", number % 7)).header("ce_id", "x")
        })
        .collect();
    let positions = clients::produce(kafka.bootstrap(), &records).await.unwrap();
    assert_eq!(positions.len(), 500);

    kafka.kill();
    assert!(tokio::net::TcpStream::connect(kafka.bootstrap()).await.is_err(), "a killed server does not listen");
    kafka.restart().await.unwrap();

    let received = clients::read_all(kafka.bootstrap(), "events", Isolation::Uncommitted).await.unwrap();
    let by_position: BTreeMap<_, _> = received.iter().map(|record| (record.position, record)).collect();
    assert_eq!(by_position.len(), 500);
    for (number, position) in positions.iter().enumerate() {
        let record = by_position[position];
        assert_eq!(record.payload.as_deref(), Some(number.to_string().as_bytes()));
        assert_eq!(record.key.as_deref(), Some(format!("session {}", number % 7).as_bytes()));
        assert_eq!(record.headers, [("ce_id".to_owned(), b"x".to_vec())]);
    }
    kafka.stop().await.unwrap();
    kafka.restart().await.unwrap();
    assert_eq!(clients::read_all(kafka.bootstrap(), "events", Isolation::Uncommitted).await.unwrap().len(), 500);
}

#[tokio::test]
async fn kafka_hides_aborted_records_from_read_committed() {
    let kafka = require!(Kafka::start().await);
    kafka.create_topic("events", 1).await.unwrap();
    let batch = |name: &str| (0..3).map(|number| Record::new("events", format!("{name} {number}"))).collect::<Vec<_>>();

    let producer = TransactionalProducer::new(kafka.bootstrap(), "producer").await.unwrap();
    producer.commit(&batch("committed")).await.unwrap();
    let aborted = producer.abort(&batch("aborted")).await.unwrap();
    assert_eq!(aborted.len(), 3, "aborted records were acknowledged like any other");
    producer.commit(&batch("committed too")).await.unwrap();
    producer.leave_open(&batch("open")).await.unwrap();

    let read = async |isolation| payloads(&clients::read_all(kafka.bootstrap(), "events", isolation).await.unwrap());
    let committed =
        ["committed 0", "committed 1", "committed 2", "committed too 0", "committed too 1", "committed too 2"];
    assert_eq!(read(Isolation::Committed).await, committed);
    assert_eq!(read(Isolation::Uncommitted).await.len(), 12);

    // No record after an open transaction is visible, until its producer registers again and so aborts it.
    clients::produce(kafka.bootstrap(), &[Record::new("events", "behind")]).await.unwrap();
    assert_eq!(read(Isolation::Committed).await, committed);
    let _successor = TransactionalProducer::new(kafka.bootstrap(), "producer").await.unwrap();
    assert_eq!(read(Isolation::Committed).await.last().unwrap(), "behind");
}

#[tokio::test]
async fn kafka_requires_the_password() {
    let options =
        Options { scram_user: Some(("archiver".to_owned(), "a long password".to_owned())), ..Options::default() };
    let kafka = require!(Kafka::start_with(options).await);
    kafka.create_topic("events", 1).await.unwrap();
    let metadata = |password: &'static str| {
        let mut config = clients::config(kafka.sasl_bootstrap().unwrap());
        config.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", "SCRAM-SHA-256");
        config.set("sasl.username", "archiver").set("sasl.password", password);
        tokio::task::spawn_blocking(move || {
            use rdkafka::consumer::{BaseConsumer, Consumer};
            let consumer: BaseConsumer = config.create().unwrap();
            consumer.fetch_metadata(Some("events"), Duration::from_secs(3)).map(|metadata| metadata.topics().len())
        })
    };
    assert_eq!(metadata("a long password").await.unwrap(), Ok(1));
    assert!(metadata("a wrong password").await.unwrap().is_err());
}

#[tokio::test]
async fn s3_writes_conditionally() {
    let mut server = require!(S3Server::start().await);
    for bucket in [BUCKET, LOCKED_BUCKET] {
        let store = server.store(bucket).unwrap();
        let path = Path::from("log/0.json");
        let created = store.put_opts(&path, "first".into(), PutMode::Create.into()).await.unwrap();
        let again = store.put_opts(&path, "second".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(object_store::Error::AlreadyExists { .. })), "{bucket}: {again:?}");
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");

        let version = UpdateVersion { e_tag: created.e_tag, version: None };
        store.put_opts(&path, "second".into(), PutMode::Update(version.clone()).into()).await.unwrap();
        let stale = store.put_opts(&path, "third".into(), PutMode::Update(version).into()).await;
        assert!(matches!(stale, Err(object_store::Error::Precondition { .. })), "{bucket}: {stale:?}");

        // Of many concurrent creates of a name exactly one succeeds.
        let race = (0..16).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .put_opts(&Path::from("log/1.json"), PutPayload::from(format!("{number}")), PutMode::Create.into())
                    .await
                    .is_ok()
            })
        });
        let mut won = 0;
        for attempt in race.collect::<Vec<_>>() {
            won += usize::from(attempt.await.unwrap());
        }
        assert_eq!(won, 1, "{bucket}");

        let mut upload = store.put_multipart(&Path::from("large")).await.unwrap();
        upload.put_part(PutPayload::from(vec![1; 6 << 20])).await.unwrap();
        upload.put_part(PutPayload::from(vec![2; 1 << 20])).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(store.head(&Path::from("large")).await.unwrap().size, 7 << 20);
        store.copy_if_not_exists(&Path::from("large"), &Path::from("copy")).await.unwrap();
        assert!(store.copy_if_not_exists(&Path::from("log/0.json"), &Path::from("copy")).await.is_err());
    }

    server.kill();
    server.restart().await.unwrap();
    let store = server.store(BUCKET).unwrap();
    assert_eq!(store.get(&Path::from("log/0.json")).await.unwrap().bytes().await.unwrap(), "second");
    assert!(server.objects().join(BUCKET).join("log/0.json").is_file());
}

#[tokio::test]
async fn s3_locks_objects() {
    let server = require!(S3Server::start().await);
    let put = async |path: &str, body: &'static str| {
        server.request("PUT", path, &[], Bytes::from_static(body.as_bytes())).await.unwrap()
    };
    put(
        &format!("/{LOCKED_BUCKET}?object-lock="),
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
         <Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    )
    .await
    .success()
    .unwrap();

    let store = server.store(LOCKED_BUCKET).unwrap();
    for (name, retain_until) in [("by-default", None), ("until-a-date", Some("2099-01-01T00:00:00Z"))] {
        let path = Path::from(name);
        let version = store.put(&path, "sealed".into()).await.unwrap().version.expect("a locked bucket is versioned");
        let object = format!("/{LOCKED_BUCKET}/{path}");
        if retain_until.is_some() {
            let retention = |year: u16| {
                let date = format!("<RetainUntilDate>{year}-01-01T00:00:00Z</RetainUntilDate>");
                Bytes::from(format!("<Retention><Mode>COMPLIANCE</Mode>{date}</Retention>"))
            };
            let retention_of = format!("{object}?retention=&versionId={version}");
            let set = async |year| server.request("PUT", &retention_of, &[], retention(year)).await.unwrap();
            set(2099).await.success().unwrap();
            let shortened = set(2098).await;
            assert_eq!(shortened.status, 403, "compliance mode cannot be shortened: {}", shortened.text());
            let head = server.request("HEAD", &object, &[], Bytes::new()).await.unwrap().success().unwrap();
            assert_eq!(head.header("x-amz-object-lock-mode"), Some("COMPLIANCE"));
            assert_eq!(head.header("x-amz-object-lock-retain-until-date"), retain_until);
        }

        // Deleting only hides it behind a marker; the version itself cannot be removed.
        store.delete(&path).await.unwrap();
        assert!(matches!(store.get(&path).await, Err(object_store::Error::NotFound { .. })));
        let of_version = format!("{object}?versionId={version}");
        let refused = server.request("DELETE", &of_version, &[], Bytes::new()).await.unwrap();
        assert_eq!(refused.status, 403, "{}", refused.text());
        let still_stored = server.request("GET", &of_version, &[], Bytes::new()).await.unwrap().success().unwrap();
        assert_eq!(still_stored.body, "sealed");
    }
}

#[test]
fn the_chitchat_events_match_their_summary() {
    let corpus = require!(chitchat::fetch(Some(20)));
    assert_eq!(corpus.summary.sessions, 20);
    assert_eq!(corpus.summary.transcript_sha256.len(), 20);
    let file = std::fs::File::open(&corpus.events_path).unwrap();
    let mut types = BTreeMap::<String, u64>::new();
    for line in std::io::BufReader::new(file).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        *types.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(types.values().sum::<u64>(), corpus.summary.events);
    assert_eq!(types["chat.line"], corpus.summary.chat_lines);
    assert_eq!(types.get("survey.submitted").copied().unwrap_or_default(), corpus.summary.surveys);
    assert_eq!(chitchat::fetch(Some(20)).unwrap().events_path, corpus.events_path);
}

#[test]
fn the_stock_age_command_decrypts_what_it_encrypted() {
    require!(tools::age());
    require!(tools::age_keygen());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    process::tool("age-keygen", &["-o", &path("identity")]).unwrap();
    let recipient = process::tool("age-keygen", &["-y", &path("identity")]).unwrap();
    std::fs::File::create(path("plain")).unwrap().write_all(b"a recording").unwrap();
    process::tool("age", &["-r", String::from_utf8(recipient).unwrap().trim(), "-o", &path("sealed"), &path("plain")])
        .unwrap();
    assert_eq!(process::tool("age", &["-d", "-i", &path("identity"), &path("sealed")]).unwrap(), b"a recording");
    assert!(process::tool("age", &["-d", &path("sealed")]).is_err());
}
