//! What operators require of their input, in plans of one partition: only sorts can be missing.
//!
//! The engine's rule computes the statistics of everything below an operator for each operator, to decide whether to
//! distribute it, and passes the plan six times more. That took most of the time of a statement about one session.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::ensure_requirements::enforce_sorting::{PlanWithCorrespondingSort, ensure_sorting};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::sync::Arc;

/// The engine's rule, or its step that sorts if that is all a plan can need.
#[derive(Debug, Default)]
pub(super) struct SortInOnePartition(EnsureRequirements);

impl PhysicalOptimizerRule for SortInOnePartition {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.execution.target_partitions > 1 || !has_one_partition(&plan) {
            return self.0.optimize(plan, config);
        }
        Ok(PlanWithCorrespondingSort::new_default(plan).transform_up(ensure_sorting).data()?.plan)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether no operator has more, so that each requirement of distribution is met.
fn has_one_partition(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.output_partitioning().partition_count() == 1 && plan.children().into_iter().all(has_one_partition)
}
