//! The tasks of a statement, which hold its permit together, and know its memory and whether it was given up.
//!
//! ```text
//! the statement's task ─▶ StatementPermit::hold ─┬─▶ a task of an operator (repartition, coalesce, sort, ...)
//!                                                └─▶ its tasks ...       each has a share until it has ended
//! ```
//!
//! Operators start tasks of their own. When a statement is given up, each of them ends at its next wait, and until then
//! computes on a thread that others need. So the permit is returned when the first row is there, or else when the last of
//! the tasks has ended. Who gave the statement up does not wait for that.

use super::admission::Permit;
use super::given_up::GivenUp;
use crate::statement_memory::StatementMemory;
use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{Stream, StreamExt};
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

tokio::task_local! {
    static PERMIT: StatementPermit;
}

/// What a closure of a task returns.
type Returned = Box<dyn Any + Send>;

/// A share of a statement's permit.
#[derive(Debug, Clone)]
pub(super) struct StatementPermit {
    permit: Arc<Mutex<Option<Permit>>>,
    given_up: GivenUp,
}

impl StatementPermit {
    pub(super) fn new(permit: Permit, given_up: GivenUp) -> Self {
        Self { permit: Arc::new(Mutex::new(Some(permit))), given_up }
    }

    /// Whether the statement of the current task was given up.
    pub(super) fn is_given_up() -> bool {
        PERMIT.try_with(|permit| permit.given_up.is_set()).unwrap_or(false)
    }

    /// Does `work`. It and the tasks that it starts have a share.
    pub(super) async fn hold<W: Future>(self, work: W) -> W::Output {
        PERMIT.scope(self, work).await
    }

    /// Passes `rows` on, and returns the permit after the first.
    pub(super) fn until_first_row<S: Stream + Unpin + Send>(self, rows: S) -> impl Stream<Item = S::Item> + Send {
        futures::stream::unfold((rows, Some(self)), |(mut rows, permit)| async move {
            let next = rows.next().await;
            if let Some(permit) = permit {
                permit.give_back();
            }
            next.map(|next| (next, (rows, None)))
        })
    }

    fn give_back(&self) {
        // Dropped after the lock is released, because others are granted it then.
        let permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(permit);
    }
}

/// Gives the tasks that the engine starts a share of the permit of the task that starts them. Has an effect once in a
/// process.
pub(super) fn share_permits() {
    // An error means that it is set.
    let _ = set_join_set_tracer(&Shares);
}

struct Shares;

impl JoinSetTracer for Shares {
    fn trace_future(&self, task: BoxFuture<'static, Returned>) -> BoxFuture<'static, Returned> {
        let task = match StatementMemory::current() {
            Some(memory) => memory.during(task).boxed(),
            None => task,
        };
        match PERMIT.try_with(StatementPermit::clone) {
            Ok(permit) => PERMIT.scope(permit, task).boxed(),
            Err(_) => task,
        }
    }

    fn trace_block(&self, work: Box<dyn FnOnce() -> Returned + Send>) -> Box<dyn FnOnce() -> Returned + Send> {
        let work: Box<dyn FnOnce() -> Returned + Send> = match StatementMemory::current() {
            Some(memory) => Box::new(move || memory.during_call(work)),
            None => work,
        };
        match PERMIT.try_with(StatementPermit::clone) {
            Ok(permit) => Box::new(move || PERMIT.sync_scope(permit, work)),
            Err(_) => work,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::admission::{Admission, Queue};
    use super::*;
    use datafusion::common::runtime::SpawnedTask;
    use std::sync::mpsc;

    /// Of an engine with one permit.
    async fn only_permit(admission: &Admission) -> StatementPermit {
        StatementPermit::new(admission.acquire(Queue::Archive, &Arc::from("ann")).await, GivenUp::default())
    }

    fn is_free(admission: &Admission) -> bool {
        admission.acquire(Queue::Archive, &Arc::from("ann")).now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_permit_lasts_until_the_first_row() {
        let admission = Admission::new(1);
        let mut rows = Box::pin(only_permit(&admission).await.until_first_row(futures::stream::iter([1, 2])));
        assert!(!is_free(&admission));
        assert_eq!(rows.next().await, Some(1));
        assert!(is_free(&admission));
        assert_eq!(rows.next().await, Some(2));
        assert_eq!(rows.next().await, None);
    }

    #[tokio::test]
    async fn a_dropped_statement_returns_its_permit() {
        let admission = Admission::new(1);
        drop(only_permit(&admission).await.until_first_row(futures::stream::iter([1])));
        assert!(is_free(&admission));
    }

    #[expect(clippy::async_yields_async, reason = "the task outlives what spawned it, which is what is tested")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_that_does_not_yield_keeps_the_permit_until_it_ends() {
        share_permits();
        let admission = Admission::new(1);
        let permit = only_permit(&admission).await;
        let (begun, begins) = mpsc::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let rows = permit.clone().until_first_row(futures::stream::pending::<()>().boxed());
        let task = permit
            .hold(async move {
                SpawnedTask::spawn(async move {
                    // A task of a task.
                    SpawnedTask::spawn_blocking(move || {
                        begun.send(()).unwrap();
                        let _ = finished.recv();
                    })
                    .await
                    .unwrap();
                })
            })
            .await;
        begins.recv().unwrap();
        // The statement is given up.
        drop((rows, task));
        assert!(!is_free(&admission));
        finish.send(()).unwrap();
        let returned = async {
            while !is_free(&admission) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), returned).await.expect("it is returned");
    }
}
