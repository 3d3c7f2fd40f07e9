//! The engine's rule that makes a single `DISTINCT` a group of its own, kept from sums of integers.
//!
//! The rule adds up the sums of the inner groups by the same function. A sum of `integer` is `bigint`, and that of `bigint`
//! is `numeric`, so the outer sum would have another type; such a plan stays as it is.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

const NAME: &str = "single_distinct_aggregation_to_group_by";

/// Puts the rule in the place of the engine's.
pub(super) fn replace(optimizer: &mut Optimizer) {
    for rule in optimizer.rules.iter_mut().filter(|rule| rule.name() == NAME) {
        *rule = Arc::new(SingleDistinct { engines: Arc::clone(rule) });
    }
}

#[derive(Debug)]
struct SingleDistinct {
    engines: Arc<dyn OptimizerRule + Send + Sync>,
}

impl OptimizerRule for SingleDistinct {
    fn name(&self) -> &str {
        NAME
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.engines.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>, DataFusionError> {
        if let LogicalPlan::Aggregate(aggregate) = &plan
            && widens(aggregate)
        {
            return Ok(Transformed::no(plan));
        }
        self.engines.rewrite(plan, config)
    }
}

/// Whether a sum that is not distinct has another type than what is added.
fn widens(aggregate: &Aggregate) -> bool {
    let schema = aggregate.input.schema();
    aggregate.aggr_expr.iter().any(|expression| {
        let Expr::AggregateFunction(function) = expression else { return false };
        let is_sum = function.func.name() == "sum" && !function.params.distinct;
        let added = function.params.args.first().map(|argument| argument.get_type(schema));
        is_sum
            && match (expression.get_type(schema), added) {
                (Ok(sum), Some(Ok(added))) => sum != added,
                _ => true,
            }
    })
}
