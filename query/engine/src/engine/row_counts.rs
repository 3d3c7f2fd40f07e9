//! The counts of LIMIT and OFFSET. They are not negative, as in PostgreSQL.

use arrow_schema::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use holdfast_dialect::SqlError;

/// Refuses counts below zero. The placeholders of `plan` have their values.
///
/// # Errors
/// 2201W and 2201X.
pub(super) fn check_row_counts(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            if limit.fetch.as_deref().is_some_and(is_negative) {
                return Err(SqlError::new("2201W", "LIMIT must not be negative").at("LIMIT").into());
            }
            if limit.skip.as_deref().is_some_and(is_negative) {
                return Err(SqlError::new("2201X", "OFFSET must not be negative").at("OFFSET").into());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn is_negative(count: &Expr) -> bool {
    constant(count).is_some_and(|count| count < 0)
}

/// The value of a constant whole number. `None` for NULL and for what is no constant, which the engine refuses.
fn constant(count: &Expr) -> Option<i64> {
    match count {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(value) => value,
            _ => None,
        },
        Expr::Cast(to) => constant(&to.expr),
        Expr::TryCast(to) => constant(&to.expr),
        Expr::Alias(named) => constant(&named.expr),
        Expr::Negative(inner) => constant(inner)?.checked_neg(),
        _ => None,
    }
}
