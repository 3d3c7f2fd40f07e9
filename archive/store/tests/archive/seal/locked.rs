//! Object Lock, against a real S3 server.

use super::fixture::*;
use bytes::Bytes;
use holdfast_archive::seal::{Lock, LockMode, Retention, S3Retention};
use holdfast_archive::{Table, open_store};
use holdfast_events::Timestamp;
use holdfast_testkit::require;
use holdfast_testkit::s3::{BUCKET, LOCKED_BUCKET, S3Server};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

#[tokio::test]
async fn sealed_objects_cannot_be_deleted_before_their_retain_until_date() {
    let server = require!(S3Server::start().await);
    let options: BTreeMap<String, String> = server.options().into_iter().collect();
    let url = format!("s3://{LOCKED_BUCKET}/archive");
    let location = open_store(&url, Path::new("."), &options).unwrap();
    let retention = S3Retention::new(&location.url, &options, LockMode::Governance).unwrap();
    let fixture = Fixture::over(location.store);
    filled(&fixture).await;

    let days = 36_500;
    let sealer = holdfast_archive::seal::Sealer {
        lock: Some(Lock { retention: Arc::new(retention), days }),
        ..fixture.sealer()
    };
    let sealed = seal(&sealer).await.unwrap();
    assert_eq!((sealed.groups, sealed.skipped.len()), (4, 0), "{:?}", sealed.skipped);

    let mut locked: Vec<(String, i32)> = Vec::new();
    for table in [Table::Events, Table::DeadLetters] {
        locked.extend(fixture.files(table).await.into_iter().map(|file| (file.path.to_string(), file.date)));
    }
    locked.extend(fixture.objects().await.into_iter().map(|path| {
        let date = if path.contains("whole") { DATE + 1 } else { DATE };
        (path, date)
    }));
    assert_eq!(locked.len(), 6);
    for (path, date) in locked {
        let address = format!("/{LOCKED_BUCKET}/archive/{}", path.replace('=', "%3D"));
        let answer = server.request("GET", &format!("{address}?retention="), &[], Bytes::new()).await.unwrap();
        let text = answer.success().unwrap().text();
        let until = Timestamp(0).plus_days(i64::from(date) + 1 + i64::from(days)).date_text();
        assert!(text.contains("GOVERNANCE") && text.contains(&until), "{path}: {text}");
        // The version itself, which the lock protects. A deletion without a version only adds a delete marker.
        let head = server.request("HEAD", &address, &[], Bytes::new()).await.unwrap().success().unwrap();
        let version = head.header("x-amz-version-id").expect("the bucket is versioned").to_owned();
        let deleted =
            server.request("DELETE", &format!("{address}?versionId={version}"), &[], Bytes::new()).await.unwrap();
        assert_eq!(deleted.status, 403, "{path}: {}", deleted.text());
    }
    Fixture::is_intact(&fixture.verify().await);
    fixture.sweep_later().await;
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn a_bucket_without_object_lock_is_reported_as_an_error() {
    let server = require!(S3Server::start().await);
    let options: BTreeMap<String, String> = server.options().into_iter().collect();
    let location = open_store(&format!("s3://{BUCKET}/archive"), Path::new("."), &options).unwrap();
    let retention = S3Retention::new(&location.url, &options, LockMode::Governance).unwrap();
    let fixture = Fixture::over(location.store);
    fixture.append(Unit { events: vec![(0, DATE, line("s", 1, DATE, "x"))], ..Unit::default() }).await;
    let sealer = holdfast_archive::seal::Sealer {
        lock: Some(Lock { retention: Arc::new(retention), days: 36_500 }),
        ..fixture.sealer()
    };
    let why = seal(&sealer).await.unwrap_err().to_string();
    assert!(why.starts_with("lock tables/events/class=general/date="), "{why}");
    // Nothing was committed.
    assert!(fixture.files(Table::Events).await.iter().all(|file| !file.id.starts_with("sealed-")));
    Fixture::is_intact(&fixture.verify().await);
}

#[tokio::test]
async fn a_missing_object_cannot_be_locked() {
    let server = require!(S3Server::start().await);
    let options: BTreeMap<String, String> = server.options().into_iter().collect();
    let url = format!("s3://{LOCKED_BUCKET}/archive").parse().unwrap();
    let retention = S3Retention::new(&url, &options, LockMode::Compliance).unwrap();
    let why = retention.retain(&"nothing".into(), Timestamp(4_000_000_000_000_000)).await.unwrap_err().to_string();
    assert!(why.contains("404"), "{why}");
}
