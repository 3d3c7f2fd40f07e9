//! Constants that become columns: each is copied for each row.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::bound::{Bound, CONSTANT_BYTES};
use crate::error::QueryError;

/// A constant inside an expression becomes a column in some expressions (CASE) and not in others (comparisons). Shorter
/// ones are not counted, so that lists of values stay allowed.
const LONG_BYTES: usize = 256;

/// Refuses an optimized plan whose constants would take much memory as columns.
///
/// # Errors
/// [`Bound::Constants`].
pub(crate) fn check_constants(plan: &LogicalPlan) -> Result<(), QueryError> {
    let bytes = constant_bytes(plan).map_err(|error| QueryError::classify(error, 0))?;
    if bytes > CONSTANT_BYTES { Err(Bound::Constants.into()) } else { Ok(()) }
}

fn constant_bytes(plan: &LogicalPlan) -> Result<usize> {
    let mut bytes = 0;
    plan.apply_with_subqueries(|node| {
        let expressions = match node {
            // A row of constants is one row.
            LogicalPlan::Projection(node) if !matches!(node.input.as_ref(), LogicalPlan::EmptyRelation(_)) => {
                &node.expr
            }
            LogicalPlan::Aggregate(node) => &node.aggr_expr,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        for expression in expressions {
            bytes += bytes_of(expression)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}

fn bytes_of(expression: &Expr) -> Result<usize> {
    match expression {
        Expr::Alias(alias) => return bytes_of(&alias.expr),
        Expr::Literal(value, _) => return Ok(size(value)),
        _ => {}
    }
    let mut bytes = 0;
    expression.apply(|part| {
        if let Expr::Literal(value, _) = part {
            bytes += Some(size(value)).filter(|size| *size > LONG_BYTES).unwrap_or(0);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(bytes)
}

fn size(value: &ScalarValue) -> usize {
    match value.try_as_str() {
        Some(text) => text.map_or(0, str::len),
        None => value.size() - size_of::<ScalarValue>(),
    }
}
