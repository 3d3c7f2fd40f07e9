//! Admission control: how many statements compute their first row at the same time.
//!
//! Until its first row, a statement sorts, joins and groups, and takes memory for it. After that it mostly streams.
//! Fifty statements that sort at the same time in the memory of one would all spill, and none would finish sooner. So a
//! statement needs a permit until its first row. Permits are granted first come, first served.
//!
//! Statements that also read outside the archive have a queue of their own, so that a slow CRM does not block
//! statements that read the archive only.

use crate::catalog::is_metadata;
use crate::scan::archive_table;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use futures::Stream;
use futures::stream::StreamExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queue in which a statement waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    /// No queue: it reads catalog metadata only.
    None,
    /// Statements that read the archive only.
    Archive,
    /// Statements that also read outside the archive.
    External,
}

/// The permits for all statements of an engine.
#[derive(Debug)]
pub(super) struct Admission {
    archive: Arc<Semaphore>,
    external: Arc<Semaphore>,
}

/// A statement's permit. Dropping it returns it.
#[derive(Debug)]
pub(super) struct Permit(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Admission {
    /// `permits` for each queue.
    pub(super) fn new(permits: usize) -> Self {
        let semaphore = || Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        Self { archive: semaphore(), external: semaphore() }
    }

    /// Waits for a permit.
    pub(super) async fn acquire(&self, queue: Queue) -> Permit {
        let semaphore = match queue {
            Queue::None => return Permit(None),
            Queue::Archive => &self.archive,
            Queue::External => &self.external,
        };
        // The semaphores are never closed, so acquiring cannot fail.
        Permit(Arc::clone(semaphore).acquire_owned().await.ok())
    }
}

impl Permit {
    /// Passes `rows` on, and returns the permit after the first.
    pub(super) fn until_first_row<S: Stream + Unpin + Send>(self, rows: S) -> impl Stream<Item = S::Item> + Send {
        futures::stream::unfold((rows, Some(self)), |(mut rows, permit)| async move {
            let next = rows.next().await;
            drop(permit);
            next.map(|next| (next, (rows, None)))
        })
    }
}

/// The queue of a statement with this plan, in which views are inlined.
pub(super) fn queue_of(plan: &LogicalPlan) -> Result<Queue> {
    let mut queue = Queue::None;
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        if is_metadata(&scan.table_name) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let is_archive =
            source_as_provider(&scan.source).is_ok_and(|provider| archive_table(provider.as_ref()).is_some());
        if is_archive {
            queue = Queue::Archive;
            return Ok(TreeNodeRecursion::Continue);
        }
        queue = Queue::External;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_permit_lasts_until_the_first_row_and_queues_are_independent() {
        let admission = Admission::new(1);
        let first = admission.acquire(Queue::Archive).await;
        assert!(admission.acquire(Queue::Archive).now_or_never().is_none());
        assert!(admission.acquire(Queue::External).now_or_never().is_some());
        assert!(admission.acquire(Queue::None).now_or_never().is_some());
        let mut rows = Box::pin(first.until_first_row(futures::stream::iter([1, 2])));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_none());
        assert_eq!(rows.next().await, Some(1));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_some());
        assert_eq!(rows.next().await, Some(2));
        assert_eq!(rows.next().await, None);
    }

    #[tokio::test]
    async fn a_dropped_statement_returns_its_permit() {
        let admission = Admission::new(1);
        drop(admission.acquire(Queue::Archive).await.until_first_row(futures::stream::iter([1])));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_some());
    }
}
