//! The arguments of `grouping`, which are expressions of GROUP BY. Rules that change both give those of GROUP BY the name that they had, and
//! the engine would not find them.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

/// The rule, which comes before that of the engine.
#[derive(Debug)]
pub(crate) struct GroupingArguments;

impl AnalyzerRule for GroupingArguments {
    fn name(&self) -> &str {
        "arguments_of_grouping"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let is_grouping = |part: &Expr| Ok(matches!(part, Expr::AggregateFunction(call) if call.func.name() == "grouping"));
    let asks = |aggregate: &Expr| aggregate.exists(is_grouping).unwrap_or(true);
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = match node {
        LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(asks) => aggregate,
        other => return Ok(Transformed::no(other)),
    };
    let groups: Vec<&Expr> = group_expr
        .iter()
        .flat_map(|group| match group {
            Expr::GroupingSet(set) => set.distinct_expr(),
            other => vec![other],
        })
        .collect();
    let named = |argument: &Expr| {
        let is_it = |group: &&&Expr| matches!(group, Expr::Alias(alias) if alias.expr.as_ref() == argument);
        groups.iter().find(is_it).copied().cloned()
    };
    let aggregates = aggr_expr.into_iter().map(|aggregate| {
        aggregate.transform_down(|part| {
            let Expr::AggregateFunction(mut call) = part else { return Ok(Transformed::no(part)) };
            if call.func.name() == "grouping" {
                for argument in &mut call.params.args {
                    if let Some(group) = named(argument) {
                        *argument = group;
                    }
                }
            }
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        })
    });
    let aggregates = aggregates.map(|aggregate| Ok(aggregate?.data)).collect::<Result<Vec<Expr>>>()?;
    let aggregate = Aggregate::try_new_with_schema(input, group_expr, aggregates, schema)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}
