//! Arrays in the syntax of statements.
//!
//! | written | a call |
//! |---|---|
//! | `x = ANY (array)`, `x < ALL (array)` | `any_eq(x, array)`, `all_lt(x, array)` |
//! | `x ~ ANY (array)`, `x LIKE ANY (array)` | `any_match(x, array)`, `any_like(x, array)` |
//! | `a[:2]`, `a[2:]` | a slice with both bounds |
//!
//! `= ANY (subquery)` is IN, `<> ALL (subquery)` is NOT IN, and other comparisons are with an array of the subquery's values.

use super::calls::call;
use super::subqueries::{compared, subquery};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{AccessExpr, BinaryOperator, Expr, Subscript, Value};

/// The end of a slice that is left out.
const OPEN_END: &str = "2147483647";

/// A comparison with the elements of an array, or a slice with an open end. Others stay as they are.
pub(super) fn rewritten(expression: Expr) -> Result<Expr> {
    Ok(match expression {
        Expr::AnyOp { left, compare_op, right, .. } => match subquery(right) {
            Ok(subquery) if compare_op == BinaryOperator::Eq => {
                Expr::InSubquery { expr: left, subquery, negated: false }
            }
            Ok(query) => compared(any(&compare_op)?, *left, *query, false)?,
            Err(right) => call(any(&compare_op)?, vec![*left, array(*right)]),
        },
        Expr::AllOp { left, compare_op, right } => match subquery(right) {
            Ok(subquery) if compare_op == BinaryOperator::NotEq => {
                Expr::InSubquery { expr: left, subquery, negated: true }
            }
            Ok(query) => compared(all(&compare_op)?, *left, *query, true)?,
            Err(right) => call(all(&compare_op)?, vec![*left, array(*right)]),
        },
        Expr::Like { negated: false, any: true, expr, pattern, escape_char: None } => {
            call("any_like", vec![*expr, array(*pattern)])
        }
        Expr::ILike { negated: false, any: true, expr, pattern, escape_char: None } => {
            call("any_ilike", vec![*expr, array(*pattern)])
        }
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            return Err(SqlError::not_supported("NOT LIKE ANY, and LIKE ANY with an escape, are not supported").into());
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            Expr::CompoundFieldAccess { root, access_chain: access_chain.into_iter().map(with_bounds).collect() }
        }
        other => other,
    })
}

/// What stands in the parentheses behind ANY.
fn array(expression: Expr) -> Expr {
    match expression {
        Expr::Nested(inner) => *inner,
        other => other,
    }
}

fn not_supported(quantifier: &str, operator: &BinaryOperator) -> SqlError {
    SqlError::not_supported(format!("the operator {operator} is not supported with {quantifier} (array)"))
}

fn any(operator: &BinaryOperator) -> Result<&'static str, SqlError> {
    Ok(match operator {
        BinaryOperator::Eq => "any_eq",
        BinaryOperator::NotEq => "any_ne",
        BinaryOperator::Lt => "any_lt",
        BinaryOperator::LtEq => "any_le",
        BinaryOperator::Gt => "any_gt",
        BinaryOperator::GtEq => "any_ge",
        BinaryOperator::PGRegexMatch => "any_match",
        BinaryOperator::PGRegexIMatch => "any_imatch",
        BinaryOperator::PGLikeMatch => "any_like",
        BinaryOperator::PGILikeMatch => "any_ilike",
        other => return Err(not_supported("ANY", other)),
    })
}

fn all(operator: &BinaryOperator) -> Result<&'static str, SqlError> {
    Ok(match operator {
        BinaryOperator::Eq => "all_eq",
        BinaryOperator::NotEq => "all_ne",
        BinaryOperator::Lt => "all_lt",
        BinaryOperator::LtEq => "all_le",
        BinaryOperator::Gt => "all_gt",
        BinaryOperator::GtEq => "all_ge",
        other => return Err(not_supported("ALL", other)),
    })
}

fn with_bounds(access: AccessExpr) -> AccessExpr {
    let number = |digits: &str| super::constants::number(digits).unwrap_or_else(|_| Expr::value(Value::Null));
    match access {
        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
            AccessExpr::Subscript(Subscript::Slice {
                lower_bound: lower_bound.or_else(|| Some(number("1"))),
                upper_bound: upper_bound.or_else(|| Some(number(OPEN_END))),
                stride,
            })
        }
        other => other,
    }
}
