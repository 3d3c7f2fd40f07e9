//! What a parameter says of a join's key holds on both sides.
//!
//! ```text
//! lines JOIN redactions ON lines.session = redactions.session WHERE lines.session = $1
//!                                                     └─▶ redactions.session = $1 as well
//! ```
//!
//! The engine does the same for constants. It tries them on a key that is NULL, and a placeholder cannot be tried. Without
//! this a plan that is kept would read all sessions to find what one of them is joined with.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, Filter, Join, JoinType, LogicalPlan, Operator};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// Adds filters by parameters to the other side of joins, where the engine pushes them further down.
#[derive(Debug)]
pub(super) struct EqualParameters;

impl OptimizerRule for EqualParameters {
    fn name(&self) -> &'static str {
        "equal_parameters"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
        // `x NOT IN (..)` is NULL if a key of the other side is NULL, which a filter would leave out.
        if join.null_aware {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let (of_left, of_right) = added(&join)?;
        if of_left.is_empty() && of_right.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        join.left = filtered(join.left, of_left)?;
        join.right = filtered(join.right, of_right)?;
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

fn filtered(plan: Arc<LogicalPlan>, predicates: Vec<Expr>) -> Result<Arc<LogicalPlan>> {
    Ok(match conjunction(predicates) {
        Some(predicate) => Arc::new(LogicalPlan::Filter(Filter::try_new(predicate, plan)?)),
        None => plan,
    })
}

/// Whether rows of this side that have no partner are left out.
fn leaves_out(side: Side, join_type: JoinType) -> bool {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    match side {
        Side::Left => matches!(join_type, Inner | Right | RightSemi | RightAnti | RightMark),
        Side::Right => matches!(join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark),
    }
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// What is not known yet of the left side and of the right.
fn added(join: &Join) -> Result<(Vec<Expr>, Vec<Expr>)> {
    let (mut of_left, mut of_right) = (Vec::new(), Vec::new());
    for (left, right) in &join.on {
        let (Expr::Column(left), Expr::Column(right)) = (left, right) else { continue };
        let (known_left, known_right) = (known(&join.left, left)?, known(&join.right, right)?);
        let missing = |of: &[Expr], from: &Column, to: &Column, known: &[Expr]| -> Result<Vec<Expr>> {
            let renamed = of.iter().map(|predicate| with_column(predicate.clone(), from, to));
            Ok(renamed.collect::<Result<Vec<_>>>()?.into_iter().filter(|other| !known.contains(other)).collect())
        };
        if leaves_out(Side::Right, join.join_type) {
            of_right.extend(missing(&known_left, left, right, &known_right)?);
        }
        if leaves_out(Side::Left, join.join_type) {
            of_left.extend(missing(&known_right, right, left, &known_left)?);
        }
    }
    Ok((of_left, of_right))
}

/// What holds for `column` in all rows of `plan` by a parameter.
fn known(plan: &LogicalPlan, column: &Column) -> Result<Vec<Expr>> {
    let through = |input: &LogicalPlan, inner: &Column| -> Result<Vec<Expr>> {
        known(input, inner)?.into_iter().map(|predicate| with_column(predicate, inner, column)).collect()
    };
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            let own = split_conjunction(&filter.predicate).into_iter().filter(|part| is_about(part, column));
            own.cloned().chain(known(&filter.input, column)?).collect()
        }
        LogicalPlan::TableScan(scan) => {
            let filters = scan.filters.iter().flat_map(split_conjunction);
            filters.filter(|part| is_about(part, column)).cloned().collect()
        }
        LogicalPlan::Projection(projection) => {
            let place = projection.schema.maybe_index_of_column(column);
            match place.and_then(|place| projection.expr.get(place)).map(|expression| expression.clone().unalias()) {
                Some(Expr::Column(inner)) => through(&projection.input, &inner)?,
                _ => Vec::new(),
            }
        }
        LogicalPlan::SubqueryAlias(alias) => match alias.schema.maybe_index_of_column(column) {
            Some(place) => through(&alias.input, &alias.input.schema().columns()[place])?,
            None => Vec::new(),
        },
        LogicalPlan::Aggregate(aggregate) => {
            let place = aggregate.schema.maybe_index_of_column(column);
            match place.and_then(|place| aggregate.group_expr.get(place)) {
                Some(Expr::Column(inner)) => through(&aggregate.input, inner)?,
                _ => Vec::new(),
            }
        }
        LogicalPlan::Window(window) if window.input.schema().has_column(column) => known(&window.input, column)?,
        LogicalPlan::Sort(sort) => known(&sort.input, column)?,
        LogicalPlan::Limit(limit) => known(&limit.input, column)?,
        LogicalPlan::Distinct(Distinct::All(input)) => known(input, column)?,
        LogicalPlan::Join(join) => {
            let of = |side: &LogicalPlan, other: Side| match side.schema().has_column(column) {
                // Each row of this side stays one, or is left out.
                true if leaves_out(other, join.join_type) => known(side, column),
                _ => Ok(Vec::new()),
            };
            [of(&join.left, Side::Right)?, of(&join.right, Side::Left)?].concat()
        }
        _ => Vec::new(),
    })
}

/// Whether `part` compares `column`, and no other, with parameters.
fn is_about(part: &Expr, column: &Column) -> bool {
    let has_parameter = part.exists(|inner| Ok(matches!(inner, Expr::Placeholder(_)))).unwrap_or_default();
    has_parameter && compares(part, column)
}

/// Whether it compares `column` with what has no columns.
fn compares(part: &Expr, column: &Column) -> bool {
    let is_column = |side: &Expr| matches!(side, Expr::Column(other) if other == column);
    let is_value = |side: &Expr| side.column_refs().is_empty() && !side.is_volatile();
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            compares(left, column) && compares(right, column)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let is_comparison =
                matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
            is_comparison && (is_column(left) && is_value(right) || is_column(right) && is_value(left))
        }
        Expr::InList(list) => !list.negated && is_column(&list.expr) && list.list.iter().all(is_value),
        _ => false,
    }
}

fn with_column(predicate: Expr, from: &Column, to: &Column) -> Result<Expr> {
    let renamed = predicate.transform(|part| match part {
        Expr::Column(column) if column == *from => Ok(Transformed::yes(Expr::Column(to.clone()))),
        other => Ok(Transformed::no(other)),
    });
    renamed.data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    /// The plan of a statement about the tables `a (k, v)` and `b (k, w)`.
    async fn plan_of(sql: &str) -> String {
        let builder = SessionStateBuilder::new_with_default_features().with_config(SessionConfig::new());
        let context = SessionContext::new_with_state(builder.with_optimizer_rule(Arc::new(EqualParameters)).build());
        for table in ["a (k text, v int)", "b (k text, w int)"] {
            context.sql(&format!("CREATE TABLE {table}")).await.unwrap().collect().await.unwrap();
        }
        let state = context.state();
        let plan = state.create_logical_plan(sql).await.unwrap();
        state.optimize(&plan).unwrap().display_indent().to_string()
    }

    #[tokio::test]
    async fn a_parameter_filters_both_sides_of_a_join() {
        for join in [
            "a LEFT JOIN b ON a.k = b.k WHERE a.k = $1",
            "a JOIN b ON a.k = b.k WHERE b.k = $1",
            "b RIGHT JOIN a ON a.k = b.k WHERE a.k = $1",
            "a WHERE k = $1 AND NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
            "a WHERE k IN ($1, 'b', 'c', 'd') AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
            "a WHERE k IN ($1, 'x') AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
            "(SELECT k AS key FROM a WHERE k >= $1) c LEFT JOIN (SELECT k AS other, sum(w) FROM b GROUP BY k) d ON c.key = d.other",
            "a LEFT JOIN (SELECT k, row_number() OVER (PARTITION BY k ORDER BY w) AS n FROM b) d ON a.k = d.k WHERE a.k = $1",
            "a LEFT JOIN (SELECT c.k FROM b AS c LEFT JOIN a AS e ON c.k = e.k) d ON a.k = d.k WHERE a.k = $1",
        ] {
            let plan = plan_of(&format!("SELECT 1 FROM {join}")).await;
            let scans = plan.matches("TableScan").count();
            let filters = plan.lines().filter(|line| line.contains("$1")).count();
            assert_eq!(filters, scans, "{join}:\n{plan}");
        }
    }

    #[tokio::test]
    async fn rows_that_stay_without_a_partner_are_not_filtered() {
        for join in [
            "a FULL JOIN b ON a.k = b.k WHERE a.v = $1",
            "a RIGHT JOIN (SELECT * FROM b) b ON a.k = b.k AND a.k = $1",
            "(SELECT * FROM a WHERE k = $1) a RIGHT JOIN b ON a.k = b.k",
            "(SELECT * FROM a WHERE k = $1) a FULL JOIN b ON a.k = b.k",
            "a LEFT JOIN b ON a.k = b.k WHERE a.v = $1",
        ] {
            let plan = plan_of(&format!("SELECT a.v, b.w FROM {join}")).await;
            assert_eq!(plan.lines().filter(|line| line.contains("$1")).count(), 1, "{join}:\n{plan}");
        }
    }

    #[tokio::test]
    async fn keys_that_are_null_stay_where_they_decide() {
        let plan = plan_of("SELECT v FROM a WHERE k = $1 AND k NOT IN (SELECT k FROM b)").await;
        assert!(plan.contains("LeftAnti"), "{plan}");
        assert_eq!(plan.lines().filter(|line| line.contains("$1")).count(), 1, "{plan}");
    }
}
