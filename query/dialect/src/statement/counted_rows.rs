//! `count (t.*)`: the rows of `t` that are there, which are not those that an outer join makes up (PostgreSQL 15, 4.2.7 and 8.16). To the
//! engine it is `count (*)`.
//!
//! `FROM a LEFT JOIN t ON ..` becomes `FROM a LEFT JOIN (SELECT *, true AS "is there" FROM t) AS t ON ..`, and `count (t.*)` becomes
//! `count (t."is there")`.

use super::calls::function_name;
use super::level::each_part;
use super::names::{MARK, folded, is_wildcard};
use super::row_functions::{derived, named, quoted};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, JoinOperator, OrderByKind,
    Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, Value, WildcardAdditionalOptions,
};

/// Counts the rows that are there.
pub(super) fn counted(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    let made_up = made_up(select);
    let mut marked: Vec<String> = Vec::new();
    let mut count = |part: &mut Expr| -> Result<(), SqlError> {
        let Some(table) = table_of(part)? else { return Ok(()) };
        let Some((_, is_made_up)) = made_up.iter().find(|(known, _)| *known == table) else {
            let message = format!("counting the rows of \"{table}\" is not supported here");
            return Err(SqlError::not_supported(message).with_hint("Count one of its columns.").at("count"));
        };
        let argument = if *is_made_up {
            let column = vec![quoted(&table), quoted(&mark())];
            marked.push(table);
            FunctionArgExpr::Expr(Expr::CompoundIdentifier(column))
        } else {
            FunctionArgExpr::Wildcard
        };
        if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = part {
            list.args = vec![FunctionArg::Unnamed(argument)];
        }
        Ok(())
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            each_part(expression, &mut count)?;
        }
    }
    if let Some(having) = &mut select.having {
        each_part(having, &mut count)?;
    }
    if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) {
        for key in keys {
            each_part(&mut key.expr, &mut count)?;
        }
    }
    mark_tables(select, &marked)
}

/// Puts the column that says that a row is there to the tables with these names.
///
/// # Errors
/// A `*` would show it.
pub(super) fn mark_tables(select: &mut Select, marked: &[String]) -> Result<()> {
    if !marked.is_empty() && select.projection.iter().any(is_wildcard) {
        let message = "* beside rows of an outer join as values is not supported";
        return Err(SqlError::not_supported(message).with_hint("Name the columns.").into());
    }
    for table in &mut select.from {
        mark_in(table, marked);
    }
    Ok(())
}

/// The column that says that a row is there.
pub(super) fn mark() -> String {
    format!("is there{MARK}counted")
}

/// The table whose rows a call counts.
fn table_of(expression: &Expr) -> Result<Option<String>, SqlError> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expression else {
        return Ok(None);
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(table))] = list.args.as_slice() else {
        return Ok(None);
    };
    if function_name(name).is_none_or(|name| name != "count") {
        return Ok(None);
    }
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        let message = format!("count(DISTINCT {table}.*) is not supported");
        return Err(SqlError::not_supported(message).with_hint("Count rows of its columns: (a, b).").at("DISTINCT"));
    }
    Ok(table.0.last().and_then(|name| name.as_ident()).map(folded))
}

/// The tables of a SELECT, and whether an outer join makes up rows of them.
pub(super) fn made_up(select: &Select) -> Vec<(String, bool)> {
    let mut all = Vec::new();
    for table in &select.from {
        let mut tables = vec![(name_of(&table.relation), false)];
        for join in &table.joins {
            let (left, right) = match &join.join_operator {
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
                JoinOperator::FullOuter(_) => (true, true),
                _ => (false, false),
            };
            tables.iter_mut().for_each(|(_, is_made_up)| *is_made_up |= left);
            tables.push((name_of(&join.relation), right));
        }
        all.extend(tables.into_iter().filter_map(|(name, is_made_up)| Some((name?, is_made_up))));
    }
    all
}

/// The name of a table, if a column can be put to it.
fn name_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), lateral: false, .. } => Some(folded(&alias.name)),
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident().map(folded),
        _ => None,
    }
}

/// Whether a table has the column already.
fn is_marked(factor: &TableFactor) -> bool {
    let TableFactor::Derived { subquery, .. } = factor else { return false };
    let SetExpr::Select(select) = subquery.body.as_ref() else { return false };
    matches!(select.projection.last(), Some(SelectItem::ExprWithAlias { alias, .. }) if alias.value == mark())
}

fn mark_in(table: &mut TableWithJoins, marked: &[String]) {
    let factors = std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation));
    for factor in factors.filter(|factor| !is_marked(factor)) {
        let Some(name) = name_of(factor).filter(|name| marked.contains(name)) else { continue };
        let alias = match &*factor {
            TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                TableAlias { columns: Vec::new(), ..alias.clone() }
            }
            _ => named(&name),
        };
        let inner = TableWithJoins { relation: factor.clone(), joins: Vec::new() };
        let is_there = (mark(), Expr::value(Value::Boolean(true)));
        *factor = derived(vec![is_there], vec![inner], Some(alias));
        if let TableFactor::Derived { subquery, .. } = factor
            && let SetExpr::Select(select) = subquery.body.as_mut()
        {
            select.projection.insert(0, SelectItem::Wildcard(WildcardAdditionalOptions::default()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows, state_of};

    #[test]
    fn what_would_show_the_column_is_refused() {
        let context = context();
        let from = "FROM (VALUES (1)) t (x) LEFT JOIN (SELECT 2 AS x) u ON u.x = t.x";
        for list in ["*, row_to_json(u)", "u.*, row_to_json(u)", "*, count(u.*) OVER ()", "count(DISTINCT u.*)"] {
            let error = rows(&context, &format!("SELECT {list} {from}")).unwrap_err();
            assert_eq!(state_of(&error), "0A000", "{list}");
        }
    }
}
