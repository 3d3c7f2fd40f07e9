//! The place that a row would have among others: `rank(value) WITHIN GROUP (ORDER BY key)`, and so `dense_rank`, `percent_rank`
//! and `cume_dist` (PostgreSQL 17, section 9.21, table 9.64). Rows that come before it are counted:
//!
//! ```text
//! rank          1 + count(*) FILTER (WHERE key is before value)
//! dense_rank    1 + count(DISTINCT key) FILTER (WHERE key is before value), and 1 if NULL is before it
//! percent_rank  rows before it / rows
//! cume_dist     (rows that are not behind it + 1) / (rows + 1)
//! ```

use super::calls::call;
use super::constants;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, OrderByExpr, Value,
};

/// Whether `function` of this name asks for the place of a row that is not there.
pub(super) fn is_asked(name: &str, function: &Function) -> bool {
    matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist") && !function.within_group.is_empty()
}

/// The counts that `function` is made of.
pub(super) fn counted(name: &str, function: Function) -> Result<Expr> {
    let Function { args, filter, within_group: keys, .. } = function;
    let values = match args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => list.args,
        _ => Vec::new(),
    };
    let values: Vec<Expr> = values
        .into_iter()
        .filter_map(|value| match value {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
            _ => None,
        })
        .collect();
    if values.len() != keys.len() {
        let hint = format!(
            "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {}) must match the number \
             of ordering columns (here {}).",
            values.len(),
            keys.len()
        );
        return Err(SqlError::new("42883", format!("function {name}(...) does not exist"))
            .at(name)
            .with_hint(hint)
            .into());
    }
    if name == "dense_rank" && keys.len() > 1 {
        return Err(SqlError::not_supported("dense_rank(...) WITHIN GROUP of several keys is not supported")
            .at(name)
            .into());
    }
    let filter = filter.map(|filter| *filter);
    let before = before(&keys, &values);
    let rows = |condition: Option<Expr>| counted_rows(None, [filter.clone(), condition]);
    let one = || constants::number("1");
    Ok(match name {
        "rank" => nested(one()?, BinaryOperator::Plus, rows(Some(before))),
        "dense_rank" => {
            let key = keys[0].expr.clone();
            let null_before = nested(Expr::IsNull(Box::new(key.clone())), BinaryOperator::And, before.clone());
            let of_null = call("least", vec![one()?, rows(Some(null_before))]);
            let different = counted_rows(Some(key), [filter.clone(), Some(before)]);
            nested(nested(one()?, BinaryOperator::Plus, different), BinaryOperator::Plus, of_null)
        }
        "percent_rank" => {
            let zero = || constants::number("0");
            let of_any = float(call("nullif", vec![rows(None), zero()?]));
            let share = nested(float(rows(Some(before))), BinaryOperator::Divide, of_any);
            call("coalesce", vec![share, float(zero()?)])
        }
        _ => {
            let not_behind = nested(before, BinaryOperator::Or, same(&keys, &values));
            let (not_behind, all) = (rows(Some(not_behind)), rows(None));
            let and_itself = |rows, itself| float(nested(rows, BinaryOperator::Plus, itself));
            nested(and_itself(not_behind, one()?), BinaryOperator::Divide, and_itself(all, one()?))
        }
    })
}

/// Whether the row of `keys` comes before that of `values`: by the first key, or by the others if the first is the same.
fn before(keys: &[OrderByExpr], values: &[Expr]) -> Expr {
    let ([key, keys @ ..], [value, values @ ..]) = (keys, values) else { return Expr::value(Value::Boolean(false)) };
    let first = before_by(key, value);
    if keys.is_empty() {
        return first;
    }
    let others = nested(is_same(&key.expr, value), BinaryOperator::And, before(keys, values));
    nested(first, BinaryOperator::Or, others)
}

/// Whether the value of one key comes before `value`, never NULL.
fn before_by(key: &OrderByExpr, value: &Expr) -> Expr {
    let is_descending = key.options.asc == Some(false);
    let nulls_first = key.options.nulls_first.unwrap_or(is_descending);
    let compared = if is_descending { BinaryOperator::Gt } else { BinaryOperator::Lt };
    let is_null = |expression: &Expr| Expr::IsNull(Box::new(expression.clone()));
    let is_not_null = |expression: &Expr| Expr::IsNotNull(Box::new(expression.clone()));
    let among_values =
        call("coalesce", vec![nested(key.expr.clone(), compared, value.clone()), Expr::value(Value::Boolean(false))]);
    let (null, other) = if nulls_first { (&key.expr, value) } else { (value, &key.expr) };
    let by_null = nested(is_null(null), BinaryOperator::And, is_not_null(other));
    nested(among_values, BinaryOperator::Or, by_null)
}

fn same(keys: &[OrderByExpr], values: &[Expr]) -> Expr {
    keys.iter()
        .zip(values)
        .map(|(key, value)| is_same(&key.expr, value))
        .reduce(|all, next| nested(all, BinaryOperator::And, next))
        .unwrap_or_else(|| Expr::value(Value::Boolean(true)))
}

fn is_same(key: &Expr, value: &Expr) -> Expr {
    nested(key.clone(), BinaryOperator::Spaceship, value.clone())
}

/// `count(*)`, or `count(DISTINCT value)`, of the rows that fulfil the conditions.
fn counted_rows(distinct: Option<Expr>, conditions: [Option<Expr>; 2]) -> Expr {
    let Expr::Function(mut count) = call("count", Vec::new()) else { unreachable!("a call is a function") };
    let (duplicate_treatment, argument) = match distinct {
        Some(value) => (Some(DuplicateTreatment::Distinct), FunctionArgExpr::Expr(value)),
        None => (None, FunctionArgExpr::Wildcard),
    };
    let args = vec![FunctionArg::Unnamed(argument)];
    count.args = FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses: Vec::new() });
    count.filter =
        conditions.into_iter().flatten().reduce(|all, next| nested(all, BinaryOperator::And, next)).map(Box::new);
    Expr::Function(count)
}

fn nested(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::Nested(Box::new(Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }))
}

fn float(value: Expr) -> Expr {
    let data_type = DataType::DoublePrecision;
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(value), data_type, array: false, format: None }
}
