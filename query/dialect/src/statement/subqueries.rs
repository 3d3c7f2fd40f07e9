//! EXISTS and IN in a list of columns, where the engine has no joins for them.
//!
//! | written | becomes |
//! |---|---|
//! | `EXISTS (SELECT ... FROM t WHERE c)` | `(SELECT count(*) > 0 FROM t WHERE c)` |
//! | `x IN (q)` | `x = ANY (the array of q's values)`; false if `q` has no rows |
//! | `x NOT IN (q)` | NOT of that |
//! | `(SELECT x)` | `x` |
//! | `WHERE (x, y) IN (q)` | `WHERE EXISTS (SELECT FROM (q) r (a, b) WHERE a = x AND b = y)`, which is true for the same rows |
//!
//! In WHERE the others stay what they are: there the engine joins. Other comparisons with ANY and ALL of a query are such ones of an array
//! everywhere.

use super::calls::call;
use super::cardinality::is_of_one_row;
use super::level::each_part;
use super::names::has_columns;
use super::rows;
use super::selects::{column_of, over};
use crate::SqlError;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    GroupByExpr, Ident, LimitClause, ObjectName, Query, Select, SelectItem, SetExpr, UnaryOperator, Value, Visit,
    Visitor,
};
use std::ops::ControlFlow;

/// Rewrites the columns of a SELECT, whose parts are rewritten already.
pub(super) fn as_values(select: &mut Select) -> Result<(), SqlError> {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            rows::as_value(expression);
            each_part(expression, |part| {
                let written = std::mem::replace(part, Expr::value(Value::Null));
                *part = value(written)?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Rewrites the comparisons of rows with those of a query that all rows of a SELECT must pass. Elsewhere NULL and false would
/// differ.
pub(super) fn rows_as_joins(select: &mut Select) {
    if let Some(condition) = &mut select.selection {
        rows_in_query(condition);
    }
}

fn rows_in_query(condition: &mut Expr) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            rows_in_query(left);
            rows_in_query(right);
        }
        Expr::Nested(inner) => rows_in_query(inner),
        Expr::InSubquery { expr, subquery, negated: false } => {
            let Expr::Tuple(row) = expr.as_mut() else { return };
            let names: Vec<String> = (1..=row.len()).map(|place| format!("column {place}")).collect();
            let equal = names.iter().zip(std::mem::take(row)).map(|(name, value)| Expr::BinaryOp {
                left: Box::new(column_of(name)),
                op: BinaryOperator::Eq,
                right: Box::new(Expr::Nested(Box::new(value))),
            });
            let equal = equal.reduce(|all, one| Expr::BinaryOp {
                left: Box::new(all),
                op: BinaryOperator::And,
                right: Box::new(one),
            });
            let one = SelectItem::UnnamedExpr(Expr::value(Value::Number("1".to_owned(), false)));
            let mut rows = over(subquery.as_ref().clone(), one, &names);
            if let SetExpr::Select(select) = rows.body.as_mut() {
                select.selection = equal;
            }
            *condition = Expr::Exists { subquery: Box::new(rows), negated: false };
        }
        _ => {}
    }
}

/// `(SELECT x)` of columns outside and without tables is `x`. One with calls stays, because they may be aggregates.
pub(super) fn without_tables(expression: &mut Expr) {
    let Expr::Subquery(query) = &*expression else { return };
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] = select.projection.as_slice()
    else {
        return;
    };
    let is_alone = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && select.from.is_empty()
        && select.selection.is_none()
        && has_each_row(select);
    if is_alone && has_columns(item) && Visit::visit(item, &mut Simple).is_continue() {
        *expression = Expr::Nested(Box::new(item.clone()));
    }
}

/// Stops at calls and queries.
struct Simple;

impl Visitor for Simple {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if matches!(expression, Expr::Function(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn value(written: Expr) -> Result<Expr, SqlError> {
    match written {
        Expr::Exists { subquery, negated } => Ok(not_if(negated, exists(*subquery))),
        other => value_of_in(other),
    }
}

/// `x IN (q)` as a value, which may be NULL. What is none is itself.
pub(super) fn value_of_in(written: Expr) -> Result<Expr, SqlError> {
    Ok(match written {
        Expr::InSubquery { expr, subquery, negated } if !matches!(*expr, Expr::Tuple(_)) => {
            not_if(negated, compared("any_eq", *expr, *subquery, false)?)
        }
        other => other,
    })
}

/// The subquery that an expression is, or the expression.
pub(super) fn subquery(expression: Box<Expr>) -> Result<Box<Query>, Box<Expr>> {
    match *expression {
        Expr::Subquery(query) => Ok(query),
        Expr::Nested(inner) => subquery(inner),
        other => Err(Box::new(other)),
    }
}

pub(super) fn not_if(negated: bool, value: Expr) -> Expr {
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(value) } } else { value }
}

/// Whether a query has rows.
pub(super) fn exists(mut query: Query) -> Expr {
    query.order_by = None;
    if is_some_limit(query.limit_clause.as_ref()) {
        query.limit_clause = None;
    }
    let has_more_than = |rows: u64| {
        let has_rows = Expr::BinaryOp {
            left: Box::new(count()),
            op: BinaryOperator::Gt,
            right: Box::new(Expr::value(Value::Number(rows.to_string(), false))),
        };
        SelectItem::ExprWithAlias { expr: has_rows, alias: Ident::new("exists") }
    };
    let skipped = rows_skipped(query.limit_clause.as_ref()).filter(|_| query.with.is_none());
    match (query.body.as_mut(), skipped) {
        (SetExpr::Select(select), Some(skipped)) if has_a_row_for_each(select) => {
            select.projection = vec![has_more_than(skipped)];
            query.limit_clause = None;
        }
        _ => query = over(query, has_more_than(0), &[]),
    }
    Expr::Subquery(Box::new(query))
}

/// A constant whole number that is not negative.
pub(super) fn whole_number(constant: &Expr) -> Option<u64> {
    match constant {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// How many rows a limit leaves out before it shows some. `None` for what shows none, or is not known.
pub(super) fn rows_skipped(limit: Option<&LimitClause>) -> Option<u64> {
    match limit {
        None => Some(0),
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
            if let Some(limit) = limit {
                whole_number(limit).filter(|most| *most > 0)?;
            }
            offset.as_ref().map_or(Some(0), |offset| whole_number(&offset.value))
        }
        Some(_) => None,
    }
}

/// Whether a SELECT has a row for each row of its tables and condition.
fn has_a_row_for_each(select: &Select) -> bool {
    // A function may be an aggregate, or return rows.
    let is_simple = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
            is_constant_or_column(expression)
        }
        _ => true,
    };
    has_each_row(select) && select.projection.iter().all(is_simple)
}

/// The same, unless its list makes one row of several or several of one.
pub(super) fn has_each_row(select: &Select) -> bool {
    let is_ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    is_ungrouped && select.distinct.is_none() && select.having.is_none() && select.qualify.is_none()
}

fn is_constant_or_column(expression: &Expr) -> bool {
    match expression {
        Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_constant_or_column(expr),
        _ => false,
    }
}

/// Whether it is a limit of one row or more, which does not matter to EXISTS.
pub(super) fn is_some_limit(limit: Option<&LimitClause>) -> bool {
    let Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by }) = limit else { return false };
    limit_by.is_empty()
        && matches!(limit, Expr::Value(value)
            if matches!(&value.value, Value::Number(digits, _) if digits.parse::<u64>().is_ok_and(|rows| rows > 0)))
}

/// A comparison of `value` with the values of a query, by the function of an array. It is NULL as that of an array is; without rows it is
/// `without_rows`.
pub(super) fn compared(function: &str, value: Expr, query: Query, without_rows: bool) -> Result<Expr, SqlError> {
    const NAME: &str = "value";
    if let SetExpr::Select(select) = query.body.as_ref()
        && select.projection.len() > 1
    {
        return Err(SqlError::new("42601", "subquery has too many columns"));
    }
    let collected = |value| {
        let expr = call("array_agg", vec![value]);
        SelectItem::ExprWithAlias { expr, alias: Ident::new("array_agg") }
    };
    let mut query = query;
    match value_of_each_row(&query) {
        Some(value) => {
            query.order_by = None;
            if let SetExpr::Select(select) = query.body.as_mut() {
                select.projection = vec![collected(value)];
            }
        }
        None => query = over(query, collected(column_of(NAME)), &[NAME.to_owned()]),
    }
    let all = Expr::Subquery(Box::new(query));
    let compared = call(function, vec![value, all.clone()]);
    let without_rows = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition: Expr::IsNull(Box::new(all)),
            result: Expr::value(Value::Boolean(without_rows)),
        }],
        else_result: None,
    };
    Ok(call("coalesce", vec![compared, without_rows]))
}

/// The value of a query's list, if it has one for each row of its tables and condition. Then the query may name columns around it.
fn value_of_each_row(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_plain = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }]
            if is_plain && has_each_row(select) && is_of_one_row(value) =>
        {
            Some(value.clone())
        }
        _ => None,
    }
}

fn count() -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("count")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
