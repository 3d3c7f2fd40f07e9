//! The table of sessions is rebuilt while another process maintains it, and catches up with a backlog.

use crate::fixture::{Fixture, MAY, rows};
use crate::sessions::{FROM_EVENTS, MAINTAINED, numbered, settings};
use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use holdfast_archive::keys::Unlocker;
use holdfast_archive::{Archive, Location, Table};
use holdfast_events::Timestamp;
use holdfast_sessions::{Maintainer, MaintainerSettings, SessionsError};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// A store that holds the next entries of the log of sessions, this many, until they are released.
#[derive(Debug)]
struct Held {
    inner: Arc<dyn ObjectStore>,
    left: AtomicUsize,
    arrived: Notify,
    released: Notify,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

#[async_trait]
impl ObjectStore for Held {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_entry = location.as_ref().starts_with("tables/sessions/_delta_log/");
        let take = |left: usize| left.checked_sub(1);
        if is_entry && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            self.arrived.notify_one();
            self.released.notified().await;
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A maintainer whose next `held` commits wait.
fn held_maintainer(fixture: &Fixture, held: usize) -> (Arc<Held>, Maintainer) {
    let store = Arc::new(Held {
        inner: Arc::clone(fixture.archive.store()),
        left: AtomicUsize::new(held),
        arrived: Notify::new(),
        released: Notify::new(),
    });
    let archive =
        Archive::new(Location { url: url::Url::parse("memory:///").unwrap(), store: Arc::<Held>::clone(&store) });
    let unlocker = Arc::new(Unlocker::new(archive.clone(), vec![fixture.officer.clone()]));
    let maintainer = Maintainer::new(archive, unlocker, Arc::new(fixture.ring(MAY)), settings());
    (store, maintainer.with_clock(Arc::new(|| Timestamp(0))))
}

async fn is_complete(fixture: &Fixture) {
    let officer = fixture.as_officer();
    assert_eq!(rows(&officer, MAINTAINED).await, rows(&officer, FROM_EVENTS).await);
}

/// The files of the table in the store, and those that are part of it.
async fn files(fixture: &Fixture) -> (Vec<Path>, Vec<Path>) {
    let prefix = Path::from("tables/sessions/class=general");
    let stored: Vec<ObjectMeta> = fixture.archive.store().list(Some(&prefix)).try_collect().await.unwrap();
    let snapshot = fixture.archive.table(Table::Sessions).snapshot().await.unwrap();
    let mut live: Vec<Path> = snapshot.files.iter().map(|file| file.path.clone()).collect();
    live.sort_unstable();
    (stored.into_iter().map(|object| object.location).collect(), live)
}

#[tokio::test]
async fn a_rebuild_beside_a_process_that_maintains_the_table_takes_over_what_that_has_folded() {
    let mut fixture = Fixture::empty();
    for number in 0..40 {
        fixture.write_to(1, MAY, &[numbered(number)]).await;
    }
    let mut keeper = fixture.maintainer(settings());
    keeper.round(Timestamp(0)).await.unwrap();
    let (held, mut rebuilder) = held_maintainer(&fixture, 3);
    let meanwhile = async {
        for number in 40..43 {
            held.arrived.notified().await;
            fixture.write_to(1, MAY, &[numbered(number), numbered(number * 3)]).await;
            keeper.round(Timestamp(1)).await.unwrap();
            held.released.notify_one();
        }
    };
    let (rebuilt, ()) = tokio::join!(rebuilder.rebuild(Timestamp(2), |_| {}), meanwhile);
    assert_eq!(rebuilt.unwrap().events, 40);
    assert_eq!(held.left.load(Ordering::SeqCst), 0);
    is_complete(&fixture).await;
    // Both go on, and what the rebuild tried in vain is not left behind.
    keeper.round(Timestamp(3)).await.unwrap();
    rebuilder.round(Timestamp(4)).await.unwrap();
    keeper.round(Timestamp(5)).await.unwrap();
    is_complete(&fixture).await;
    let (stored, live) = files(&fixture).await;
    assert_eq!(stored, live);
}

#[tokio::test]
async fn a_rebuild_that_never_gets_its_turn_gives_up_and_leaves_nothing() {
    let mut fixture = Fixture::empty();
    for number in 0..40 {
        fixture.write_to(1, MAY, &[numbered(number)]).await;
    }
    let mut keeper = fixture.maintainer(settings());
    keeper.round(Timestamp(0)).await.unwrap();
    let (held, mut rebuilder) = held_maintainer(&fixture, usize::MAX);
    let mut overtaken = 0;
    let refused = {
        let rebuilding = rebuilder.rebuild(Timestamp(1), |_| {});
        tokio::pin!(rebuilding);
        loop {
            tokio::select! {
                biased;
                () = held.arrived.notified() => {
                    overtaken += 1;
                    fixture.write_to(1, MAY, &[numbered(40 + overtaken)]).await;
                    keeper.round(Timestamp(1)).await.unwrap();
                    held.released.notify_one();
                }
                rebuilt = &mut rebuilding => break rebuilt,
            }
        }
    };
    assert!(matches!(refused, Err(SessionsError::Conflict)), "{refused:?}");
    assert_eq!(overtaken, 10);
    keeper.round(Timestamp(2)).await.unwrap();
    is_complete(&fixture).await;
    let (stored, live) = files(&fixture).await;
    assert_eq!(stored, live);
}

#[tokio::test]
async fn a_backlog_is_folded_in_parts_also_when_its_files_were_sealed() {
    let mut fixture = Fixture::empty();
    for number in 0..60 {
        fixture.write_to(1, MAY, &[numbered(number), numbered(number + 60)]).await;
        if number == 40 {
            fixture.seal(MAY).await;
        }
    }
    let small = MaintainerSettings { fold_events: 7, max_small_files: 1_000, max_small_rows: 1_000_000, ..settings() };
    let mut maintainer = fixture.maintainer(small);
    let round = maintainer.round(Timestamp(0)).await.unwrap();
    // Each part has at most the events of the commit that completes it too many.
    let commits = fixture.archive.table(Table::Sessions).version().await.unwrap().unwrap();
    assert!((120 / 8..=120 / 7 + 1).contains(&commits), "{commits} commits of {round:?}");
    is_complete(&fixture).await;
    assert_eq!(maintainer.round(Timestamp(1)).await.unwrap().sessions, 0);
}
