//! WITH RECURSIVE: the types of the first rows are those of all rows.
//!
//! | written in the first rows | becomes |
//! |---|---|
//! | a value that may be a numeric | `to_open_numeric (x)`, see [`crate::unconstrained`] |
//! | NULL | `NULL::text`, as in PostgreSQL |

use super::calls::{call, function_name};
use super::names::{folded, name_items};
use super::row_functions::columns_of;
use super::values::cast_to;
use crate::SqlError;
use crate::unconstrained::OPEN;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    Cte, DataType, ExactNumberInfo, Expr, Ident, LimitClause, ObjectName, Query, SelectItem, SetExpr, SetOperator,
    Value, visit_expressions, visit_relations,
};
use std::ops::ControlFlow;

/// Gives the first rows of recursive queries their types.
pub(super) fn typed(query: &mut Query) -> Result<()> {
    match &mut query.with {
        Some(with) if with.recursive => with.cte_tables.iter_mut().try_for_each(of_table),
        _ => Ok(()),
    }
}

fn of_table(table: &mut Cte) -> Result<()> {
    let name = folded(&table.alias.name);
    let SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } = table.query.body.as_mut() else {
        return Ok(());
    };
    if !refers_to(right, &name) {
        return Ok(());
    }
    let has_offset = matches!(&table.query.limit_clause, Some(LimitClause::LimitOffset { offset: Some(_), .. }));
    let clause = match &table.query.limit_clause {
        _ if table.query.order_by.is_some() => Some("ORDER BY"),
        _ if has_offset => Some("OFFSET"),
        Some(_) => Some("LIMIT"),
        None => table.query.fetch.is_some().then_some("LIMIT"),
    };
    if let Some(clause) = clause {
        return Err(SqlError::new("0A000", format!("{clause} in a recursive query is not implemented"))
            .at(clause)
            .into());
    }
    of_first_rows(left);
    Ok(())
}

fn refers_to(body: &SetExpr, name: &str) -> bool {
    let is_name = |relation: &ObjectName| match relation.0.as_slice() {
        [part] => part.as_ident().is_some_and(|part| folded(part) == name),
        _ => false,
    };
    let found = visit_relations(body, |relation| match is_name(relation) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn of_first_rows(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            name_items(&mut select.projection, false);
            select.projection.iter_mut().for_each(of_item);
        }
        SetExpr::Query(query) => of_first_rows(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            of_first_rows(left);
            of_first_rows(right);
        }
        SetExpr::Values(values) => values.rows.iter_mut().flat_map(|row| row.content.iter_mut()).for_each(of_value),
        _ => {}
    }
}

fn of_item(item: &mut SelectItem) {
    match item {
        SelectItem::ExprWithAlias { expr, .. } => of_value(expr),
        SelectItem::UnnamedExpr(expression) => {
            let name = match &*expression {
                Expr::Identifier(name) => name.clone(),
                Expr::CompoundIdentifier(parts) => match parts.last() {
                    Some(name) => name.clone(),
                    None => return,
                },
                _ => return,
            };
            let mut expr = std::mem::replace(expression, Expr::value(Value::Null));
            of_value(&mut expr);
            let alias = Ident::with_quote('"', folded(&name));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
        _ => {}
    }
}

fn of_value(value: &mut Expr) {
    if matches!(value, Expr::Value(constant) if constant.value == Value::Null) {
        cast_to(value, DataType::Text);
    } else if may_be_open(value) {
        let given = std::mem::replace(value, Expr::value(Value::Null));
        *value = call(OPEN, vec![given]);
    }
}

/// Whether it may be a numeric whose scale nothing determines.
fn may_be_open(value: &Expr) -> bool {
    match value {
        Expr::Value(constant) => {
            matches!(&constant.value, Value::Number(digits, _) if digits.contains(['.', 'e', 'E']))
        }
        Expr::Cast {
            data_type: DataType::Numeric(digits) | DataType::Decimal(digits) | DataType::Dec(digits), ..
        } => *digits == ExactNumberInfo::None,
        Expr::Nested(inner) => may_be_open(inner),
        Expr::Cast { .. }
        | Expr::TypedString(_)
        | Expr::Interval(_)
        | Expr::Array(_)
        | Expr::Tuple(_)
        | Expr::Exists { .. } => false,
        other => !has_rows(other),
    }
}

/// Whether it calls a function that returns rows.
fn has_rows(expression: &Expr) -> bool {
    let returns_rows = |name: &ObjectName| {
        function_name(name).is_some_and(|name| {
            columns_of(&name).is_some() || matches!(name.as_str(), "generate_series" | "generate_subscripts")
        })
    };
    let found = visit_expressions(expression, |part| match part {
        Expr::Function(function) if returns_rows(&function.name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("recursive.tsv"));
    }
}
