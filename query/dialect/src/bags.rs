//! `EXCEPT ALL` and `INTERSECT ALL`, which count equal rows: of m rows at the left and n equal ones at the right, m - n or the lesser of
//! both are left (PostgreSQL 15, 7.4). The engine makes a join of them, which leaves all of the m rows or none.
//!
//! ```text
//! left ─▶ each row numbered among its equals ─┐
//!                                             ├─▶ join by all columns and the number ─▶ the columns of the left
//! right ─▶ each row numbered among its equals ┘
//! ```
//!
//! Rows that are distinct are not numbered: each is the first of its equals.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The column of the number at the left and at the right.
const NUMBERS: [&str; 2] = ["number_among_equals_left", "number_among_equals_right"];

/// The rule. The keys of the join have their common types by then.
#[derive(Debug)]
pub(crate) struct Bags;

impl AnalyzerRule for Bags {
    fn name(&self) -> &str {
        "bags_of_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Join(join) if counts_rows(&join) => Ok(Transformed::yes(counted(join)?)),
        other => Ok(Transformed::no(other)),
    }
}

/// Whether the join is a set operation whose left rows may be equal, and whose rows are not numbered yet.
fn counts_rows(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && !matches!(beneath(&join.left), LogicalPlan::Distinct(Distinct::All(_)))
        && join.left.schema().fields().last().is_none_or(|field| field.name() != NUMBERS[0])
}

/// What is beneath the casts of a set operation's columns. Another list of columns stands over an alias, and may make equal rows of
/// distinct ones.
fn beneath(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(projection) => &projection.input,
        other => other,
    }
}

fn counted(join: Join) -> Result<LogicalPlan> {
    let Join { left, right, mut on, filter, join_type, join_constraint, null_equality, null_aware, .. } = join;
    let columns: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
    let (of_left, of_right): (Vec<Expr>, Vec<Expr>) = on.iter().cloned().unzip();
    let left = numbered(left, of_left, NUMBERS[0])?;
    let right = numbered(right, of_right, NUMBERS[1])?;
    let number = |name| Expr::Column(Column::new_unqualified(name));
    on.push((number(NUMBERS[0]), number(NUMBERS[1])));
    let join = Join::try_new(left, right, on, filter, join_type, join_constraint, null_equality, null_aware)?;
    LogicalPlanBuilder::from(LogicalPlan::Join(join)).project(columns)?.build()
}

/// The rows with the number that each has among those with equal keys, from 1.
fn numbered(rows: Arc<LogicalPlan>, keys: Vec<Expr>, name: &str) -> Result<Arc<LogicalPlan>> {
    let number = Expr::from(WindowFunction::new(row_number_udwf(), Vec::new())).partition_by(keys).build()?;
    Ok(Arc::new(LogicalPlanBuilder::from(rows).window([number.alias(name)])?.build()?))
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("bags.tsv"));
    }
}
