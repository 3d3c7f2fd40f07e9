//! `SELECT *` over `JOIN .. USING`: the merged columns come first, in the order in which USING names them, then the others of the left
//! side, then those of the right one (PostgreSQL 15, 7.2.1.1). The engine leaves a merged column where it stands in one of the tables.
//!
//! `SELECT * FROM a JOIN b USING (x)` becomes `SELECT x, a.* EXCEPT (x), b.* EXCEPT (x) FROM ..`.

use super::names::folded;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    ExceptSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

/// A part of the list of columns.
enum Part {
    /// A column, and the table whose value it has.
    Merged(Ident, ObjectName),
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
        let mut parts = vec![Part::Table(name_of(&table.relation)?, Vec::new())];
        for join in &table.joins {
            let right = name_of(&join.relation)?;
            match merged(join) {
                None => parts.push(Part::Table(right, Vec::new())),
                Some(JoinConstraint::Using(columns)) => parts = joined(parts, right, columns, keeps_right(join))?,
                Some(_) => {
                    let message =
                        "SELECT * over a NATURAL join is not supported: the order of its columns is not known here";
                    let hint = "Name the columns, or use JOIN .. USING.";
                    return Err(SqlError::not_supported(message).with_hint(hint).at("NATURAL").into());
                }
            }
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

/// How a join merges columns.
fn merged(join: &Join) -> Option<&JoinConstraint> {
    match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint) => match constraint {
            JoinConstraint::Using(_) | JoinConstraint::Natural => Some(constraint),
            JoinConstraint::On(_) | JoinConstraint::None => None,
        },
        _ => None,
    }
}

fn joined(left: Vec<Part>, right: ObjectName, using: &[ObjectName], keeps_right: bool) -> Result<Vec<Part>> {
    // The engine does not fold the names behind EXCEPT.
    let column = |name: &ObjectName| name.0.last()?.as_ident().map(|name| Ident::with_quote('"', folded(name)));
    let columns: Vec<Ident> = using.iter().filter_map(column).collect();
    let mut tables = left.iter().filter_map(|part| match part {
        Part::Table(name, _) => Some(name.clone()),
        Part::Merged(..) => None,
    });
    let (first, is_one) = (tables.next(), tables.next().is_none());
    let owner_before = |column: &Ident| {
        left.iter().find_map(|part| match part {
            Part::Merged(known, owner) if known == column => Some(owner.clone()),
            _ => None,
        })
    };
    let mut parts = Vec::new();
    let mut new = Vec::new();
    for column in &columns {
        let owner = match (owner_before(column), &first) {
            (Some(owner), _) => owner,
            (None, Some(first)) if is_one => {
                new.push(column.clone());
                first.clone()
            }
            _ => {
                let message = "SELECT * over several joins that merge different columns is not supported";
                return Err(SqlError::not_supported(message).with_hint("Name the columns.").at("USING").into());
            }
        };
        parts.push(Part::Merged(column.clone(), if keeps_right { right.clone() } else { owner }));
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

/// Whether the merged columns are those of the right side.
fn keeps_right(join: &Join) -> bool {
    matches!(join.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_))
}

/// The name by which the columns of a table are asked for.
fn name_of(factor: &TableFactor) -> Result<ObjectName> {
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
        Part::Merged(column, owner) => {
            let parts = owner.0.iter().filter_map(|part| part.as_ident().cloned());
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts.chain([column]).collect()))
        }
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
