//! Joins small batches to full ones before operators that hold batches.
//!
//! ```text
//! FullBatchesExec ─▶ sort, group, window, the side of a join that is held, the rows of a recursion
//!        ▲ batches of a few rows: cross joins, recursions, lists, unions
//! ```
//!
//! The engine counts the values of a batch that it holds, and not what the batch takes beside them: some hundred bytes
//! for each column, and in a sort a task with a channel that sorts it. In a profile of a process that held 940 MB,
//! 303 MB were such channels alone.

use super::batch_bytes::bytes_of;
use super::passing::{PassOn, PassingExec};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    ExecutionPlan, InputOrderMode, SendableRecordBatchStream, replace_children_if_necessary,
};
use futures::StreamExt;
use futures::stream;
use std::any::Any;
use std::sync::Arc;

/// Bytes with which a batch is full however few its rows are.
const FULL_BYTES: usize = 1 << 20;

/// Puts an operator that fills batches below each operator that holds them.
#[derive(Debug)]
pub(super) struct FillBatches;

impl PhysicalOptimizerRule for FillBatches {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let held = held_inputs(node.as_ref());
            if held == 0 {
                return Ok(Transformed::no(node));
            }
            let filled = |(place, input): (usize, &Arc<dyn ExecutionPlan>)| {
                let input = Arc::clone(input);
                let is_filled = place >= held || fills_batches(input.as_ref());
                if is_filled { input } else { PassingExec::above(input, FullBatches) }
            };
            let inputs = node.children().into_iter().enumerate().map(filled).collect();
            replace_children_if_necessary(node, inputs).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "fill_batches"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How many of its inputs, from the first, an operator holds.
fn held_inputs(operator: &dyn ExecutionPlan) -> usize {
    let any: &dyn Any = operator;
    if any.is::<SortExec>() || any.is::<WindowAggExec>() {
        return 1;
    }
    if any.is::<HashJoinExec>() || any.is::<NestedLoopJoinExec>() || any.is::<CrossJoinExec>() {
        return 1;
    }
    if any.is::<RecursiveQueryExec>() {
        return 2;
    }
    // Groups of sorted rows are passed on as soon as they are complete, and with a limit the first ones are enough.
    let holds = |groups: &AggregateExec| {
        *groups.input_order_mode() == InputOrderMode::Linear && groups.limit_options().is_none()
    };
    usize::from(any.downcast_ref::<AggregateExec>().is_some_and(holds))
}

/// Whether an operator gives full batches by itself.
fn fills_batches(operator: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = operator;
    any.is::<FilterExec>() || any.is::<HashJoinExec>() || any.is::<RepartitionExec>() || any.is::<SortExec>()
}

/// Joins batches until they have the rows of a full one, or [`FULL_BYTES`]. One with more than half of the rows is passed
/// on as it is, unless few rows wait for it.
#[derive(Debug, Clone)]
struct FullBatches;

impl PassOn for FullBatches {
    const NAME: &'static str = "FullBatchesExec";

    fn execute(
        &self,
        input: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = input.schema();
        let filling = Filling::new(Arc::clone(&schema), context.session_config().batch_size());
        let rows = Some(input.execute(partition, context)?);
        let batches = stream::try_unfold((rows, filling), |(mut rows, mut filling)| async move {
            loop {
                if let Some(batch) = filling.next() {
                    return Ok(Some((batch, (rows, filling))));
                }
                let Some(more) = &mut rows else { return Ok(None) };
                match more.next().await {
                    Some(batch) => filling.push(batch?)?,
                    None => {
                        rows = None;
                        filling.finish()?;
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// A batch that becomes full.
pub(super) struct Filling {
    joined: BatchCoalescer,
    /// Of the values in it.
    bytes: usize,
    /// One that is full by itself, and not copied.
    whole: Option<RecordBatch>,
}

impl Filling {
    pub(super) fn new(schema: SchemaRef, batch_size: usize) -> Self {
        let joined = BatchCoalescer::new(schema, batch_size).with_biggest_coalesce_batch_size(Some(batch_size / 2));
        Self { joined, bytes: 0, whole: None }
    }

    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = bytes_of(&batch)?;
        if bytes >= FULL_BYTES && self.is_empty() {
            self.whole = Some(batch);
            return Ok(());
        }
        self.bytes += bytes;
        self.joined.push_batch(batch)?;
        if self.bytes >= FULL_BYTES {
            self.finish()?;
        }
        if self.is_empty() {
            self.bytes = 0;
        }
        Ok(())
    }

    /// The next full batch. To be called until there is none before more is pushed.
    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        self.joined.next_completed_batch().or_else(|| self.whole.take())
    }

    /// Whether no rows wait to become a full one.
    pub(super) fn is_empty(&self) -> bool {
        self.joined.get_buffered_rows() == 0
    }

    /// Makes a batch of the rows that are left.
    pub(super) fn finish(&mut self) -> Result<()> {
        Ok(self.joined.finish_buffered_batch()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};

    fn context() -> SessionContext {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(256 << 20))).build();
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(1))
            .with_runtime_env(Arc::new(runtime.unwrap()))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(FillBatches))
            .build();
        SessionContext::new_with_state(state)
    }

    /// The batches of the operator of the plan of `sql` with this name.
    async fn batches_below(sql: &str, operator: &str) -> Vec<RecordBatch> {
        let context = context();
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let mut found = None;
        plan.apply(|node| {
            if node.name() == operator {
                found = node.children().first().map(|input| Arc::clone(input));
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        let found = found.unwrap_or_else(|| panic!("{operator} in {shown}"));
        datafusion::physical_plan::collect(found, context.task_ctx()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_held_is_full() {
        let crossed = "generate_series(1, 6000) AS a CROSS JOIN (VALUES (1), (2), (3)) AS b";
        let counted = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 6000)";
        for (sql, operator) in [
            (format!("SELECT * FROM {crossed} ORDER BY 1"), "SortExec"),
            (format!("SELECT *, count(*) OVER () FROM {crossed}"), "WindowAggExec"),
            (format!("SELECT value, array_agg(column1) FROM {crossed} GROUP BY value"), "AggregateExec"),
            (format!("{counted} SELECT * FROM n ORDER BY i DESC"), "SortExec"),
            (format!("{counted} SELECT * FROM n JOIN (VALUES (1), (2)) AS v(i) ON n.i <> v.i"), "NestedLoopJoinExec"),
        ] {
            let batches = batches_below(&sql, operator).await;
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert!(rows >= 2 && batches.len() <= 1 + rows / 4096, "{sql}: {rows} rows in {} batches", batches.len());
        }
    }

    #[tokio::test]
    async fn a_batch_is_full_at_its_bytes_too() {
        let sql = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                   SELECT repeat('x', 100000 + i) AS long FROM n ORDER BY long";
        let batches = batches_below(sql, "SortExec").await;
        let bytes: Vec<usize> = batches.iter().map(|batch| bytes_of(batch).unwrap()).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
        assert!(bytes.iter().all(|bytes| *bytes < FULL_BYTES + 110_000), "{bytes:?}");
        assert!(bytes.len() <= 11, "{bytes:?}");
    }
}
