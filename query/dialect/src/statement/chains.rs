//! Bounds chains of operators and casts: `a + b + c ...`.
//!
//! The type of a call is found from those of its arguments, and a call within a call is asked for again by each step of the
//! planner. So planning a chain takes the square of its length.

use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};

/// The longest chain.
const LONGEST: usize = 250;

/// Refuses a longer chain that begins with `expression`.
///
/// # Errors
/// 54001.
pub(super) fn check(expression: &Expr) -> Result<()> {
    let mut next = before(expression);
    for _ in 0..LONGEST {
        match next {
            Some(expression) => next = before(expression),
            None => return Ok(()),
        }
    }
    Err(SqlError::new("54001", "statement too complex")
        .with_detail(format!("At most {LONGEST} operators or casts are applied one after the other."))
        .with_hint("Group the operands by parentheses, or use sum or a function of arrays.")
        .into())
}

/// What an operator or a cast is applied to, if a chain may go on there.
fn before(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::BinaryOp { left, op, .. } if is_call(op) => Some(left),
        Expr::Cast { expr, .. } => Some(expr),
        _ => None,
    }
}

/// Whether an operator is planned as a call.
fn is_call(operator: &BinaryOperator) -> bool {
    !matches!(
        operator,
        BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::StringConcat
            | BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}
