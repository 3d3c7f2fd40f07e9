//! Counts the batches that operators hand over from one task to another.
//!
//! ```text
//! a task for each input: HandedOverExec ─▶ channel ─▶ CoalescePartitionsExec, SortPreservingMergeExec
//! ```
//!
//! Of each input one batch is in the channel, and one waits for a place in it. If nobody reads the rows of the statement
//! they stay there, and the engine does not count them. What repartitions counts its channels itself.

use super::passing::{PassOn, PassingExec};
use super::waiting_rows::waiting;
use crate::statement_memory::StatementMemory;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream, replace_children_if_necessary,
};
use std::any::Any;
use std::sync::Arc;

/// Puts an operator that counts below each operator that takes its input from other tasks.
#[derive(Debug)]
pub(super) struct CountHandedOver;

impl PhysicalOptimizerRule for CountHandedOver {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let any: &dyn Any = node.as_ref();
            if !any.is::<CoalescePartitionsExec>() && !any.is::<SortPreservingMergeExec>() {
                return Ok(Transformed::no(node));
            }
            let inputs = node.children().into_iter().map(|input| PassingExec::above(Arc::clone(input), HandedOver));
            let inputs = inputs.collect();
            replace_children_if_necessary(node, inputs).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "count_handed_over"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// `plan` with all of its rows in one partition.
pub(super) fn to_one_task(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if plan.output_partitioning().partition_count() == 1 {
        return plan;
    }
    Arc::new(CoalescePartitionsExec::new(PassingExec::above(plan, HandedOver)))
}

/// Whether `plan` gives rows as they were handed over, so that they are counted.
pub(super) fn hands_over(plan: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = plan;
    any.is::<CoalescePartitionsExec>()
}

/// Counts the rows of an input.
#[derive(Debug, Clone)]
struct HandedOver;

impl PassOn for HandedOver {
    const NAME: &'static str = "HandedOverExec";

    fn execute(
        &self,
        input: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = input.execute(partition, Arc::clone(&context))?;
        // Outside of statements nothing is counted.
        let Some(StatementMemory::Execution(memory)) = StatementMemory::current() else { return Ok(rows) };
        let rows = waiting(rows, input.schema(), context.session_config().batch_size(), memory);
        Ok(Box::pin(RecordBatchStreamAdapter::new(input.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::statement_tasks::share_permits;
    use crate::statement_memory::ExecutionMemory;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::physical_plan::execute_stream;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::StreamExt;

    /// Of a batch of 8,192 numbers.
    const BATCH_BYTES: usize = 64 << 10;

    #[tokio::test]
    async fn what_waits_between_tasks_is_counted_while_the_statement_executes() {
        share_permits();
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(64 << 20));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool)).build().unwrap();
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(Arc::new(runtime))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(CountHandedOver))
            .build();
        let context = SessionContext::new_with_state(state);
        let series = "SELECT value FROM generate_series(1, 100000)";
        for sql in [
            format!("{series} UNION ALL {series}"),
            format!("SELECT * FROM ({series} UNION ALL {series}) WHERE value % 2 = 0 ORDER BY value"),
        ] {
            let plan = context.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
            let executed = async {
                let mut rows = execute_stream(to_one_task(plan), context.task_ctx()).unwrap();
                drop(rows.next().await.unwrap().unwrap());
                // The other task has computed its first batch, or will.
                while pool.reserved() < BATCH_BYTES {
                    tokio::task::yield_now().await;
                }
            };
            StatementMemory::Execution(ExecutionMemory::new(Arc::clone(&pool))).during(executed).await;
            while pool.reserved() > 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}
