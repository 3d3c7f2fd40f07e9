//! The rows and columns of VALUES.
//!
//! - Rows with subqueries are SELECTs in a UNION ALL, since the engine's VALUES take none.
//! - Texts of a column are all `character varying` or none is, as the first that is no constant is: the engine takes columns of one kind
//!   only.
//! - A constant text beside values of another type is one of that type, since the engine has no common type of both.
//! - The engine casts rows to a type that they have in common, which is not always PostgreSQL's ([`OfParts`]). A cast that is
//!   written is written twice, so that it is not taken for one of the engine's.
//!
//! [`OfParts`]: crate::common_types::OfParts

use super::calls::function_name;
use super::selects::all_of;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Ident, ObjectName, Query, SelectItem, SetExpr, SetOperator, SetQuantifier, Value, Visit,
    Visitor,
};
use std::ops::ControlFlow;

/// Rows with subqueries that become SELECTs at most: each is one more operator in a chain of them.
const MOST_SELECTS: usize = 100;

/// Makes SELECTs of VALUES if one of the rows has a subquery.
pub(super) fn rows_with_subqueries(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) if values.rows.len() <= MOST_SELECTS && has_subquery(values) => {
            let selects = std::mem::take(&mut values.rows).into_iter().map(|row| {
                let mut select = all_of(ObjectName::from(Vec::new()));
                select.from = Vec::new();
                let items = row.content.into_iter().enumerate();
                select.projection = items
                    .map(|(place, expr)| SelectItem::ExprWithAlias {
                        expr,
                        alias: Ident::new(format!("column{}", place + 1)),
                    })
                    .collect();
                SetExpr::Select(Box::new(select))
            });
            let all = selects.reduce(|above, below| SetExpr::SetOperation {
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                left: Box::new(above),
                right: Box::new(below),
            });
            if let Some(all) = all {
                *body = all;
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            rows_with_subqueries(left);
            rows_with_subqueries(right);
        }
        _ => {}
    }
}

fn has_subquery(part: &impl Visit) -> bool {
    struct Queries;
    impl Visitor for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    part.visit(&mut Queries).is_break()
}

/// Makes texts of one kind where casts to `character varying` do not stand in every row, and writes other casts twice.
pub(super) fn casts_of_rows(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => {
            for column in 0..values.rows.first().map_or(0, |row| row.len()) {
                let of_column = || values.rows.iter().filter_map(|row| row.get(column));
                if of_column().all(is_varchar) || !of_column().any(is_varchar) {
                    continue;
                }
                let are_varchars = of_column().find(|value| !is_constant(value)).is_some_and(is_varchar);
                let of_column = values.rows.iter_mut().filter_map(|row| row.get_mut(column));
                of_column.for_each(if are_varchars { as_varchar } else { as_text });
            }
            for column in 0..values.rows.first().map_or(0, |row| row.len()) {
                let mut types = values.rows.iter().filter_map(|row| row.get(column)).filter_map(type_of);
                if let Some(first) = types.next()
                    && types.all(|other| other == first)
                {
                    let of_column = values.rows.iter_mut().filter_map(|row| row.get_mut(column));
                    of_column.for_each(|value| text_as(value, &first));
                }
            }
            values.rows.iter_mut().flat_map(|row| row.iter_mut()).for_each(twice);
        }
        SetExpr::SetOperation { left, right, .. } => {
            casts_of_rows(left);
            casts_of_rows(right);
        }
        _ => {}
    }
}

fn twice(expression: &mut Expr) {
    let written = match expression {
        Expr::Nested(inner) => return twice(inner),
        Expr::Cast { data_type, .. } => data_type.clone(),
        _ => return,
    };
    if matches!(written, DataType::Timestamp(..) | DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_)) {
        cast_to(expression, written);
    }
}

/// Puts a cast around an expression.
pub(super) fn cast_to(expression: &mut Expr, data_type: DataType) {
    let value = std::mem::replace(expression, Expr::value(Value::Null));
    *expression =
        Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(value), data_type, array: false, format: None };
}

fn is_cut(expression: &Expr) -> bool {
    matches!(expression, Expr::Function(function)
        if function_name(&function.name).is_some_and(|name| name == "to_varchar_type"))
}

/// The type of a value that is written with it, if the engine has no common type of it and of text.
fn type_of(expression: &Expr) -> Option<DataType> {
    match expression {
        Expr::Nested(inner) => type_of(inner),
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => Some(DataType::Boolean),
        Expr::Cast { data_type, .. } => match data_type {
            DataType::Boolean
            | DataType::Date
            | DataType::Timestamp(..)
            | DataType::Time(..)
            | DataType::Interval { .. }
            | DataType::Array(_) => Some(data_type.clone()),
            _ => None,
        },
        Expr::Function(function) if function_name(&function.name)? == "interval_literal" => {
            Some(DataType::Interval { fields: None, precision: None })
        }
        _ => None,
    }
}

fn text_as(expression: &mut Expr, data_type: &DataType) {
    let is_text = matches!(expression, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
    if is_text {
        cast_to(expression, data_type.clone());
    }
}

fn is_varchar(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_varchar(inner),
        Expr::Cast { data_type: DataType::Varchar(None), .. } => true,
        other => is_cut(other),
    }
}

/// Whether it is a constant without a type.
fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::Nested(inner) => is_constant(inner),
        Expr::Value(value) => {
            matches!(value.value, Value::SingleQuotedString(_) | Value::Null | Value::Placeholder(_))
        }
        _ => false,
    }
}

fn as_varchar(expression: &mut Expr) {
    if !is_varchar(expression) {
        cast_to(expression, DataType::Varchar(None));
    }
}

fn as_text(expression: &mut Expr) {
    if is_cut(expression)
        && let Expr::Function(function) = expression
    {
        function.name = ObjectName::from(vec![Ident::new("left")]);
        return;
    }
    match expression {
        Expr::Nested(inner) => as_text(inner),
        Expr::Cast { data_type: data_type @ DataType::Varchar(None), .. } => *data_type = DataType::Text,
        _ => {}
    }
}
