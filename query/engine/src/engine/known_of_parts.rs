//! Forgets what is true of a part of the rows and not of all.
//!
//! ```text
//! WHERE agent = 'x' GROUP BY ROLLUP (agent, queue): `agent` is 'x' below the groups, and 'x' or NULL above them
//! SELECT 'a', x FROM t UNION ALL SELECT 'b', y FROM u: the first column has one value in each part of the union
//! ```
//!
//! - Above groups the engine keeps what it knows of their input: columns with one value, columns that are equal, orders, and
//!   partitions by values. It would leave out sorts, merge groups as if their rows were sorted, and not bring the parts of a
//!   group together.
//! - Above a union it leaves such a column out of the sort of each part. With `LIMIT` the parts share a bound, of which rows
//!   are among the first, and so lose rows whose first column is smaller.

use super::passing::{PassOn, PassingExec};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::{AcrossPartitions, EquivalenceProperties};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties};
use std::any::Any;
use std::sync::Arc;

/// Puts an operator of which nothing is known above sets of groups, and above unions of parts with values of their own.
#[derive(Debug)]
pub(super) struct ForgetParts;

impl PhysicalOptimizerRule for ForgetParts {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if !has_sets(node.as_ref()) && !has_parts(node.as_ref()) {
                return Ok(Transformed::no(node));
            }
            Ok(Transformed::yes(PassingExec::above(node, NothingKnown)))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "forget_what_is_known_of_parts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn has_sets(node: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = node;
    any.downcast_ref::<AggregateExec>().is_some_and(|groups| groups.group_expr().has_grouping_set())
}

fn has_parts(node: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = node;
    any.is::<UnionExec>()
        && node.equivalence_properties().constants().iter().any(|constant| {
            // A value that is not known may be another in each part.
            !matches!(constant.across_partitions, AcrossPartitions::Uniform(Some(_)))
        })
}

#[derive(Debug, Clone)]
struct NothingKnown;

impl PassOn for NothingKnown {
    const NAME: &'static str = "NothingKnownExec";
    const TELLS_ORDER: bool = false;

    fn properties(&self, input: &dyn ExecutionPlan) -> Arc<PlanProperties> {
        let partitions = Partitioning::UnknownPartitioning(input.output_partitioning().partition_count());
        let known = EquivalenceProperties::new(input.schema());
        Arc::new(PlanProperties::new(known, partitions, input.pipeline_behavior(), input.boundedness()))
    }
}
