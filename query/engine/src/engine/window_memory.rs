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

use super::event_order;
use super::passing::{PassOn, PassingExec};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, replace_children_if_necessary};
use futures::StreamExt;
use std::any::Any;
use std::collections::HashMap;
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
            let Some(window) = any.downcast_ref::<WindowAggExec>() else { return Ok(Transformed::no(node)) };
            let row_bytes = window.window_expr().iter().map(|function| event_order::row_bytes(function.name())).sum();
            let reservations = Reservations::default();
            let input = match node.children().as_slice() {
                [input] => Arc::clone(input),
                _ => return internal_err!("a window has one input"),
            };
            let input = PassingExec::above(input, WindowInput { reservations: Arc::clone(&reservations), row_bytes });
            let window = replace_children_if_necessary(node, vec![input])?;
            Ok(Transformed::yes(PassingExec::above(window, WindowMemory(reservations))))
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
#[derive(Debug, Clone)]
struct WindowMemory(Reservations);

/// Below a window: reserves its rows, and for each of them what the window's functions hold beside it.
#[derive(Debug, Clone)]
struct WindowInput {
    reservations: Reservations,
    row_bytes: usize,
}

impl PassOn for WindowMemory {
    const NAME: &'static str = "WindowMemoryExec";

    fn execute(
        &self,
        window: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let consumer = MemoryConsumer::new(format!("WindowAggExec[{partition}]"));
        let reservation = Arc::new(consumer.register(context.memory_pool()));
        let locked = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked().insert(partition, Arc::clone(&reservation));
        // The window starts its input, which takes the reservation.
        let rows = window.execute(partition, context);
        locked().remove(&partition);
        let rows = rows?.inspect(move |_| {
            // Held until the stream is dropped.
            let _ = &reservation;
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(window.schema(), rows)))
    }
}

impl PassOn for WindowInput {
    const NAME: &'static str = "WindowInputExec";

    fn execute(
        &self,
        input: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let taken = self.reservations.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
        let Some(reservation) = taken else { return internal_err!("a window starts its input") };
        let row_bytes = self.row_bytes;
        let rows = input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            reservation.try_grow(COPIES * get_record_batch_memory_size(&batch) + row_bytes * batch.num_rows())?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(input.schema(), rows)))
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
    async fn what_the_functions_of_a_time_line_hold_is_counted() {
        let context = context(64 << 20);
        event_order::register(&mut context.state_ref().write()).unwrap();
        let sql = "SELECT timeline_deliveries(value, value, value) OVER () FROM generate_series(1, 100000)";
        let mut rows = context.sql(sql).await.unwrap().execute_stream().await.unwrap();
        assert!(rows.next().await.unwrap().is_ok());
        assert!(
            context.runtime_env().memory_pool.reserved() >= event_order::row_bytes("timeline_deliveries") * 100_000
        );
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
