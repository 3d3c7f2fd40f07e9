//! Forgets what is true of one set of groups and not of all.
//!
//! ```text
//! WHERE agent = 'x' GROUP BY ROLLUP (agent, queue): `agent` is 'x' below the groups, and 'x' or NULL above them
//! ```
//!
//! The engine keeps above the groups what it knows of their input: columns with one value, columns that are equal, orders,
//! and partitions by values. It would leave out sorts, merge groups as if their rows were sorted, and not bring the parts of
//! a group together.

use super::passing::{PassOn, PassingExec};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use std::any::Any;
use std::sync::Arc;

/// The rules of the engine for physical plans, after the one that the others rely on.
pub(super) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(ForgetOneSet)];
    rules.extend(PhysicalOptimizer::new().rules);
    rules
}

/// Puts an operator of which nothing is known above sets of groups.
#[derive(Debug)]
struct ForgetOneSet;

impl PhysicalOptimizerRule for ForgetOneSet {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let any: &dyn Any = node.as_ref();
            let has_sets =
                any.downcast_ref::<AggregateExec>().is_some_and(|groups| groups.group_expr().has_grouping_set());
            if !has_sets {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(PassingExec::above(node, SetsOfGroups)))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "forget_one_set_of_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone)]
struct SetsOfGroups;

impl PassOn for SetsOfGroups {
    const NAME: &'static str = "SetsOfGroupsExec";

    fn properties(&self, input: &dyn ExecutionPlan) -> Arc<PlanProperties> {
        let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let known = EquivalenceProperties::new(input.schema());
        Arc::new(PlanProperties::new(known, partitions, input.pipeline_behavior(), input.boundedness()))
    }

    fn execute(
        &self,
        input: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        input.execute(partition, context)
    }
}
