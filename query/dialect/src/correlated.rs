//! A subquery that refers to columns of the rows around it, as an argument of an aggregate or a key of groups. The engine joins
//! such subqueries in lists of columns and conditions only, so its value becomes a column beneath the groups:
//!
//! ```text
//! groups of f((SELECT .. WHERE u.k = t.k)) over t   ─▶   groups of f("value of a subquery 0") over t with that column
//! ```

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

/// The rule.
#[derive(Debug)]
pub(crate) struct Correlated;

impl AnalyzerRule for Correlated {
    fn name(&self) -> &str {
        "values_of_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = node else { return Ok(Transformed::no(node)) };
    let names = NamePreserver::new(&LogicalPlan::Aggregate(aggregate.clone()));
    let Aggregate { input, group_expr, aggr_expr, schema, .. } = aggregate;
    let mut values = Vec::new();
    let mut rewrite = |expression: Expr| -> Result<Expr> {
        let name = names.save(&expression);
        let rewritten = expression.transform_down(|part| Ok(as_column(part, &mut values)))?;
        Ok(if rewritten.transformed { name.restore(rewritten.data) } else { rewritten.data })
    };
    let group_expr: Vec<Expr> = group_expr.into_iter().map(&mut rewrite).collect::<Result<_>>()?;
    let aggr_expr: Vec<Expr> = aggr_expr.into_iter().map(&mut rewrite).collect::<Result<_>>()?;
    if values.is_empty() {
        let aggregate = Aggregate::try_new_with_schema(input, group_expr, aggr_expr, schema)?;
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let columns = input.schema().columns().into_iter().map(Expr::Column).chain(values);
    let columns: Vec<Expr> = columns.collect();
    let input = LogicalPlanBuilder::from(input).project(columns)?.build()?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(input.into(), group_expr, aggr_expr)?)))
}

/// The column that has the value of a subquery which refers to columns around it. The value is put to `values`.
fn as_column(part: Expr, values: &mut Vec<Expr>) -> Transformed<Expr> {
    match part {
        Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => {
            let name = format!("value of a subquery {}", values.len());
            let column = Expr::Column(Column::new_unqualified(name.as_str()));
            values.push(Expr::ScalarSubquery(subquery).alias(name));
            Transformed::yes(column)
        }
        other => Transformed::no(other),
    }
}
