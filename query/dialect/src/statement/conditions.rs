//! IN and EXISTS in conditions. The engine makes joins of them, which know no NULL and no limit.
//!
//! | written | becomes |
//! |---|---|
//! | `WHERE x IN (q) AND ..`, `WHERE x NOT IN (q)`, `WHERE a OR x IN (q)` | themselves: NULL is as false there |
//! | `WHERE NOT (x IN (q))` | `WHERE x NOT IN (q)` |
//! | `WHERE a OR x NOT IN (q)`, `WHERE (x IN (q)) IS NULL` | the value of the comparison, see [`super::subqueries`] |
//! | `EXISTS (SELECT count (*) ..)` | true: there is one row |
//! | `EXISTS (SELECT .. HAVING c)` of no groups | `coalesce ((SELECT c ..), false)` |
//! | `EXISTS (.. OFFSET 1)` | `(SELECT count (*) > 1 ..)` |

use super::calls::call;
use super::cardinality::is_aggregate;
use super::level::each_part;
use super::subqueries::{exists, is_some_limit, not_if, rows_skipped, value_of_in};
use crate::SqlError;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, UnaryOperator, Value,
};

/// Rewrites WHERE and HAVING, whose parts are rewritten already.
pub(super) fn rewritten(select: &mut Select) -> Result<(), SqlError> {
    for condition in [select.selection.as_mut(), select.having.as_mut()].into_iter().flatten() {
        in_place(condition, Place::Conjunct)?;
        each_part(condition, |part| {
            if let Expr::Exists { subquery, negated } = part
                && let Some(value) = of_rows(subquery)
            {
                *part = not_if(*negated, value);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Where an IN stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// All rows must pass it.
    Conjunct,
    /// A row passes if another condition is true.
    Disjunct,
}

fn in_place(condition: &mut Expr, place: Place) -> Result<(), SqlError> {
    match condition {
        Expr::Nested(inner) => in_place(inner, place),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            in_place(left, place)?;
            in_place(right, place)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            in_place(left, Place::Disjunct)?;
            in_place(right, Place::Disjunct)
        }
        Expr::InSubquery { negated, .. } if place == Place::Conjunct || !*negated => Ok(()),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match negated(expr) {
            Some(opposite) => {
                *condition = opposite;
                in_place(condition, place)
            }
            None => as_values(condition),
        },
        other => as_values(other),
    }
}

/// The opposite of an IN.
fn negated(condition: &Expr) -> Option<Expr> {
    match condition {
        Expr::Nested(inner) => negated(inner),
        Expr::InSubquery { expr, subquery, negated } if !matches!(expr.as_ref(), Expr::Tuple(_)) => {
            Some(Expr::InSubquery { expr: expr.clone(), subquery: subquery.clone(), negated: !negated })
        }
        _ => None,
    }
}

fn as_values(condition: &mut Expr) -> Result<(), SqlError> {
    each_part(condition, |part| {
        if matches!(part, Expr::InSubquery { .. }) {
            let written = std::mem::replace(part, Expr::value(Value::Null));
            *part = value_of_in(written)?;
        }
        Ok(())
    })
}

/// Whether a query has rows, if a join would not tell.
fn of_rows(query: &Query) -> Option<Expr> {
    let has_limit = query.limit_clause.is_some() && !is_some_limit(query.limit_clause.as_ref());
    let SetExpr::Select(select) = query.body.as_ref() else {
        return has_limit.then(|| exists(query.clone()));
    };
    if !has_one_row(select) {
        return has_limit.then(|| exists(query.clone()));
    }
    let truth = |value| Expr::value(Value::Boolean(value));
    if has_limit {
        return Some(truth(rows_skipped(query.limit_clause.as_ref()) == Some(0)));
    }
    let Some(having) = &select.having else { return Some(truth(true)) };
    let mut of_condition = query.clone();
    of_condition.order_by = None;
    of_condition.limit_clause = None;
    if let SetExpr::Select(select) = of_condition.body.as_mut() {
        let item = SelectItem::ExprWithAlias { expr: having.clone(), alias: Ident::new("exists") };
        select.projection = vec![item];
        select.having = None;
    }
    Some(call("coalesce", vec![Expr::Subquery(Box::new(of_condition)), truth(false)]))
}

/// Whether a SELECT makes one row of all rows, which HAVING may leave out.
fn has_one_row(select: &Select) -> bool {
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_made_of_all = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => is_aggregate(value),
        _ => false,
    };
    is_ungrouped && (select.having.is_some() || select.projection.iter().any(is_made_of_all))
}
