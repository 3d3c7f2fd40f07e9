//! `SELECT *` over `JOIN .. USING`: the merged columns come first, in the order in which USING names them, then the others of the left
//! side, then those of the right one (PostgreSQL 15, 7.2.1.1). The engine leaves a merged column where it stands in one of the tables.
//!
//! `SELECT * FROM a JOIN b USING (x)` becomes `SELECT x, a.* EXCEPT (x), b.* EXCEPT (x) FROM ..`.

use super::calls::call;
use super::names::folded;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

/// A part of the list of columns.
#[derive(Clone)]
pub(super) enum Part {
    /// A column, and its value.
    Merged(Ident, Box<Expr>),
    /// The columns of a table without these.
    Table(ObjectName, Vec<Ident>),
}

/// Writes out the `*` of a list, if a join merges columns.
pub(super) fn written_out(items: &mut Vec<SelectItem>, from: &[TableWithJoins]) -> Result<()> {
    let is_star = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    if !items.iter().any(is_star) || !from.iter().flat_map(|table| &table.joins).any(|join| merged(join).is_some()) {
        return Ok(());
    }
    let mut all = Vec::new();
    for table in from {
        let mut parts = vec![first_part(&table.relation)?];
        for join in &table.joins {
            parts = after_join(parts, join)?;
        }
        all.extend(parts.into_iter().map(item_of));
    }
    let mut written = Vec::new();
    for item in items.drain(..) {
        if is_star(&item) { written.append(&mut all.clone()) } else { written.push(item) }
    }
    *items = written;
    Ok(())
}

/// Gives `t.*` the name of the table with that of its schema, as FROM has it: `FROM archive.t`.
pub(super) fn with_schemas(items: &mut [SelectItem], from: &[TableWithJoins]) {
    for item in items {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) = item else {
            continue;
        };
        let [part] = table.0.as_slice() else { continue };
        let is_it = |name: &ObjectName| {
            let last = name.0.last().and_then(|part| part.as_ident()).map(folded);
            last.is_some() && last == part.as_ident().map(folded)
        };
        let named = from
            .iter()
            .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
        let mut full = named.filter_map(|factor| match factor {
            TableFactor::Table { name, alias: None, args: None, .. } if is_it(name) => Some(name),
            _ => None,
        });
        if let Some(name) = full.next() {
            *table = name.clone();
        }
    }
}

/// The columns of the first table of a chain of joins.
pub(super) fn first_part(relation: &TableFactor) -> Result<Part> {
    Ok(Part::Table(name_of(relation)?, Vec::new()))
}

/// The columns after a join, whose left side has `parts`.
pub(super) fn after_join(mut parts: Vec<Part>, join: &Join) -> Result<Vec<Part>> {
    let right = name_of(&join.relation)?;
    match merged(join) {
        None => {
            parts.push(Part::Table(right, Vec::new()));
            Ok(parts)
        }
        Some(JoinConstraint::Using(columns)) => joined(parts, right, columns, &join.join_operator),
        Some(_) => {
            let message = "SELECT * over a NATURAL join is not supported: the order of its columns is not known here";
            let hint = "Name the columns, or use JOIN .. USING.";
            Err(SqlError::not_supported(message).with_hint(hint).at("NATURAL").into())
        }
    }
}

/// How a join merges columns.
pub(super) fn merged(join: &Join) -> Option<&JoinConstraint> {
    let merges =
        |constraint: &&JoinConstraint| matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural);
    constraint_of(join).filter(merges)
}

/// How a join finds its rows.
pub(super) fn constraint_of(join: &Join) -> Option<&JoinConstraint> {
    match &join.join_operator {
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

/// The columns that a join merges. The engine does not fold the names behind EXCEPT, so they are.
pub(super) fn columns_of(using: &[ObjectName]) -> Vec<Ident> {
    let column = |name: &ObjectName| name.0.last()?.as_ident().map(|name| Ident::with_quote('"', folded(name)));
    using.iter().filter_map(column).collect()
}

/// The value of a column of the left side of a join that merges it, and whether it was merged before.
pub(super) fn value_at_left(left: &[Part], column: &Ident) -> Result<(Expr, bool)> {
    let before = left.iter().find_map(|part| match part {
        Part::Merged(known, value) if known == column => Some(value.as_ref().clone()),
        _ => None,
    });
    if let Some(value) = before {
        return Ok((value, true));
    }
    let mut tables = left.iter().filter_map(|part| match part {
        Part::Table(name, _) => Some(name),
        Part::Merged(..) => None,
    });
    match (tables.next(), tables.next()) {
        (Some(only), None) => Ok((column_of(only, column), false)),
        _ => {
            let message = "SELECT * over several joins that merge different columns is not supported";
            Err(SqlError::not_supported(message).with_hint("Name the columns.").at("USING").into())
        }
    }
}

fn joined(left: Vec<Part>, right: ObjectName, using: &[ObjectName], operator: &JoinOperator) -> Result<Vec<Part>> {
    let columns = columns_of(using);
    let mut parts = Vec::new();
    let mut new = Vec::new();
    for column in &columns {
        let (at_left, was_merged) = value_at_left(&left, column)?;
        if !was_merged {
            new.push(column.clone());
        }
        let at_right = column_of(&right, column);
        let value = match operator {
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => at_right,
            JoinOperator::FullOuter(_) => call("coalesce", vec![at_left, at_right]),
            _ => at_left,
        };
        parts.push(Part::Merged(column.clone(), Box::new(value)));
    }
    for part in left {
        match part {
            Part::Merged(column, _) if columns.contains(&column) => {}
            Part::Merged(..) => parts.push(part),
            Part::Table(name, mut without) => {
                without.extend(new.iter().cloned());
                parts.push(Part::Table(name, without));
            }
        }
    }
    parts.push(Part::Table(right, columns));
    Ok(parts)
}

/// The column of a table.
pub(super) fn column_of(table: &ObjectName, column: &Ident) -> Expr {
    let parts = table.0.iter().filter_map(|part| part.as_ident().cloned());
    Expr::CompoundIdentifier(parts.chain([column.clone()]).collect())
}

/// The name by which the columns of a table are asked for.
pub(super) fn name_of(factor: &TableFactor) -> Result<ObjectName> {
    let (name, alias) = match factor {
        TableFactor::Table { name, alias, args: None, .. } => (Some(name), alias),
        TableFactor::Derived { alias, .. } => (None, alias),
        _ => (None, &None),
    };
    match (alias, name) {
        (Some(alias), _) => Ok(ObjectName::from(vec![alias.name.clone()])),
        (None, Some(name)) => Ok(name.clone()),
        (None, None) => {
            let message = "SELECT * over JOIN .. USING is not supported for a table without a name";
            Err(SqlError::not_supported(message).with_hint("Name the columns.").into())
        }
    }
}

fn item_of(part: Part) -> SelectItem {
    match part {
        Part::Merged(alias, value) => match *value {
            column @ Expr::CompoundIdentifier(_) => SelectItem::UnnamedExpr(column),
            expr => SelectItem::ExprWithAlias { expr, alias },
        },
        Part::Table(name, without) => {
            let mut without = without.into_iter();
            let except = without
                .next()
                .map(|first| ExceptSelectItem { first_element: first, additional_elements: without.collect() });
            let options = WildcardAdditionalOptions {
                wildcard_token: AttachedToken::empty(),
                opt_except: except,
                ..WildcardAdditionalOptions::default()
            };
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
        }
    }
}
