//! Counts the memory of windows that need all of their rows at once.
//!
//! ```text
//! WindowMemoryExec: holds the reservation until its stream is dropped
//!   WindowAggExec: collects its input, joins it to one batch, and returns that
//!     WindowInputExec: reserves each batch before it is passed on
//! ```
//!
//! `count(*) OVER ()`, the usual idiom for paging, collects all rows. The engine counts what sorts, groups and joins
//! hold, and not what these windows hold. A window that needs few rows at a time (`BoundedWindowAggExec`) is left alone.

use arrow_schema::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
    replace_children_if_necessary,
};
use futures::StreamExt;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A window holds its input twice when it joins the batches to one.
const COPIES: usize = 2;

/// Puts the two operators around each window that collects its input.
#[derive(Debug)]
pub(super) struct CountWindowMemory;

impl PhysicalOptimizerRule for CountWindowMemory {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let any: &dyn Any = node.as_ref();
            if !any.is::<WindowAggExec>() {
                return Ok(Transformed::no(node));
            }
            let reservations = Arc::default();
            let input = match node.children().as_slice() {
                [input] => Arc::clone(input),
                _ => return internal_err!("a window has one input"),
            };
            let input = Arc::new(WindowInputExec { input, reservations: Arc::clone(&reservations) });
            let window = replace_children_if_necessary(node, vec![input])?;
            Ok(Transformed::yes(Arc::new(WindowMemoryExec { window, reservations }) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "count_window_memory"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The reservations of the partitions whose windows are being started.
type Reservations = Arc<Mutex<HashMap<usize, Arc<MemoryReservation>>>>;

/// Above a window: holds the reservation of its rows.
struct WindowMemoryExec {
    window: Arc<dyn ExecutionPlan>,
    reservations: Reservations,
}

/// Below a window: reserves its rows.
struct WindowInputExec {
    input: Arc<dyn ExecutionPlan>,
    reservations: Reservations,
}

/// The plan with this one child.
fn only(mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    match (children.pop(), children.is_empty()) {
        (Some(child), true) => Ok(child),
        _ => internal_err!("a window has one input"),
    }
}

impl fmt::Debug for WindowMemoryExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowMemoryExec").field("window", &self.window).finish_non_exhaustive()
    }
}

impl DisplayAs for WindowMemoryExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowMemoryExec")
    }
}

impl ExecutionPlan for WindowMemoryExec {
    fn name(&self) -> &'static str {
        "WindowMemoryExec"
    }

    fn schema(&self) -> SchemaRef {
        self.window.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.window]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { window: only(children)?, reservations: Arc::clone(&self.reservations) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let consumer = MemoryConsumer::new(format!("WindowAggExec[{partition}]"));
        let reservation = Arc::new(consumer.register(context.memory_pool()));
        let locked = || self.reservations.lock().unwrap_or_else(PoisonError::into_inner);
        locked().insert(partition, Arc::clone(&reservation));
        // The window starts its input, which takes the reservation.
        let rows = self.window.execute(partition, context);
        locked().remove(&partition);
        let rows = rows?.inspect(move |_| {
            // Held until the stream is dropped.
            let _ = &reservation;
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

impl fmt::Debug for WindowInputExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowInputExec").field("input", &self.input).finish_non_exhaustive()
    }
}

impl DisplayAs for WindowInputExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WindowInputExec")
    }
}

impl ExecutionPlan for WindowInputExec {
    fn name(&self) -> &'static str {
        "WindowInputExec"
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { input: only(children)?, reservations: Arc::clone(&self.reservations) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let taken = self.reservations.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
        let Some(reservation) = taken else { return internal_err!("a window starts its input") };
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            reservation.try_grow(COPIES * get_record_batch_memory_size(&batch))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// A window over a million numbers, of 8 MB.
    const WINDOW: &str = "SELECT max(n) FROM (SELECT sum(value) OVER () AS n FROM generate_series(1, 1000000))";

    fn context(limit: usize) -> SessionContext {
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(limit))).build();
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_runtime_env(Arc::new(runtime.unwrap()))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(CountWindowMemory))
            .build();
        SessionContext::new_with_state(state)
    }

    #[tokio::test]
    async fn a_window_over_all_rows_counts_against_the_memory() {
        let enough = context(64 << 20);
        let rows = enough.sql(WINDOW).await.unwrap().collect().await.unwrap();
        assert_eq!(rows.len(), 1);

        let error = context(4 << 20).sql(WINDOW).await.unwrap().collect().await.unwrap_err();
        let error = crate::error::QueryError::classify(error, 4 << 20);
        assert!(matches!(error, crate::error::QueryError::Memory { limit_mib: 4, .. }), "{error}");
    }

    #[tokio::test]
    async fn rows_are_counted_until_the_window_is_dropped() {
        let context = context(64 << 20);
        let sql = "SELECT value, count(*) OVER () FROM generate_series(1, 100000)";
        let mut rows = context.sql(sql).await.unwrap().execute_stream().await.unwrap();
        assert!(rows.next().await.unwrap().is_ok());
        assert!(context.runtime_env().memory_pool.reserved() >= COPIES * 8 * 100_000);
        drop(rows);
        assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
    }

    #[tokio::test]
    async fn each_partition_has_its_own_reservation_and_the_result_is_that_of_the_window() {
        let context = context(64 << 20);
        let sql = "SELECT sum(n) AS n FROM (SELECT count(*) OVER (PARTITION BY value % 7) AS n \
                   FROM generate_series(0, 6999))";
        let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
        let shown = arrow_cast::pretty::pretty_format_batches(&rows).unwrap().to_string();
        assert!(shown.contains("7000000"), "{shown}");
    }
}
