//! Leaves large limits to the sort above a group.
//!
//! ```text
//! LIMIT n ◀─ sort ◀─ groups that keep the first n: the engine allocates for n before the first row
//! ```
//!
//! For a small n this saves memory. A large one would take gigabytes, which nobody counts, or more than there is.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use std::any::Any;
use std::sync::Arc;

/// Groups for which the engine may allocate at once: less than a megabyte in each thread.
const GROUPS: usize = 1_000;

/// Lets groups forget a larger limit. The rows that are too many go to the sort, which has the same limit.
#[derive(Debug)]
pub(super) struct ForgetLargeLimits;

impl PhysicalOptimizerRule for ForgetLargeLimits {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let any: &dyn Any = node.as_ref();
            let Some(groups) = any.downcast_ref::<AggregateExec>() else { return Ok(Transformed::no(node)) };
            let is_large = groups.limit_options().is_some_and(|limit| limit.limit() > GROUPS);
            // Without an order the limit is where the groups end, and nothing is allocated for it.
            if !is_large || groups.is_unordered_unfiltered_group_by_distinct() {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(Arc::new(groups.with_new_limit_options(None)) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "forget_large_limits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
