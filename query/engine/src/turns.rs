//! Turns: how many statements are on their way to their first row at once.
//!
//! Until its first row, a statement sorts, joins and groups, and takes memory for it; after that it mostly hands out. Fifty that
//! sort at once in the memory of one would all spill, and be no sooner done. So they go to their first row in turns, first come,
//! first served.
//!
//! Statements that also read elsewhere have turns of their own: a CRM that is slow must not keep the archive from answering.

use crate::names;
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
pub(crate) enum Line {
    /// Nowhere: it reads nothing but names.
    None,
    /// With those that read the archive alone.
    Archive,
    /// With those that read elsewhere as well.
    Elsewhere,
}

/// The turns of all statements of an engine.
#[derive(Debug)]
pub(crate) struct Turns {
    archive: Arc<Semaphore>,
    elsewhere: Arc<Semaphore>,
}

/// A statement's turn, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

impl Turns {
    /// `at_once` statements at once in each line.
    pub(crate) fn new(at_once: usize) -> Self {
        let semaphore = || Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { archive: semaphore(), elsewhere: semaphore() }
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self, line: Line) -> Turn {
        let semaphore = match line {
            Line::None => return Turn(None),
            Line::Archive => &self.archive,
            Line::Elsewhere => &self.elsewhere,
        };
        // They are never closed.
        Turn(Arc::clone(semaphore).acquire_owned().await.ok())
    }
}

impl Turn {
    /// `rows`, with the turn over when the first of them has come.
    pub(crate) fn until_first<S: Stream + Unpin + Send>(self, rows: S) -> impl Stream<Item = S::Item> + Send {
        futures::stream::unfold((rows, Some(self)), |(mut rows, turn)| async move {
            let next = rows.next().await;
            drop(turn);
            next.map(|next| (next, (rows, None)))
        })
    }
}

/// Where a statement waits whose plan this is, with its views put in.
pub(crate) fn line_of(plan: &LogicalPlan) -> Result<Line> {
    let mut line = Line::None;
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        if names::is_of_names(&scan.table_name) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let is_ours = source_as_provider(&scan.source).is_ok_and(|provider| archive_table(provider.as_ref()).is_some());
        if is_ours {
            line = Line::Archive;
            return Ok(TreeNodeRecursion::Continue);
        }
        line = Line::Elsewhere;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_turn_lasts_until_the_first_row_and_lines_do_not_wait_for_each_other() {
        let turns = Turns::new(1);
        let first = turns.take(Line::Archive).await;
        assert!(turns.take(Line::Archive).now_or_never().is_none());
        assert!(turns.take(Line::Elsewhere).now_or_never().is_some());
        assert!(turns.take(Line::None).now_or_never().is_some());
        let mut rows = Box::pin(first.until_first(futures::stream::iter([1, 2])));
        assert!(turns.take(Line::Archive).now_or_never().is_none());
        assert_eq!(rows.next().await, Some(1));
        assert!(turns.take(Line::Archive).now_or_never().is_some());
        assert_eq!(rows.next().await, Some(2));
        assert_eq!(rows.next().await, None);
    }

    #[tokio::test]
    async fn whoever_goes_away_gives_the_turn_back() {
        let turns = Turns::new(1);
        drop(turns.take(Line::Archive).await.until_first(futures::stream::iter([1])));
        assert!(turns.take(Line::Archive).now_or_never().is_some());
    }
}
