//! Tests with the store in memory: what it contains after each fault.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::*;

fn store() -> (FaultyStore, Faults) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let faults = store.faults();
    (store, faults)
}

async fn names(store: &dyn ObjectStore) -> Vec<String> {
    let mut names: Vec<String> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

async fn stored(store: &FaultyStore) -> Vec<String> {
    names(store.inner().as_ref()).await
}

fn is_no_space(error: &object_store::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn without_rules_it_behaves_as_the_wrapped_store() {
    let (store, faults) = store();
    let (a, b, c) = (Path::from("x/a"), Path::from("x/b"), Path::from("y/c"));
    store.put(&a, "hello".into()).await.unwrap();
    store.copy(&a, &b).await.unwrap();
    store.rename(&b, &c).await.unwrap();
    assert_eq!(store.get(&c).await.unwrap().bytes().await.unwrap(), "hello");
    assert_eq!(store.get_range(&c, 1..3).await.unwrap(), "el");
    assert_eq!(store.get_ranges(&c, &[0..1, 4..5]).await.unwrap(), ["h", "o"].map(Bytes::from));
    assert_eq!(store.head(&c).await.unwrap().size, 5);
    assert_eq!(names(&store).await, ["x/a", "y/c"]);
    let after: Vec<_> = store.list_with_offset(None, &a).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert_eq!(after, std::slice::from_ref(&c));
    assert_eq!(store.list_with_delimiter(None).await.unwrap().common_prefixes.len(), 2);
    let mut upload = store.put_multipart(&b).await.unwrap();
    upload.put_part("part one, ".into()).await.unwrap();
    upload.put_part("part two".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(store.get(&b).await.unwrap().bytes().await.unwrap(), "part one, part two");
    store.delete(&a).await.unwrap();
    assert_eq!(names(&store).await, ["x/b", "y/c"]);

    assert!(faults.injected().is_empty());
    let writes: Vec<_> =
        faults.calls().into_iter().filter(|call| Operation::WRITES.contains(&call.operation)).collect();
    assert_eq!(writes.len(), 7, "{writes:?}");
    assert_eq!(faults.count(Operation::EFFECTS), 5);
}

#[tokio::test]
async fn a_put_fails_before_or_after_it_happened() {
    let (store, faults) = store();
    let rule = faults.inject(
        Rule::new(Fault::FailBefore(Failure::Transient)).on(&[Operation::Put]).path_contains("log/").when(When::Nth(2)),
    );
    store.put(&"log/1".into(), "1".into()).await.unwrap();
    store.put(&"data/1".into(), "1".into()).await.unwrap();
    let error = store.put(&"log/2".into(), "2".into()).await.unwrap_err();
    assert!(error.to_string().contains("injected: Transient at Put of log/2"), "{error}");
    store.put(&"log/3".into(), "3".into()).await.unwrap();
    assert_eq!(stored(&store).await, ["data/1", "log/1", "log/3"]);
    assert_eq!((faults.fired(rule), faults.injected_on(Operation::Put)), (1, 1));

    faults.inject(Rule::new(Fault::FailAfter(Failure::Transient)).path(|path| path == "log/4"));
    let create = async || store.put_opts(&"log/4".into(), "4".into(), PutMode::Create.into()).await;
    create().await.unwrap_err();
    assert_eq!(stored(&store).await, ["data/1", "log/1", "log/3", "log/4"]);
    // The second attempt gets the real result. A committer must handle this.
    assert!(matches!(create().await, Err(object_store::Error::AlreadyExists { .. })));
}

#[tokio::test]
async fn a_full_disk_stays_full_until_it_is_freed() {
    let (store, faults) = store();
    store.put(&"old".into(), "1".into()).await.unwrap();
    faults.fill_disk();
    for _ in 0..3 {
        assert!(is_no_space(&store.put(&"new".into(), "2".into()).await.unwrap_err()));
    }
    assert!(is_no_space(&store.put_multipart(&"new".into()).await.unwrap_err()));
    assert!(is_no_space(&store.copy(&"old".into(), &"new".into()).await.unwrap_err()));
    assert_eq!(store.get(&"old".into()).await.unwrap().bytes().await.unwrap(), "1");
    store.delete(&"old".into()).await.unwrap();
    faults.free_disk();
    store.put(&"new".into(), "2".into()).await.unwrap();
    assert_eq!(stored(&store).await, ["new"]);
}

#[tokio::test]
async fn uploads_fail_at_each_of_their_steps() {
    let (store, faults) = store();
    let upload = async |name: &str| {
        let mut upload = store.put_multipart(&Path::from(name)).await?;
        upload.put_part("one".into()).await?;
        upload.put_part("two".into()).await?;
        upload.complete().await
    };
    faults.inject(
        Rule::new(Fault::FailBefore(Failure::Transient)).on(&[Operation::MultipartStart]).path(|path| path == "start"),
    );
    faults.inject(
        Rule::new(Fault::FailBefore(Failure::NoSpace))
            .on(&[Operation::MultipartPart])
            .path(|path| path == "part")
            .when(When::Nth(2)),
    );
    faults.inject(
        Rule::new(Fault::FailBefore(Failure::Transient))
            .on(&[Operation::MultipartComplete])
            .path(|path| path == "before"),
    );
    faults.inject(
        Rule::new(Fault::FailAfter(Failure::Transient))
            .on(&[Operation::MultipartComplete])
            .path(|path| path == "after"),
    );
    for name in ["start", "part", "before", "after"] {
        upload(name).await.unwrap_err();
    }
    upload("fine").await.unwrap();
    assert_eq!(stored(&store).await, ["after", "fine"]);
    assert_eq!(faults.injected().len(), 4);
}

#[tokio::test]
async fn reads_and_listings_break_off_half_way() {
    let (store, faults) = store();
    for name in ["1", "2", "3", "4"] {
        store.put(&name.into(), PutPayload::from(vec![7; 1000])).await.unwrap();
    }
    faults.inject(Rule::new(Fault::FailAfter(Failure::Transient)).on(&[Operation::Get, Operation::List]));
    let mut body = store.get(&"1".into()).await.unwrap().into_stream();
    let mut read = 0;
    let error = loop {
        match body.try_next().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => panic!("a broken response ended as if it were complete"),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 500);
    assert!(error.to_string().contains("Get of 1"), "{error}");

    let mut listing = store.list(None);
    assert!(listing.try_next().await.unwrap().is_some());
    assert!(listing.try_next().await.unwrap().is_some());
    assert!(listing.try_next().await.is_err());

    faults.clear();
    faults.inject(Rule::new(Fault::FailBefore(Failure::PermissionDenied)));
    assert!(matches!(store.get(&"1".into()).await, Err(object_store::Error::PermissionDenied { .. })));
    assert!(store.list(None).try_next().await.is_err());
    assert!(store.list_with_delimiter(None).await.is_err());
    assert!(store.delete(&"1".into()).await.is_err());
    assert!(store.rename(&"1".into(), &"5".into()).await.is_err());
    assert_eq!(stored(&store).await, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn slow_calls_are_executed_later() {
    let (store, faults) = store();
    faults.inject(Rule::new(Fault::Delay(Duration::from_millis(60))).on(&[Operation::Put]).when(When::First(1)));
    let start = std::time::Instant::now();
    store.put(&"slow".into(), "1".into()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(60));

    let gate = Gate::new();
    faults.inject(Rule::new(Fault::Hold(gate.clone())).path(|path| path == "held"));
    let held = tokio::spawn({
        let store = store.clone();
        async move { store.put(&"held".into(), "2".into()).await }
    });
    gate.arrived(1).await;
    assert_eq!(stored(&store).await, ["slow"]);
    store.put(&"other".into(), "3".into()).await.unwrap();
    gate.open();
    held.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, ["held", "other", "slow"]);
}

#[tokio::test]
async fn after_a_crash_no_call_is_executed() {
    let (store, faults) = store();
    // Once before and once after each effect, as a test of a whole pipeline does.
    for (fault, expected) in [(Fault::CrashBefore, vec!["1"]), (Fault::CrashAfter, vec!["1", "2"])] {
        faults.clear();
        for name in stored(&store).await {
            store.delete(&name.into()).await.unwrap();
        }
        faults.inject(Rule::new(fault).on(Operation::EFFECTS).when(When::Nth(2)));
        store.put(&"1".into(), "1".into()).await.unwrap();
        store.put(&"2".into(), "2".into()).await.unwrap_err();
        assert!(faults.crashed());
        store.put(&"3".into(), "3".into()).await.unwrap_err();
        store.get(&"1".into()).await.unwrap_err();
        store.delete(&"1".into()).await.unwrap_err();
        assert_eq!(stored(&store).await, expected);
        faults.revive();
        assert_eq!(names(&store).await, expected);
    }
}

#[tokio::test]
async fn random_faults_are_the_same_for_the_same_seed() {
    let run = async |seed| {
        let (store, faults) = store();
        faults.inject(
            Rule::new(Fault::FailBefore(Failure::Transient))
                .on(&[Operation::Put])
                .when(When::Percent { percent: 30, seed }),
        );
        let mut failed = Vec::new();
        for number in 0..200 {
            failed.push(store.put(&Path::from(format!("{number}")), "x".into()).await.is_err());
        }
        failed
    };
    let (first, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    let failed = first.iter().filter(|failed| **failed).count();
    assert!((40..=80).contains(&failed), "{failed} of 200 at 30 %");
}
