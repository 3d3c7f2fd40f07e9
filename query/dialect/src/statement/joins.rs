//! `JOIN .. USING` and NATURAL joins of the right and of both sides: the merged column is that of the right side, or of the side that has a
//! row (PostgreSQL 15, 7.2.1.1). The engine's is always that of the left side.
//!
//! | written | becomes |
//! |---|---|
//! | `a RIGHT JOIN b USING (x)` | `b LEFT JOIN a USING (x)`; a `*`, which would show that, is written out before |
//! | `a FULL JOIN b USING (x)` | `a FULL JOIN b ON a.x = b.x`; `x` is `coalesce (a.x, b.x)` |
//! | several joins, one of them such a one | all of them with ON |

use super::level::each_part;
use super::names::folded;
use super::stars::{self, Part};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, OrderBy, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableWithJoins,
};

/// Writes the columns out that a join of both sides merges, and those that several joins merge. Nothing of the query is rewritten yet.
pub(super) fn of_both_sides(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    let mut merged: Vec<(String, Expr)> = Vec::new();
    let mut from = select.from.clone();
    let mut is_changed = false;
    for table in from.iter_mut().filter(|table| merges_several(table)) {
        let mut with_conditions = table.clone();
        match columns_merged(&mut with_conditions) {
            Ok(columns) => {
                merged.extend(columns);
                *table = with_conditions;
                is_changed = true;
            }
            // The engine has these, if nobody asks for what several tables have.
            Err(_) if !has_other_side(table) => {}
            Err(error) => return Err(error),
        }
    }
    if is_changed {
        stars::with_schemas(&mut select.projection, &select.from);
        stars::written_out(&mut select.projection, &select.from)?;
        select.from = from;
        replace(select, &mut query.order_by, &merged);
    }
    Ok(())
}

/// The columns that the joins of a chain merge, with their values. The joins have conditions then.
fn columns_merged(table: &mut TableWithJoins) -> Result<Vec<(String, Expr)>> {
    let mut parts = vec![stars::first_part(&table.relation)?];
    for join in &mut table.joins {
        let after = stars::after_join(parts.clone(), join)?;
        with_condition(join, &parts)?;
        parts = after;
    }
    let merged = parts.into_iter().filter_map(|part| match part {
        Part::Merged(column, value) => Some((column.value, *value)),
        Part::Table(..) => None,
    });
    Ok(merged.collect())
}

/// Whether several joins merge columns, or one of both sides or, beside others, of the right side.
fn merges_several(table: &TableWithJoins) -> bool {
    let uses = |join: &&Join| matches!(stars::merged(join), Some(JoinConstraint::Using(_)));
    table.joins.iter().filter(uses).count() > 1 || has_other_side(table)
}

fn has_other_side(table: &TableWithJoins) -> bool {
    let is_right = |join: &Join| matches!(join.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_));
    let is_full = |join: &Join| matches!(join.join_operator, JoinOperator::FullOuter(_));
    let is_one = table.joins.len() == 1;
    table.joins.iter().any(|join| {
        matches!(stars::merged(join), Some(JoinConstraint::Using(_))) && (is_full(join) || (is_right(join) && !is_one))
    })
}

/// `USING (x)` as `ON left.x = right.x`.
fn with_condition(join: &mut Join, left: &[Part]) -> Result<()> {
    let Some(JoinConstraint::Using(using)) = stars::merged(join) else { return Ok(()) };
    let right = stars::name_of(&join.relation)?;
    let equal = stars::columns_of(using)
        .iter()
        .map(|column| {
            let (at_left, _) = stars::value_at_left(left, column)?;
            Ok(Expr::BinaryOp {
                left: Box::new(at_left),
                op: BinaryOperator::Eq,
                right: Box::new(stars::column_of(&right, column)),
            })
        })
        .collect::<Result<Vec<Expr>>>()?;
    let all = equal.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    if let (Some(on), Some(constraint)) = (all, constraint_of(&mut join.join_operator)) {
        *constraint = JoinConstraint::On(on);
    }
    Ok(())
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// Writes the values of merged columns where a query names them without a table.
fn replace(select: &mut Select, order: &mut Option<OrderBy>, merged: &[(String, Expr)]) {
    let value = |expression: &Expr| match expression {
        Expr::Identifier(name) => {
            merged.iter().find(|(known, _)| *known == folded(name)).map(|(_, value)| value.clone())
        }
        _ => None,
    };
    let in_all = |expression: &mut Expr| {
        let _: Result<(), ()> = each_part(expression, |part| {
            if let Some(value) = value(part) {
                *part = value;
            }
            Ok(())
        });
    };
    let mut names: Vec<String> = Vec::new();
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) = item
            && let (Expr::Identifier(name), Some(expr)) = (&*expression, value(expression))
        {
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', folded(name)) };
        }
        match item {
            SelectItem::UnnamedExpr(expression) => in_all(expression),
            SelectItem::ExprWithAlias { expr, alias } => {
                names.push(folded(alias));
                in_all(expr);
            }
            _ => {}
        }
    }
    select.selection.iter_mut().for_each(in_all);
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        keys.iter_mut().for_each(in_all);
    }
    select.having.iter_mut().for_each(in_all);
    if let Some(OrderByKind::Expressions(keys)) = order.as_mut().map(|order| &mut order.kind) {
        // ORDER BY means a name of the list first.
        let is_of_list = |key: &Expr| matches!(key, Expr::Identifier(name) if names.contains(&folded(name)));
        keys.iter_mut().map(|key| &mut key.expr).filter(|key| !is_of_list(key)).for_each(in_all);
    }
}

/// The joins of a SELECT.
pub(super) fn merged_columns(select: &mut Select) -> Result<()> {
    stars::with_schemas(&mut select.projection, &select.from);
    stars::written_out(&mut select.projection, &select.from)?;
    select.from.iter_mut().try_for_each(of_from)
}

fn of_from(from: &mut TableWithJoins) -> Result<()> {
    let joins = from.joins.len();
    for join in &mut from.joins {
        match &mut join.join_operator {
            JoinOperator::FullOuter(constraint) if merges(constraint) => {
                return Err(refused("FULL", "Use USING or ON."));
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) if merges(constraint) => {
                if joins > 1 {
                    return Err(refused("RIGHT", "Use USING, or LEFT JOIN with the sides exchanged."));
                }
                let constraint = std::mem::replace(constraint, JoinConstraint::None);
                join.join_operator = JoinOperator::LeftOuter(constraint);
                std::mem::swap(&mut from.relation, &mut join.relation);
            }
            _ => {}
        }
    }
    Ok(())
}

fn merges(constraint: &JoinConstraint) -> bool {
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

fn refused(join: &str, hint: &str) -> datafusion::common::DataFusionError {
    let message = format!("a NATURAL {join} JOIN is not supported here");
    SqlError::not_supported(message).with_hint(hint).at(join).into()
}
