//! Where the marks are kept: one small object for each partition in the archive, `ingest/marks/<topic>/<partition>`,
//! written when a partition is assigned, when its isolation begins or ends, and when it is given back.
//!
//! They are a help, not a guarantee: a mark that cannot be read or written is logged, and archiving goes on without it.

use super::Mark;
use futures::future::join_all;
use holdfast_archive::log::TopicPartition;
use holdfast_archive::{Archive, paths};
use object_store::ObjectStoreExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the marks may keep an assignment waiting.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The marks of an archive. Its calls block. Clones share what the run has left.
#[derive(Clone)]
pub(crate) struct Marks {
    archive: Archive,
    runtime: Handle,
    left: Arc<Mutex<BTreeMap<TopicPartition, Mark>>>,
}

impl Marks {
    /// The requests run on the current runtime.
    pub(crate) fn new(archive: Archive) -> Self {
        Self { archive, runtime: Handle::current(), left: Arc::default() }
    }

    /// The marks that earlier runs left.
    pub(crate) fn read(&self, partitions: &[TopicPartition]) -> BTreeMap<TopicPartition, Mark> {
        let read = |partition: &TopicPartition| {
            let (store, path) = (self.archive.store().clone(), paths::ingest_mark(&partition.0, partition.1));
            let partition = partition.clone();
            async move {
                let found = match store.get(&path).await {
                    Ok(found) => found.bytes().await,
                    Err(error) => Err(error),
                };
                match found {
                    Ok(bytes) => match serde_json::from_slice::<Mark>(&bytes) {
                        Ok(mark) => Some((partition, mark)),
                        Err(error) => {
                            tracing::warn!(%error, %path, "the mark of the last run cannot be read");
                            None
                        }
                    },
                    Err(object_store::Error::NotFound { .. }) => None,
                    Err(error) => {
                        tracing::warn!(%error, %path, "cannot read how the last run ended");
                        None
                    }
                }
            }
        };
        let found = self.wait(join_all(partitions.iter().map(read).collect::<Vec<_>>()));
        found.unwrap_or_default().into_iter().flatten().collect()
    }

    /// Leaves marks.
    pub(crate) fn leave(&self, marks: Vec<(TopicPartition, Mark)>) {
        self.put(&marks);
        self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(marks);
    }

    /// Notes in the marks that this run has left that it gives its partitions back. A mark that another run has left
    /// meanwhile is kept: the group may have given the partition to it while this process was suspended. Such a mark
    /// differs, because this run looks dead to the other one: it counts one death more, or begins at a later offset.
    pub(crate) fn give_back(&self) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        let found = self.read(&left.keys().cloned().collect::<Vec<_>>());
        let own = left.into_iter().filter(|(partition, mark)| found.get(partition) == Some(mark));
        let marks = own.map(|(partition, mark)| (partition, Mark { is_running: false, ..mark }));
        self.put(&marks.collect::<Vec<_>>());
    }

    /// The result of `work`, which runs on the runtime; `None` after a time, or when the runtime shuts down. The time is
    /// that of the thread: the clock of a runtime that shuts down stands still.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (sender, result) = mpsc::channel();
        self.runtime.spawn(async move { sender.send(work.await) });
        result.recv_timeout(TIMEOUT).ok()
    }

    fn put(&self, marks: &[(TopicPartition, Mark)]) {
        let put = |(partition, mark): &(TopicPartition, Mark)| {
            let (store, path) = (self.archive.store().clone(), paths::ingest_mark(&partition.0, partition.1));
            let json = serde_json::to_vec(mark);
            async move {
                let json = json.map_err(|error| error.to_string())?;
                store.put(&path, json.into()).await.map_err(|error| error.to_string())
            }
        };
        let failed = match self.wait(join_all(marks.iter().map(put).collect::<Vec<_>>())) {
            Some(results) => results.into_iter().find_map(Result::err),
            None => Some("the store is slow, or the process ends".to_owned()),
        };
        if let Some(reason) = failed {
            tracing::warn!(reason, "cannot note where this run reads; a message that ends it takes longer to be found");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_archive::Location;
    use object_store::memory::InMemory;

    #[test]
    fn a_runtime_that_shuts_down_is_not_waited_for() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let marks = {
            let _context = runtime.enter();
            let location = Location { url: "memory:///".parse().unwrap(), store: Arc::new(InMemory::new()) };
            Marks::new(Archive::new(location))
        };
        runtime.shutdown_background();
        assert_eq!(marks.wait(std::future::ready(1)), None);
        assert_eq!(marks.read(&[("t".to_owned(), 0)]), BTreeMap::new());
    }

    #[test]
    fn only_the_own_mark_is_given_back() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _context = runtime.enter();
        let location = Location { url: "memory:///".parse().unwrap(), store: Arc::new(InMemory::new()) };
        let archive = Archive::new(location);
        let (stalled, owner) = (Marks::new(archive.clone()), Marks::new(archive));
        let partitions = [("t".to_owned(), 0), ("t".to_owned(), 1)];
        let mark = |next, deaths| Mark { next: Some(next), deaths, unit: None, is_running: true };
        let given_back = |mark: Mark| Mark { is_running: false, ..mark };
        stalled.leave(partitions.iter().map(|partition| (partition.clone(), mark(5, 0))).collect());
        owner.leave(vec![(partitions[0].clone(), mark(5, 1))]);
        stalled.give_back();
        let found = stalled.read(&partitions);
        assert_eq!(found[&partitions[0]], mark(5, 1));
        assert_eq!(found[&partitions[1]], given_back(mark(5, 0)));
        owner.give_back();
        assert_eq!(owner.read(&partitions)[&partitions[0]], given_back(mark(5, 1)));
    }
}
