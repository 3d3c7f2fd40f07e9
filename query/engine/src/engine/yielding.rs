//! Lets operators yield that make many batches of one.
//!
//! The engine yields where batches come from (scans) and where they change tasks. A join makes thousands of batches of
//! one batch that it was given, and what holds them takes one after the other: for minutes the task does not yield, so it
//! goes on, and its memory grows, when its statement has been cancelled or has timed out.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::unnest::UnnestExec;
use std::any::Any;
use std::sync::Arc;

/// Puts a place to yield above each such operator.
#[derive(Debug)]
pub(super) struct YieldAboveJoins;

impl PhysicalOptimizerRule for YieldAboveJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if !makes_many_batches(node.as_ref()) {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "yield_above_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn makes_many_batches(operator: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = operator;
    any.is::<CrossJoinExec>()
        || any.is::<HashJoinExec>()
        || any.is::<NestedLoopJoinExec>()
        || any.is::<SortMergeJoinExec>()
        || any.is::<RecursiveQueryExec>()
        || any.is::<UnnestExec>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::{FutureExt, StreamExt};

    #[tokio::test]
    async fn what_counts_the_rows_of_a_join_yields() {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(1))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(YieldAboveJoins))
            .build();
        let context = SessionContext::new_with_state(state);
        // A batch for each of the 10,000 rows.
        let sql =
            "SELECT sum(a.value + b.column1) FROM generate_series(1, 10000) AS a CROSS JOIN (VALUES (1), (2)) AS b";
        let mut rows = context.sql(sql).await.unwrap().execute_stream().await.unwrap();
        let mut yields = 0;
        let sum = loop {
            match rows.next().now_or_never() {
                None => yields += 1,
                Some(batch) => break batch.unwrap().unwrap(),
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(sum.num_rows(), 1);
        assert!(yields > 10_000 / 256, "{yields}");
    }
}
