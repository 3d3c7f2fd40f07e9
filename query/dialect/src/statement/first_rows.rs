//! The first rows of a subquery that names columns of the query around it. The engine has joins for such subqueries, but none that stop
//! after some rows.
//!
//! | written | becomes |
//! |---|---|
//! | `(SELECT x FROM u WHERE c ORDER BY k LIMIT 1)` | `(SELECT (array_agg (x ORDER BY k))[1] FROM u WHERE c)` |
//! | `LATERAL (SELECT x FROM u WHERE u.a = t.a AND c ORDER BY k LIMIT n)` | `LATERAL (SELECT x FROM (SELECT x, u.a, row_number () OVER (PARTITION BY u.a ORDER BY k) AS n FROM u WHERE c) WHERE a = t.a AND n <= ..)` |
//!
//! The rows of one `t.a` are those with `u.a = t.a`, so they are numbered without it. What has another condition on `t` stays as it is.

use super::beside_tables::factors;
use super::cardinality::{has_window, is_of_several, returns_rows};
use super::level::each_part;
use super::names::{MARK, folded, name_items};
use super::row_functions::quoted;
use super::selects::{column_of, over};
use super::stars::constraint_of;
use super::subqueries::{has_each_row, whole_number};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, JoinConstraint, LimitClause, ObjectName, OrderByExpr,
    OrderByKind, Query, Select, SelectItem, SetExpr, Subscript, TableFactor, Value, Visit, Visitor, WindowSpec,
    WindowType,
};
use std::ops::ControlFlow;

/// The first row of a subquery as a value.
pub(super) fn as_value(expression: &mut Expr) {
    let Expr::Subquery(query) = expression else { return };
    let Some(Rows { skipped, most: 1 }) = rows_of(query) else { return };
    let keys = keys_of(query);
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if !has_each_row(select) || !select.named_window.is_empty() || !names_others(select) {
        return;
    }
    name_items(&mut select.projection, false);
    let [item] = select.projection.as_mut_slice() else { return };
    let Some((value, name)) = value_of(item) else { return };
    if returns_rows(&value) {
        return;
    }
    if is_of_several(&value) {
        // There is one row already.
        if skipped == 0 && !has_window(&value) {
            forget_limit(query);
        }
        return;
    }
    let Some(keys) = keys.map(|keys| in_order(keys, &[(value.clone(), name.clone())])) else { return };
    let Some(place) = u32::try_from(skipped).ok().and_then(|skipped| skipped.checked_add(1)) else { return };
    let all = Expr::Nested(Box::new(call("array_agg", vec![value], keys, None)));
    let subscript = Subscript::Index { index: number(u64::from(place)) };
    let first = Expr::CompoundFieldAccess { root: Box::new(all), access_chain: vec![AccessExpr::Subscript(subscript)] };
    *item = SelectItem::ExprWithAlias { expr: first, alias: name };
    forget_limit(query);
}

/// The first rows of a LATERAL subquery.
pub(super) fn as_rows(factor: &mut TableFactor) {
    let TableFactor::Derived { lateral: true, subquery: query, .. } = factor else { return };
    let Some(Rows { skipped, most }) = rows_of(query) else { return };
    let Some(keys) = keys_of(query) else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let GroupByExpr::Expressions(groups, _) = &select.group_by else { return };
    let is_grouped = !groups.is_empty();
    if select.distinct.is_some() || !select.named_window.is_empty() || !names_others(select) {
        return;
    }
    let own = tables_of(select);
    let Some((equal, others)) = select.selection.clone().and_then(|condition| divided(condition, &own)) else { return };
    let mut inner = select.as_ref().clone();
    name_items(&mut inner.projection, false);
    let Some(items) = inner.projection.iter().map(value_of).collect::<Option<Vec<_>>>() else { return };
    let is_of_several = |(value, _): &(Expr, Ident)| is_of_several(value);
    if equal.is_empty() || in_joins(select, &own) || (!is_grouped && items.iter().any(is_of_several)) {
        return;
    }
    if items.iter().any(|(value, _)| has_window(value) || returns_rows(value)) {
        return;
    }
    let keys = in_order(keys, &items);
    let values = items.iter().map(|(value, _)| value).chain(keys.iter().map(|key| &key.expr));
    if values.chain(groups).chain(&select.having).any(|value| names_other(value, &own)) {
        return;
    }
    let key = |place: usize| format!("key {place}{MARK}first");
    let number_name = format!("number{MARK}first");
    inner.selection = others;
    let parts: Vec<Expr> = equal.iter().map(|(own, _)| own.clone()).collect();
    if let GroupByExpr::Expressions(groups, _) = &mut inner.group_by
        && is_grouped
    {
        groups.extend(parts.iter().cloned());
    }
    inner.projection = items
        .iter()
        .map(|(value, name)| SelectItem::ExprWithAlias { expr: value.clone(), alias: name.clone() })
        .collect();
    for (place, part) in parts.iter().enumerate() {
        inner.projection.push(SelectItem::ExprWithAlias { expr: part.clone(), alias: quoted(&key(place)) });
    }
    let window = WindowSpec { window_name: None, partition_by: parts, order_by: keys, window_frame: None };
    let numbered = call("row_number", Vec::new(), Vec::new(), Some(WindowType::WindowSpec(window)));
    inner.projection.push(SelectItem::ExprWithAlias { expr: numbered, alias: quoted(&number_name) });

    let compared = |left: Expr, op, right: Expr| Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
    let and = |left: Expr, right: Expr| compared(left, BinaryOperator::And, right);
    let mut condition = compared(column_of(&number_name), BinaryOperator::LtEq, number(skipped.saturating_add(most)));
    if skipped > 0 {
        condition = and(condition, compared(column_of(&number_name), BinaryOperator::Gt, number(skipped)));
    }
    for (place, (_, other)) in equal.into_iter().enumerate() {
        condition = and(condition, compared(column_of(&key(place)), BinaryOperator::Eq, Expr::Nested(Box::new(other))));
    }
    let mut inner_query = query.as_ref().clone();
    forget_limit(&mut inner_query);
    *inner_query.body = SetExpr::Select(Box::new(inner));
    let mut outer = over(inner_query, SelectItem::UnnamedExpr(Expr::value(Value::Null)), &[]);
    if let SetExpr::Select(select) = outer.body.as_mut() {
        let item = |(_, name): &(Expr, Ident)| SelectItem::ExprWithAlias {
            expr: column_of(&folded(name)),
            alias: quoted(&folded(name)),
        };
        select.projection = items.iter().map(item).collect();
        select.selection = Some(condition);
    }
    **query = outer;
}

/// How many rows of a query are left out, and how many are shown.
struct Rows {
    skipped: u64,
    most: u64,
}

fn rows_of(query: &Query) -> Option<Rows> {
    if query.with.is_some() || !query.locks.is_empty() {
        return None;
    }
    let of_fetch = match &query.fetch {
        None => None,
        Some(fetch) if fetch.with_ties || fetch.percent => return None,
        Some(fetch) => Some(fetch.quantity.as_ref().map_or(Some(1), whole_number)?),
    };
    let (limit, skipped) = match &query.limit_clause {
        None => (None, 0),
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            let limit = match limit {
                Some(limit) => Some(whole_number(limit)?),
                None => None,
            };
            (limit, offset.as_ref().map_or(Some(0), |offset| whole_number(&offset.value))?)
        }
        Some(_) => return None,
    };
    match (limit, of_fetch) {
        (Some(most), None) | (None, Some(most)) => Some(Rows { skipped, most }),
        _ => None,
    }
}

fn forget_limit(query: &mut Query) {
    query.limit_clause = None;
    query.fetch = None;
    query.order_by = None;
}

/// The keys of ORDER BY. `None` for what is no list of them.
fn keys_of(query: &Query) -> Option<Vec<OrderByExpr>> {
    match query.order_by.as_ref().map(|order| &order.kind) {
        None => Some(Vec::new()),
        Some(OrderByKind::Expressions(keys)) => Some(keys.clone()),
        Some(OrderByKind::All(_)) => None,
    }
}

/// The keys with the values that positions and names of the list stand for.
fn in_order(mut keys: Vec<OrderByExpr>, items: &[(Expr, Ident)]) -> Vec<OrderByExpr> {
    for key in &mut keys {
        let item = match &key.expr {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => {
                    digits.parse::<usize>().ok().and_then(|place| items.get(place.checked_sub(1)?))
                }
                _ => None,
            },
            Expr::Identifier(name) => items.iter().find(|(_, known)| folded(known) == folded(name)),
            _ => None,
        };
        if let Some((value, _)) = item {
            key.expr = value.clone();
        }
    }
    keys
}

/// The value of an item of a list, and its name.
fn value_of(item: &SelectItem) -> Option<(Expr, Ident)> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((expr.clone(), alias.clone())),
        SelectItem::UnnamedExpr(expr @ Expr::Identifier(name)) => Some((expr.clone(), name.clone())),
        SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(parts)) => Some((expr.clone(), parts.last()?.clone())),
        _ => None,
    }
}

/// The names of the tables of a SELECT.
fn tables_of(select: &Select) -> Vec<String> {
    let all = select.from.iter().flat_map(factors);
    all.filter_map(|factor| match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. } => Some(folded(&alias.name)),
        TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => name.0.last()?.as_ident().map(folded),
        _ => None,
    })
    .collect()
}

/// Whether a SELECT names a column of a table that it does not have.
fn names_others(select: &Select) -> bool {
    let own = tables_of(select);
    let of_list = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => names_other(expr, &own),
        _ => false,
    });
    of_list || select.selection.as_ref().is_some_and(|condition| names_other(condition, &own)) || in_joins(select, &own)
}

fn in_joins(select: &Select, own: &[String]) -> bool {
    let joins = select.from.iter().flat_map(|table| &table.joins);
    joins.into_iter().any(|join| matches!(constraint_of(join), Some(JoinConstraint::On(on)) if names_other(on, own)))
}

/// Whether an expression names a column with a table that is not among these.
fn names_other(expression: &Expr, own: &[String]) -> bool {
    struct Others<'o>(&'o [String]);
    impl Visitor for Others<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::CompoundIdentifier(parts) => match parts.iter().rev().nth(1) {
                    Some(table) if !self.0.contains(&folded(table)) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(expression, &mut Others(own)).is_break()
}

/// Whether every column of an expression is one of another table than these, and there is one.
fn is_of_others(expression: &Expr, own: &[String]) -> bool {
    let mut found = false;
    let all = each_part(&mut expression.clone(), |part| match part {
        Expr::Identifier(_) | Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => Err(()),
        Expr::CompoundIdentifier(parts) => match parts.iter().rev().nth(1) {
            Some(table) if !own.contains(&folded(table)) => {
                found = true;
                Ok(())
            }
            _ => Err(()),
        },
        _ => Ok(()),
    });
    all.is_ok() && found
}

type Divided = (Vec<(Expr, Expr)>, Option<Expr>);

/// The equations of an own value with one of other tables, and the rest of a condition. `None` if the rest names other tables.
fn divided(condition: Expr, own: &[String]) -> Option<Divided> {
    match condition {
        Expr::Nested(inner) => divided(*inner, own),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let (mut equal, one) = divided(*left, own)?;
            let (more, other) = divided(*right, own)?;
            equal.extend(more);
            let rest = match (one, other) {
                (Some(left), Some(right)) => {
                    Some(Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) })
                }
                (one, other) => one.or(other),
            };
            Some((equal, rest))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if !names_other(&left, own) && is_of_others(&right, own) =>
        {
            Some((vec![(*left, *right)], None))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if !names_other(&right, own) && is_of_others(&left, own) =>
        {
            Some((vec![(*right, *left)], None))
        }
        other if names_other(&other, own) => None,
        other => Some((Vec::new(), Some(other))),
    }
}

fn number(value: u64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

fn call(name: &str, arguments: Vec<Expr>, keys: Vec<OrderByExpr>, over: Option<WindowType>) -> Expr {
    let clauses = if keys.is_empty() { Vec::new() } else { vec![FunctionArgumentClause::OrderBy(keys)] };
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }),
        filter: None,
        null_treatment: None,
        over,
        within_group: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows};

    #[test]
    fn rows_that_nobody_can_count_are_an_error() {
        let context = context();
        for offset in ["4294967295", "9223372036854775807", "18446744073709551615"] {
            let value =
                format!("SELECT u.y FROM (VALUES (1)) u (y) WHERE u.y = t.x ORDER BY 1 OFFSET {offset} LIMIT 1");
            assert!(rows(&context, &format!("SELECT ({value}) FROM (VALUES (1)) t (x)")).is_err(), "{offset}");
        }
        let other = "SELECT abs(u.y - t.x) AS d FROM (VALUES (1)) u (y) WHERE u.y = t.x ORDER BY u.y - t.x LIMIT 1";
        assert!(rows(&context, &format!("SELECT d FROM (VALUES (1)) t (x), LATERAL ({other}) l")).is_err());
    }
}
