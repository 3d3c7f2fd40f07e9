//! How tight operators bind, where the parser differs from PostgreSQL (PostgreSQL 15, 4.1.6).
//!
//! | written | PostgreSQL | the parser |
//! |---|---|---|
//! | `-2 ^ 2` | `(-2) ^ 2` | `-(2 ^ 2)` |
//! | `x ~ 'a' \|\| 'b'` | `(x ~ 'a') \|\| 'b'` | `x ~ ('a' \|\| 'b')` |
//! | `x IS DISTINCT FROM y AND z` | `(x IS DISTINCT FROM y) AND z` | `x IS DISTINCT FROM (y AND z)` |
//! | `@ -5 + 3`, and likewise `~`, `\|/`, `\|\|/` | `@ (-5 + 3)` | `(@ -5) + 3` |

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, VisitorMut};
use std::ops::ControlFlow;

/// Binds operators as PostgreSQL does, the inner ones first.
pub(super) struct Precedence;

impl VisitorMut for Precedence {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        sign_of_power(expression);
        operand_of_prefix(expression);
        match_before_others(expression);
        conditions_behind_distinct(expression);
        ControlFlow::Continue(())
    }
}

fn take(expression: &mut Expr) -> Expr {
    std::mem::replace(expression, Expr::value(Value::Null))
}

/// A sign belongs to what stands directly behind it.
fn sign_of_power(expression: &mut Expr) {
    let Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr } = expression else { return };
    if !matches!(expr.as_ref(), Expr::BinaryOp { op: BinaryOperator::PGExp, .. }) {
        return;
    }
    let (op, mut power) = (*op, take(expr));
    let mut signed = &mut power;
    while let Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } = signed {
        signed = left.as_mut();
    }
    *signed = Expr::UnaryOp { op, expr: Box::new(take(signed)) };
    *expression = power;
}

/// What is added behind an operator that stands before its operand is a part of the operand.
fn operand_of_prefix(expression: &mut Expr) {
    let Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, .. } = expression else { return };
    if last_prefix(left).is_none() {
        return;
    }
    let Expr::BinaryOp { mut left, op, right } = take(expression) else { return };
    if let Some(operand) = last_prefix(&mut left) {
        *operand = Expr::BinaryOp { left: Box::new(take(operand)), op, right };
    }
    *expression = *left;
}

/// A match of a regular expression is an operator as others are, and these are taken from left to right.
fn match_before_others(expression: &mut Expr) {
    let is_match = |op: &BinaryOperator| {
        use BinaryOperator::{PGRegexIMatch, PGRegexMatch, PGRegexNotIMatch, PGRegexNotMatch};
        matches!(op, PGRegexMatch | PGRegexIMatch | PGRegexNotMatch | PGRegexNotIMatch)
    };
    let is_other = |expression: &Expr| {
        use BinaryOperator::{Arrow, BitwiseAnd, BitwiseOr, LongArrow, PGBitwiseXor, StringConcat};
        matches!(
            expression,
            Expr::BinaryOp { op: StringConcat | Arrow | LongArrow | BitwiseAnd | BitwiseOr | PGBitwiseXor, .. }
        )
    };
    match expression {
        Expr::BinaryOp { op, right, .. } if is_match(op) && is_other(right) => {}
        _ => return,
    }
    let Expr::BinaryOp { left, op, right: mut others } = take(expression) else { return };
    let mut pattern = others.as_mut();
    while is_other(pattern) {
        let Expr::BinaryOp { left, .. } = pattern else { break };
        pattern = left.as_mut();
    }
    *pattern = Expr::BinaryOp { left, op, right: Box::new(take(pattern)) };
    *expression = *others;
}

/// AND and OR, which bind looser, end what `IS DISTINCT FROM` compares with. The parser leaves them without parentheses where it would
/// not read them otherwise: there, below AND, and below NOT.
fn conditions_behind_distinct(expression: &mut Expr) {
    let both: fn(&Expr) -> bool =
        |part| matches!(part, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. });
    let or: fn(&Expr) -> bool = |part| matches!(part, Expr::BinaryOp { op: BinaryOperator::Or, .. });
    let (operand, is_looser) = match expression {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => (right, both),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => (expr, both),
        Expr::BinaryOp { op: BinaryOperator::And, right, .. } => (right, or),
        _ => return,
    };
    if !is_looser(operand) {
        return;
    }
    let mut looser = take(operand);
    let mut first = &mut looser;
    while is_looser(first) {
        let Expr::BinaryOp { left, .. } = first else { break };
        first = left.as_mut();
    }
    let own = take(first);
    match expression {
        Expr::IsDistinctFrom(_, operand)
        | Expr::IsNotDistinctFrom(_, operand)
        | Expr::UnaryOp { expr: operand, .. }
        | Expr::BinaryOp { right: operand, .. } => **operand = own,
        _ => {}
    }
    *first = take(expression);
    *expression = looser;
}

/// The operand of the last operator before an operand with which an expression ends.
fn last_prefix(expression: &mut Expr) -> Option<&mut Expr> {
    match expression {
        Expr::UnaryOp {
            op:
                UnaryOperator::BitwiseNot
                | UnaryOperator::PGAbs
                | UnaryOperator::PGSquareRoot
                | UnaryOperator::PGCubeRoot
                | UnaryOperator::PGPrefixFactorial,
            expr,
        } => {
            if last_prefix(expr).is_some() {
                return last_prefix(expr);
            }
            Some(expr)
        }
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => last_prefix(expr),
        Expr::BinaryOp { right, .. } => last_prefix(right),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn operators_bind_as_in_postgresql() {
        compare(include_str!("precedence.tsv"));
    }
}
