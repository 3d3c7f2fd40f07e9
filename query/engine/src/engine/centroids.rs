//! Bounds the third argument of `approx_percentile_cont`: the engine allocates so many centroids at once, for each group.

use crate::error::QueryError;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, WindowFunctionDefinition};

/// Centroids of a group, at most. The engine has 100 without the argument.
const CENTROIDS: i64 = 1_000;

/// Refuses an optimized plan with too many centroids.
///
/// # Errors
/// [`QueryError::Function`].
pub(super) fn check_centroids(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| expression.apply(|part| check(part).map(|()| TreeNodeRecursion::Continue)))
    })
    .map(drop)
}

fn check(expression: &Expr) -> Result<()> {
    let (function, args) = match expression {
        Expr::AggregateFunction(AggregateFunction { func, params }) => (func, &params.args),
        Expr::WindowFunction(window) => match window.as_ref() {
            WindowFunction { fun: WindowFunctionDefinition::AggregateUDF(func), params } => (func, &params.args),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let centroids = match function.name() {
        "approx_percentile_cont" => args.get(2),
        "approx_percentile_cont_with_weight" => args.get(3),
        _ => None,
    };
    let Some(centroids) = centroids else { return Ok(()) };
    let known = match centroids {
        Expr::Literal(value, _) => value.to_string().parse::<i64>().ok(),
        _ => None,
    };
    if known.is_some_and(|known| known <= CENTROIDS) {
        return Ok(());
    }
    let what = match known {
        Some(_) => format!("hold more than {CENTROIDS} centroids for each group"),
        None => "hold a number of centroids that is not a constant".to_owned(),
    };
    let (function, what_to_do) = (function.name().to_owned(), "call it with a smaller number");
    Err(QueryError::Function { function, what, what_to_do }.through_engine())
}
