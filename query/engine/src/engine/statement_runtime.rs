//! The threads that plan and execute statements.
//!
//! ```text
//! caller's runtime                     │ statement's runtime
//! Session::plan ─▶ waits ──────────────┼─▶ a thread for the statement: parse, plan, optimize, drop what was built
//! rows ─▶ waits for the next batch ◀───┼── a task: executes, and drops the plan
//! dropped, timed out ──────────────────┼─▶ the work ends at its next wait, and planning keeps its permit until then
//! ```
//!
//! Invariants:
//! - What a statement computes never runs on the runtime that calls, so a computation that does not yield stops neither
//!   health nor the taking in of events. The caller waits no longer than it wants to.
//! - Operators execute in tasks of their own. One that does not yield when its statement is dropped goes on until it
//!   does, and keeps the statement's permit until then.
//! - What is built from a statement (syntax tree, plans) is walked and dropped here only, because the stacks are large
//!   enough for what [`crate::Bound`] lets through.

use crate::error::QueryError;
use arrow_array::RecordBatch;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Bytes of a thread's stack. The system gives the pages that are touched.
const STACK_BYTES: usize = 64 << 20;
/// Fewer threads would let one computation that does not yield stop all others.
const MIN_THREADS: usize = 2;

/// What carries the batches of a statement to its reader.
pub(super) type Batches = mpsc::Sender<Result<RecordBatch, QueryError>>;

/// What computes batches and sends them.
type Work = Box<dyn FnOnce(Batches) -> BoxFuture<'static, ()> + Send>;

/// The threads that plan and execute statements. A process has one. Dropping it ends its work without waiting.
pub struct StatementRuntime {
    handle: Handle,
    /// `None` while it is dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for StatementRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatementRuntime")
    }
}

impl StatementRuntime {
    /// Starts `threads` threads for execution. Planning takes further threads when it needs them.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(MIN_THREADS))
            .thread_name("holdfast-statement")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs the work that `start` makes on a thread of its own, and waits for it. The work is dropped at its next wait
    /// if the caller stops waiting. `permit` is dropped when the work has ended.
    pub(super) async fn on_thread<T, P, F>(
        &self,
        permit: P,
        start: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, QueryError>
    where
        T: Send + 'static,
        P: Send + 'static,
        F: Future<Output = Result<T, QueryError>>,
    {
        let (mut caller, result) = oneshot::channel();
        let handle = self.handle.clone();
        self.handle.spawn_blocking(move || {
            let done = handle.block_on(async {
                tokio::select! {
                    biased;
                    () = caller.closed() => None,
                    done = start() => Some(done),
                }
            });
            drop(permit);
            if let Some(done) = done {
                // A caller that stopped waiting now gets nothing.
                let _ = caller.send(done);
            }
        });
        result.await.unwrap_or_else(|_| Err(failed()))
    }

    /// The batches that `work` sends. It starts when the first batch is requested, and is dropped at its next wait when
    /// the stream is dropped.
    pub(super) fn batches(
        self: Arc<Self>,
        work: impl FnOnce(Batches) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> BoxStream<'static, Result<RecordBatch, QueryError>> {
        let work: Work = Box::new(work);
        stream::unfold(Progress::Planned(self, work), |progress| async move {
            let (mut receiver, mut task) = match progress {
                Progress::Planned(runtime, work) => {
                    let (sender, receiver) = mpsc::channel(1);
                    (receiver, Task { handle: runtime.handle.spawn(work(sender)), _runtime: runtime })
                }
                Progress::Running(receiver, task) => (receiver, task),
                Progress::Ended => return None,
            };
            match receiver.recv().await {
                Some(Ok(batch)) => Some((Ok(batch), Progress::Running(receiver, task))),
                Some(Err(error)) => Some((Err(error), Progress::Ended)),
                // The task ended, or panicked.
                None => match (&mut task.handle).await {
                    Ok(()) => None,
                    Err(_) => Some((Err(failed()), Progress::Ended)),
                },
            }
        })
        .boxed()
    }
}

impl Drop for StatementRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped on one of its own threads, which cannot wait for itself.
            runtime.shutdown_background();
        }
    }
}

/// How far the batches of a statement are.
enum Progress {
    Planned(Arc<StatementRuntime>, Work),
    Running(mpsc::Receiver<Result<RecordBatch, QueryError>>, Task),
    Ended,
}

/// A task that is aborted when it is dropped.
struct Task {
    handle: JoinHandle<()>,
    /// The threads live as long as the task.
    _runtime: Arc<StatementRuntime>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// The work ended without a result: it panicked, or the threads are gone because the process ends.
fn failed() -> QueryError {
    QueryError::Internal("the engine failed at this statement".to_owned())
}

/// A value that is dropped on the statement's threads, wherever its owner is dropped.
pub(super) struct Confined<T: Send + 'static> {
    /// `None` when it is taken.
    value: Option<T>,
    runtime: Arc<StatementRuntime>,
}

impl<T: Send + 'static> Confined<T> {
    pub(super) fn new(value: T, runtime: Arc<StatementRuntime>) -> Self {
        Self { value: Some(value), runtime }
    }

    /// The value, to be used and dropped on the statement's threads. `None` if it was taken before.
    pub(super) fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Send + 'static> Drop for Confined<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.runtime.handle.spawn_blocking(move || drop(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc as threads;
    use std::time::Duration;

    fn runtime() -> Arc<StatementRuntime> {
        Arc::new(StatementRuntime::new(1).unwrap())
    }

    fn thread_name() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// Tells when and on which thread it is dropped.
    struct Told(threads::Sender<String>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(thread_name());
        }
    }

    #[tokio::test]
    async fn a_caller_that_stops_waiting_leaves_the_permit_until_the_work_ends() {
        let runtime = runtime();
        let (permit, dropped) = threads::channel();
        let (finish, finished) = threads::channel::<()>();
        let (started, begun) = oneshot::channel();
        // It waits without yielding.
        let mut work = Box::pin(runtime.on_thread(Told(permit), move || async move {
            let _ = started.send(());
            let _ = finished.recv();
            std::future::pending::<Result<(), QueryError>>().await
        }));
        tokio::select! {
            _ = &mut work => panic!("it never ends"),
            _ = begun => {}
        }
        drop(work);
        assert_eq!(dropped.try_recv(), Err(threads::TryRecvError::Empty));
        finish.send(()).unwrap();
        assert_eq!(dropped.recv_timeout(Duration::from_secs(30)).unwrap(), "holdfast-statement");
    }

    #[tokio::test]
    async fn a_computation_that_panics_is_an_error() {
        let runtime = runtime();
        let planned = runtime.on_thread((), || async { Err::<(), _>(panics()) }).await;
        assert!(matches!(planned, Err(QueryError::Internal(_))), "{planned:?}");
        let mut batches = Arc::clone(&runtime).batches(|_| Box::pin(async { drop(panics()) }));
        assert!(matches!(batches.next().await, Some(Err(QueryError::Internal(_)))));
        assert!(batches.next().await.is_none());
    }

    fn panics() -> QueryError {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn what_is_confined_is_dropped_on_the_statements_threads() {
        let (told, dropped) = threads::channel();
        drop(Confined::new(Told(told.clone()), runtime()));
        assert_eq!(dropped.recv_timeout(Duration::from_secs(30)).unwrap(), "holdfast-statement");
        // Rows that are dropped before their end: the task that computes them is dropped there too.
        let batches = runtime();
        let mut batches = batches.batches(move |sender| {
            let told = Told(told);
            Box::pin(async move {
                let _told = told;
                let schema = Arc::new(arrow_schema::Schema::empty());
                let _ = sender.send(Ok(RecordBatch::new_empty(schema))).await;
                std::future::pending::<()>().await;
            })
        });
        assert!(batches.next().await.unwrap().is_ok());
        drop(batches);
        assert_eq!(dropped.recv_timeout(Duration::from_secs(30)).unwrap(), "holdfast-statement");
    }

    #[tokio::test]
    async fn the_last_owner_may_be_one_of_its_own_threads() {
        let runtime = runtime();
        let (told, dropped) = threads::channel();
        let (told, handle) = (Told(told), runtime.handle.clone());
        handle.spawn(async move {
            drop(runtime);
            drop(told);
        });
        assert_eq!(dropped.recv_timeout(Duration::from_secs(30)).unwrap(), "holdfast-statement");
    }
}
