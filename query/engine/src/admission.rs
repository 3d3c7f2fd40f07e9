//! Admission: how many statements are on their way to their first row at once.
//!
//! Until its first row, a statement sorts, joins and groups, and takes memory for it; after that it mostly hands out. Fifty that
//! sort at once in the memory of one would all spill, and be no sooner done. So they go to their first row in admission, first come,
//! first served.
//!
//! Statements that also read elsewhere have admission of their own: a CRM that is slow must not keep the archive from answering.

use crate::metadata;
use crate::views::archive_table;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use futures::Stream;
use futures::stream::StreamExt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where a statement waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Nowhere: it reads nothing but names.
    None,
    /// With those that read the archive alone.
    Archive,
    /// With those that read elsewhere as well.
    Elsewhere,
}

/// The admission of all statements of an engine.
#[derive(Debug)]
pub(crate) struct Admission {
    archive: Arc<Semaphore>,
    elsewhere: Arc<Semaphore>,
}

/// A statement's permit, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Admission {
    /// `at_once` statements at once in each queue.
    pub(crate) fn new(at_once: usize) -> Self {
        let semaphore = || Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { archive: semaphore(), elsewhere: semaphore() }
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self, queue: Queue) -> Permit {
        let semaphore = match queue {
            Queue::None => return Permit(None),
            Queue::Archive => &self.archive,
            Queue::Elsewhere => &self.elsewhere,
        };
        // They are never closed.
        Permit(Arc::clone(semaphore).acquire_owned().await.ok())
    }
}

impl Permit {
    /// `rows`, with the permit over when the first of them has come.
    pub(crate) fn until_first_row<S: Stream + Unpin + Send>(self, rows: S) -> impl Stream<Item = S::Item> + Send {
        futures::stream::unfold((rows, Some(self)), |(mut rows, permit)| async move {
            let next = rows.next().await;
            drop(permit);
            next.map(|next| (next, (rows, None)))
        })
    }
}

/// Where a statement waits whose plan this is, with its views put in.
pub(crate) fn queue_of(plan: &LogicalPlan) -> Result<Queue> {
    let mut queue = Queue::None;
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        if metadata::is_metadata(&scan.table_name) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let is_ours = source_as_provider(&scan.source).is_ok_and(|provider| archive_table(provider.as_ref()).is_some());
        if is_ours {
            queue = Queue::Archive;
            return Ok(TreeNodeRecursion::Continue);
        }
        queue = Queue::Elsewhere;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_turn_lasts_until_the_first_row_and_lines_do_not_wait_for_each_other() {
        let admission = Admission::new(1);
        let first = admission.acquire(Queue::Archive).await;
        assert!(admission.acquire(Queue::Archive).now_or_never().is_none());
        assert!(admission.acquire(Queue::Elsewhere).now_or_never().is_some());
        assert!(admission.acquire(Queue::None).now_or_never().is_some());
        let mut rows = Box::pin(first.until_first_row(futures::stream::iter([1, 2])));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_none());
        assert_eq!(rows.next().await, Some(1));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_some());
        assert_eq!(rows.next().await, Some(2));
        assert_eq!(rows.next().await, None);
    }

    #[tokio::test]
    async fn whoever_goes_away_gives_the_turn_back() {
        let admission = Admission::new(1);
        drop(admission.acquire(Queue::Archive).await.until_first_row(futures::stream::iter([1])));
        assert!(admission.acquire(Queue::Archive).now_or_never().is_some());
    }
}
