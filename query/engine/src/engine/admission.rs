//! Admission control: how many statements are planned, and compute their first row, at the same time.
//!
//! Until its first row, a statement sorts, joins and groups, and takes memory for it. After that it mostly streams.
//! Fifty statements that sort at the same time in the memory of one would all spill, and none would finish sooner. So a
//! statement needs a permit until its first row, and another one while it is planned.
//!
//! Permits are shared fairly between users, over all interfaces: a free permit goes to the waiting user who holds the
//! fewest, among equals to the one who waits longest. No user holds more than half of the permits (rounded up), so one
//! user alone leaves permits to others if there are at least two. Several users with long statements can hold all of
//! them: then who comes next waits for the first row of one of these.
//!
//! Statements that also read outside the archive have a queue of their own, so that a slow CRM does not block
//! statements that read the archive only. Those that read nothing but catalog metadata have another one: clients send
//! them on connecting. What only computes with constants waits for nothing, unless it makes rows of its own: a recursion,
//! a series, or a join.

use crate::catalog::{is_metadata, is_work_table};
use crate::scan::archive_table;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Statements that are planned at the same time, at least.
const MIN_PLANNED: usize = 8;
/// Rows of VALUES that a statement may have without a permit.
const FEW_ROWS: usize = 1_000;
/// The table function whose rows are catalog metadata.
const METADATA_FUNCTION: &str = "pg_get_keywords";

/// The queue in which a statement waits. A statement with parts of several waits in the last of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    /// No queue: it computes with a few constants.
    None,
    /// Statements that read catalog metadata only.
    Metadata,
    /// Statements that read the archive only, and statements that make many rows of their own.
    Archive,
    /// Statements that also read outside the archive.
    External,
    /// Statements to be planned.
    Planning,
}

/// The permits for all statements of an engine.
#[derive(Debug)]
pub(super) struct Admission {
    planning: Arc<Permits>,
    metadata: Arc<Permits>,
    archive: Arc<Permits>,
    external: Arc<Permits>,
}

impl Admission {
    /// `permits` for each queue of execution.
    pub(super) fn new(permits: usize) -> Self {
        let permits_of = |permits| Arc::new(Permits::new(permits));
        Self {
            planning: permits_of(permits.max(MIN_PLANNED)),
            metadata: permits_of(permits),
            archive: permits_of(permits),
            external: permits_of(permits),
        }
    }

    /// Waits for a permit for a statement of `user`.
    pub(super) async fn acquire(&self, queue: Queue, user: &Arc<str>) -> Permit {
        let permits = match queue {
            Queue::None => return Permit(None),
            Queue::Planning => &self.planning,
            Queue::Metadata => &self.metadata,
            Queue::Archive => &self.archive,
            Queue::External => &self.external,
        };
        permits.acquire(user).await
    }
}

/// The permits of a queue.
#[derive(Debug)]
struct Permits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Permits that one user may hold.
    per_user: usize,
    /// Users who hold permits, and how many.
    held: HashMap<Arc<str>, usize>,
    /// Who has waited longest is first.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    user: Arc<str>,
    granted: oneshot::Sender<Permit>,
}

impl Permits {
    fn new(permits: usize) -> Self {
        let free = permits.max(1);
        let state = State { free, per_user: free.div_ceil(2), held: HashMap::new(), waiting: Vec::new() };
        Self { state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in between panics: the numbers are consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn acquire(self: &Arc<Self>, user: &Arc<str>) -> Permit {
        let (granted, permit) = oneshot::channel();
        {
            let mut state = self.lock();
            state.waiting.retain(|waiting| !waiting.granted.is_closed());
            state.waiting.push(Waiting { user: Arc::clone(user), granted });
        }
        self.grant();
        // The sender is dropped only with a receiver that is gone.
        permit.await.unwrap_or(Permit(None))
    }

    /// Grants what is free.
    fn grant(self: &Arc<Self>) {
        loop {
            let next = self.lock().take_next();
            let Some(Waiting { user, granted }) = next else { return };
            // A statement that no longer waits returns its permit here.
            drop(granted.send(Permit(Some(Held { permits: Arc::clone(self), user }))));
        }
    }
}

impl State {
    /// Takes a permit for who is next.
    fn take_next(&mut self) -> Option<Waiting> {
        if self.free == 0 {
            return None;
        }
        let users = self.waiting.iter().map(|waiting| self.held.get(&waiting.user).copied().unwrap_or(0));
        let place = next(users, self.per_user)?;
        let waiting = self.waiting.remove(place);
        self.free -= 1;
        *self.held.entry(Arc::clone(&waiting.user)).or_insert(0) += 1;
        Some(waiting)
    }

    fn give_back(&mut self, user: &Arc<str>) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(user) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(user);
            }
        }
    }
}

/// Who is next: the place of the first of those whose users hold the fewest permits, and fewer than `per_user`. `held`
/// has the permits of the users who wait, who has waited longest first.
fn next(held: impl Iterator<Item = usize>, per_user: usize) -> Option<usize> {
    let may = held.enumerate().filter(|(_, held)| *held < per_user);
    may.min_by_key(|(place, held)| (*held, *place)).map(|(place, _)| place)
}

/// A statement's permit. Dropping it returns it.
#[derive(Debug)]
pub(super) struct Permit(#[expect(dead_code, reason = "held, not read")] Option<Held>);

#[derive(Debug)]
struct Held {
    permits: Arc<Permits>,
    user: Arc<str>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permits.lock().give_back(&self.user);
        self.permits.grant();
    }
}

/// The queue of a statement with this plan, in which views are inlined.
pub(super) fn queue_of(plan: &LogicalPlan) -> Result<Queue> {
    let mut queue = Queue::None;
    let mut is_large = false;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => queue = queue.max(queue_of_scan(scan)),
            LogicalPlan::RecursiveQuery(_) => queue = queue.max(Queue::Archive),
            other => is_large |= !makes_few_rows(other),
        }
        Ok(if queue == Queue::External { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(if queue == Queue::None && is_large { Queue::Archive } else { queue })
}

fn queue_of_scan(scan: &TableScan) -> Queue {
    if is_metadata(&scan.table_name) {
        // Other table functions make as many rows as they are asked for.
        let is_series = match &scan.table_name {
            TableReference::Bare { table } => table.trim_end_matches("()") != METADATA_FUNCTION,
            _ => false,
        };
        return if is_series { Queue::Archive } else { Queue::Metadata };
    }
    // What reads the rows of a recursion is inside the recursion.
    let is_internal = is_work_table(scan)
        || source_as_provider(&scan.source).is_ok_and(|provider| archive_table(provider.as_ref()).is_some());
    if is_internal { Queue::Archive } else { Queue::External }
}

/// Whether an operator makes about as many rows as it is given, and few if it is given none.
fn makes_few_rows(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Values(values) => values.values.len() <= FEW_ROWS,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::DescribeTable(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use proptest::prelude::*;

    fn user(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    #[tokio::test]
    async fn queues_are_independent() {
        let admission = Admission::new(1);
        let ann = user("ann");
        let first = admission.acquire(Queue::Archive, &ann).await;
        assert!(admission.acquire(Queue::Archive, &ann).now_or_never().is_none());
        assert!(admission.acquire(Queue::External, &ann).now_or_never().is_some());
        assert!(admission.acquire(Queue::Metadata, &ann).now_or_never().is_some());
        assert!(admission.acquire(Queue::Planning, &ann).now_or_never().is_some());
        assert!(admission.acquire(Queue::None, &ann).now_or_never().is_some());
        drop(first);
        assert!(admission.acquire(Queue::Archive, &ann).now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_makes_rows_of_its_own_waits_and_what_computes_with_constants_does_not() {
        let config = datafusion::prelude::SessionConfig::new().with_information_schema(true);
        let context = datafusion::prelude::SessionContext::new_with_config(config);
        let values: Vec<String> = (0..=FEW_ROWS).map(|number| format!("({number})")).collect();
        let many_rows = format!("SELECT * FROM (VALUES {}) a(v)", values.join(", "));
        for (sql, expected) in [
            ("SELECT 1", Queue::None),
            ("SELECT upper('a') AS v WHERE 1 = 1 ORDER BY v LIMIT 1", Queue::None),
            ("SELECT v, count(*) FROM (VALUES (1), (2)) t(v) GROUP BY v UNION ALL SELECT 1, (SELECT 2)", Queue::None),
            ("EXPLAIN SELECT 1", Queue::None),
            ("SHOW TABLES", Queue::Metadata),
            ("SELECT a.table_name FROM information_schema.tables a, information_schema.tables b", Queue::Metadata),
            (
                "WITH RECURSIVE n AS (SELECT 1 AS v UNION ALL SELECT v + 1 FROM n WHERE v < 3) SELECT * FROM n",
                Queue::Archive,
            ),
            ("SELECT * FROM generate_series(1, 3)", Queue::Archive),
            ("SELECT 1 WHERE 2 IN (SELECT value FROM range(1, 3))", Queue::Archive),
            ("SELECT unnest(range(1, 3))", Queue::Archive),
            ("SELECT * FROM (VALUES (1), (2)) a(v), (VALUES (1), (2)) b(w)", Queue::Archive),
            ("SELECT count(*) OVER () FROM (VALUES (1), (2)) a(v)", Queue::Archive),
            (many_rows.as_str(), Queue::Archive),
        ] {
            let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
            assert_eq!(queue_of(&plan).unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_user_with_many_statements_leaves_permits_to_others_and_waits_behind_them() {
        let permits = Arc::new(Permits::new(4));
        let (ann, bob, eve) = (user("ann"), user("bob"), user("eve"));
        let of_ann = [permits.acquire(&ann).await, permits.acquire(&ann).await];
        // Half of the permits are free, and not for the same user.
        let mut third: BoxFuture<'_, Permit> = permits.acquire(&ann).boxed();
        assert!((&mut third).now_or_never().is_none());
        let of_bob = [permits.acquire(&bob).await, permits.acquire(&bob).await];
        let mut of_eve: BoxFuture<'_, Permit> = permits.acquire(&eve).boxed();
        assert!((&mut of_eve).now_or_never().is_none());
        // The third of the first user waited longer than the first of the third user.
        drop(of_bob);
        assert!((&mut of_eve).now_or_never().is_some());
        assert!((&mut third).now_or_never().is_none());
        drop(of_ann);
        assert!((&mut third).now_or_never().is_some());
    }

    #[test]
    fn the_user_with_the_fewest_permits_is_next_and_among_equals_who_waited_longest() {
        assert_eq!(next([1, 0, 0].into_iter(), 2), Some(1));
        assert_eq!(next([1, 1].into_iter(), 2), Some(0));
        assert_eq!(next([2, 2].into_iter(), 2), None);
        assert_eq!(next(std::iter::empty(), 1), None);
    }

    proptest! {
        /// Statements of four users arrive, are granted, end, and stop waiting, in any order.
        #[test]
        fn permits_are_never_lost_doubled_or_idle(
            permits in 1..7_usize,
            steps in prop::collection::vec((0..3_u8, 0..4_usize), 1..80),
        ) {
            let users: Vec<Arc<str>> = (0..4).map(|name| Arc::from(name.to_string())).collect();
            let shared = Arc::new(Permits::new(permits));
            let mut waiting: Vec<(usize, BoxFuture<'_, Permit>)> = Vec::new();
            let mut held: Vec<(usize, Permit)> = Vec::new();
            for (step, which) in steps {
                match step {
                    0 => waiting.push((which, shared.acquire(&users[which]).boxed())),
                    1 if !held.is_empty() => drop(held.remove(which % held.len())),
                    _ if !waiting.is_empty() => drop(waiting.remove(which % waiting.len())),
                    _ => {}
                }
                let mut still = Vec::new();
                for (owner, mut future) in waiting {
                    match (&mut future).now_or_never() {
                        Some(permit) => held.push((owner, permit)),
                        None => still.push((owner, future)),
                    }
                }
                waiting = still;
                let of = |owner: usize| held.iter().filter(|(one, _)| *one == owner).count();
                prop_assert!(held.len() <= permits);
                prop_assert!((0..4).all(|owner| of(owner) <= permits.div_ceil(2)));
                let idle = held.len() < permits && waiting.iter().any(|(owner, _)| of(*owner) < permits.div_ceil(2));
                prop_assert!(!idle);
            }
            drop((waiting, held));
            let state = shared.lock();
            prop_assert_eq!(state.free, permits);
            prop_assert!(state.held.is_empty());
        }
    }
}
