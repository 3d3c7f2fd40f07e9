//! Comparisons of rows: `(a, b) = (1, 2)`, `(a, b) < (1, 2)`, `(a, b) IN ((1, 2), (3, 4))` (PostgreSQL 15, 9.24.5).
//!
//! They become comparisons of their columns, so that NULLs mean what they mean in PostgreSQL. The engine would compare
//! structs.

use super::calls::{call, function_name, plain_arguments};
use super::names::folded;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, OrderByExpr, OrderByKind, OrderByOptions, Query, SelectItem, SetExpr, UnaryOperator, Value,
};

/// Keys of ORDER BY that are rows as their columns: the first one that differs decides, and NULL is above all (PostgreSQL 15, 9.24.6).
pub(super) fn as_keys(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) else { return };
    // Alone, a name is one of the list, and a number a place in it.
    let is_of_list = |column: &Expr| match column {
        Expr::Identifier(name) => select
            .projection
            .iter()
            .any(|item| matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name))),
        Expr::Value(_) => true,
        _ => false,
    };
    if select.distinct.is_some() {
        return;
    }
    let mut columns = Vec::new();
    for mut key in std::mem::take(keys) {
        as_tuple(&mut key.expr);
        match key.expr {
            Expr::Tuple(row) if !row.is_empty() && !row.iter().any(is_of_list) => {
                let options = OrderByOptions { asc: key.options.asc, nulls_first: None };
                let of_column = |expr| OrderByExpr { expr, options, with_fill: None };
                columns.extend(row.into_iter().map(of_column));
            }
            _ => columns.push(key),
        }
    }
    *keys = columns;
}

/// `expression` by its columns, if it compares rows.
pub(super) fn compared(expression: Expr) -> Result<Expr> {
    match of_tuples(expression) {
        Expr::BinaryOp { left, op, right } if is_row(&left) && is_row(&right) => match (*left, *right) {
            (Expr::Tuple(left), Expr::Tuple(right)) => by_columns(left, &op, right),
            (left, right) => Ok(Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }),
        },
        Expr::InList { expr, list, negated } if is_row(&expr) && list.iter().all(is_row) => {
            let equal = list
                .into_iter()
                .map(|row| compared(binary(expr.as_ref().clone(), BinaryOperator::Eq, row)))
                .collect::<Result<Vec<Expr>>>()?;
            let any = joined(equal, &BinaryOperator::Or);
            Ok(if negated { not(any) } else { any })
        }
        Expr::IsNull(row) if is_row(&row) => Ok(all_of(*row, |column| Expr::IsNull(Box::new(column)))),
        Expr::IsNotNull(row) if is_row(&row) => Ok(all_of(*row, |column| Expr::IsNotNull(Box::new(column)))),
        other => Ok(other),
    }
}

/// The operands that are written `ROW (a, b)` as `(a, b)`.
fn of_tuples(mut expression: Expr) -> Expr {
    match &mut expression {
        Expr::BinaryOp { left, right, .. } => {
            as_tuple(left);
            as_tuple(right);
        }
        Expr::InList { expr, list, .. } => {
            as_tuple(expr);
            list.iter_mut().for_each(as_tuple);
        }
        Expr::IsNull(row) | Expr::IsNotNull(row) => as_tuple(row),
        _ => {}
    }
    expression
}

fn as_tuple(expression: &mut Expr) {
    if let Expr::Function(function) = &*expression
        && function_name(&function.name).is_some_and(|name| name == "row")
        && let Some(columns) = plain_arguments(function)
        && !columns.is_empty()
    {
        *expression = Expr::Tuple(columns);
    }
}

/// A row as a value.
pub(super) fn as_value(expression: &mut Expr) {
    if let Expr::Tuple(columns) = expression {
        *expression = call("row", std::mem::take(columns));
    }
}

fn is_row(expression: &Expr) -> bool {
    matches!(expression, Expr::Tuple(columns) if !columns.is_empty())
}

fn by_columns(left: Vec<Expr>, op: &BinaryOperator, right: Vec<Expr>) -> Result<Expr> {
    if *op == BinaryOperator::Overlaps {
        if left.len() != 2 || right.len() != 2 {
            let message = "wrong number of parameters on a side of OVERLAPS expression";
            return Err(SqlError::new("42601", message).at("OVERLAPS").into());
        }
        return Ok(call("overlaps", left.into_iter().chain(right).collect()));
    }
    if left.len() != right.len() {
        return Err(SqlError::new("42601", "unequal number of entries in row expressions").into());
    }
    let pairs = left.into_iter().zip(right);
    Ok(match op {
        BinaryOperator::Eq => {
            joined(pairs.map(|(left, right)| binary(left, op.clone(), right)).collect(), &BinaryOperator::And)
        }
        BinaryOperator::NotEq => {
            joined(pairs.map(|(left, right)| binary(left, op.clone(), right)).collect(), &BinaryOperator::Or)
        }
        BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
            let strict = match op {
                BinaryOperator::Lt | BinaryOperator::LtEq => BinaryOperator::Lt,
                _ => BinaryOperator::Gt,
            };
            // From the last column: less, or equal and the rest decides.
            let mut rest: Option<Expr> = None;
            for (left, right) in pairs.rev() {
                rest = Some(match rest {
                    None => binary(left, op.clone(), right),
                    Some(rest) => {
                        let less = binary(left.clone(), strict.clone(), right.clone());
                        let equal = binary(left, BinaryOperator::Eq, right);
                        let equal = nested(binary(equal, BinaryOperator::And, rest));
                        nested(binary(less, BinaryOperator::Or, equal))
                    }
                });
            }
            rest.unwrap_or_else(|| Expr::value(Value::Boolean(true)))
        }
        other => {
            return Err(SqlError::not_supported(format!("the operator {other} between rows is not supported"))
                .at(other.to_string())
                .into());
        }
    })
}

fn all_of(row: Expr, test: impl Fn(Expr) -> Expr) -> Expr {
    match row {
        Expr::Tuple(columns) => joined(columns.into_iter().map(test).collect(), &BinaryOperator::And),
        other => test(other),
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn nested(expression: Expr) -> Expr {
    Expr::Nested(Box::new(expression))
}

fn not(expression: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(expression)) }
}

fn joined(expressions: Vec<Expr>, op: &BinaryOperator) -> Expr {
    let all = expressions.into_iter().reduce(|left, right| binary(left, op.clone(), right));
    nested(all.unwrap_or_else(|| Expr::value(Value::Boolean(matches!(op, BinaryOperator::And)))))
}
