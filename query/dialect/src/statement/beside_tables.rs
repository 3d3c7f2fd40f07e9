//! Functions in FROM whose arguments name columns of a table beside them.
//!
//! | written | becomes |
//! |---|---|
//! | `t, f (t.x) AS a (c)` | `(SELECT *, f (t.x) AS "a c" FROM t) AS t`; what names `c` or `a.c` names the new column of `t` |
//! | `t LEFT JOIN LATERAL f (t.x) AS a (c) ON true` | the same; where `f` has no rows there is one of NULL |
//! | `t CROSS JOIN LATERAL (VALUES (t.x), (t.y)) AS a (c)` | the same with `unnest (ARRAY [x, y])` |
//! | `*`, `t.*`, `a.*` | the columns that they show |

use super::names::{MARK, folded};
use super::row_functions::{Rows, columns_of, derived, named, quoted};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, ExceptSelectItem, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, ObjectName, OrderBy,
    OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions,
};
use std::ops::ControlFlow;

/// A function whose rows are columns of the table that its arguments name.
struct Placed {
    /// Its own name, and that of the table.
    name: String,
    host: String,
    /// The names of its columns, and those that they have in the table.
    columns: Vec<(String, String)>,
    /// How many of them `*` shows: the last may be another name of the first.
    shown: usize,
}

/// Functions in FROM whose arguments name columns of a table beside them. Nothing of the query is rewritten yet, but columns have names.
pub(super) fn put(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    let order = &mut query.order_by;
    while let Some(place) = next(select) {
        let stars = stars_of(select);
        let placed = put_beside(select, place)?;
        write_out_stars(select, &stars, &placed)?;
        rename(select, order, &placed);
    }
    // The name of a function that returns one value is that of the value as well.
    for name in select.from.iter().flat_map(factors).filter_map(named_as_value).collect::<Vec<_>>() {
        let columns = vec![(name.clone(), "value".to_owned())];
        rename(select, order, &Placed { name: name.clone(), host: name, columns, shown: 0 });
    }
    Ok(())
}

/// The name of a function in FROM whose one column is called `value`.
fn named_as_value(factor: &TableFactor) -> Option<String> {
    let rows = Rows::of(factor)?;
    let (columns, _) = columns_of(&rows.function)?;
    let is_value = matches!(columns, [("value", _, _)]) && !rows.is_counted;
    let alias = rows.alias.filter(|alias| is_value && alias.columns.is_empty())?;
    Some(folded(&alias.name))
}

/// Names the columns of a function as those of its table, wherever a query names them.
fn rename(select: &mut Select, order: &mut Option<OrderBy>, placed: &Placed) {
    let keys = order.as_mut().and_then(|order| match &mut order.kind {
        OrderByKind::Expressions(keys) => Some(keys),
        OrderByKind::All(_) => None,
    });
    let mut names = Names { placed, hides: Vec::new() };
    for item in &mut select.projection {
        names.in_item(item);
    }
    let of_list = names_of_items(select);
    names.in_all(select.selection.as_mut());
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        names.in_all(keys);
    }
    names.in_all(select.having.as_mut());
    let _: ControlFlow<()> = VisitMut::visit(&mut select.from, &mut names);
    for key in keys.into_iter().flatten() {
        // ORDER BY means a name of the list first.
        if !matches!(&key.expr, Expr::Identifier(name) if of_list.contains(&folded(name))) {
            names.in_all([&mut key.expr]);
        }
    }
}

/// Where a function stands: the element of FROM, and the join in it.
type Place = (usize, Option<usize>);

/// The first function whose arguments name columns that are there.
fn next(select: &Select) -> Option<Place> {
    for (at, table) in select.from.iter().enumerate() {
        let factors = std::iter::once((None, &table.relation))
            .chain(table.joins.iter().enumerate().map(|(join, joined)| (Some(join), &joined.relation)));
        for (join, factor) in factors {
            if let Some(rows) = Rows::of(factor)
                && host(select, &rows).is_some()
            {
                return Some((at, join));
            }
        }
    }
    None
}

/// The table whose columns the arguments of a function name.
fn host(select: &Select, rows: &Rows) -> Option<String> {
    let mut named = NamedColumns::default();
    for argument in &rows.arguments {
        let _: ControlFlow<()> = Visit::visit(argument, &mut named);
    }
    if named.tables.is_empty() {
        return None;
    }
    let hosts: Vec<String> = select.from.iter().flat_map(factors).filter_map(name_of).collect();
    let mut found: Option<String> = None;
    for table in named.tables {
        let table = match table {
            Some(table) => hosts.iter().find(|host| **host == table)?.clone(),
            None => match hosts.as_slice() {
                [only] => only.clone(),
                _ => return None,
            },
        };
        if found.as_ref().is_some_and(|found| *found != table) {
            return None;
        }
        found = Some(table);
    }
    found
}

/// The tables of columns in an expression, where they are written. A subquery has columns of its own.
#[derive(Default)]
struct NamedColumns {
    tables: Vec<Option<String>>,
    depth: usize,
}

impl Visitor for NamedColumns {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            _ if self.depth > 0 => {}
            Expr::Identifier(_) => self.tables.push(None),
            Expr::CompoundIdentifier(parts) => self.tables.push(parts.iter().rev().nth(1).map(folded)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The tables of an element of FROM.
pub(super) fn factors(table: &TableWithJoins) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
}

/// The name of a table or subquery.
fn name_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), args: None, .. }
        | TableFactor::Derived { alias: Some(alias), lateral: false, .. } => Some(folded(&alias.name)),
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident().map(folded),
        _ => None,
    }
}

/// Takes the function away, and puts its columns into the table.
fn put_beside(select: &mut Select, (at, join): Place) -> Result<Placed> {
    let refused = |why: &str| -> datafusion::common::DataFusionError {
        SqlError::not_supported(format!("a function of columns in FROM is not supported {why}")).into()
    };
    let mut keeps_row = false;
    let function = match join {
        None => {
            if !select.from[at].joins.is_empty() {
                return Err(refused("before a join"));
            }
            select.from.remove(at).relation
        }
        Some(place) => {
            let Join { relation, join_operator, .. } = select.from[at].joins.remove(place);
            let condition = match join_operator {
                JoinOperator::CrossJoin(_) => None,
                JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => Some(on),
                JoinOperator::Left(JoinConstraint::On(on)) | JoinOperator::LeftOuter(JoinConstraint::On(on))
                    if is_true(&on) =>
                {
                    keeps_row = true;
                    None
                }
                _ => return Err(refused("in this join")),
            };
            if let Some(on) = condition.filter(|on| !is_true(on)) {
                select.selection = Some(match select.selection.take() {
                    Some(known) => Expr::BinaryOp {
                        left: Box::new(Expr::Nested(Box::new(known))),
                        op: BinaryOperator::And,
                        right: Box::new(Expr::Nested(Box::new(on))),
                    },
                    None => on,
                });
            }
            relation
        }
    };
    let rows = Rows::of(&function).ok_or_else(|| refused("here"))?;
    let host_name = host(select, &rows).ok_or_else(|| refused("here"))?;
    for table in &mut select.from {
        let is_first = name_of(&table.relation).as_ref() == Some(&host_name);
        let is_inner = |join: &Join| {
            matches!(join.join_operator, JoinOperator::CrossJoin(_) | JoinOperator::Join(_) | JoinOperator::Inner(_))
        };
        let is_left = |join: &Join| matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
        let keeps_host = match is_first {
            true => table.joins.iter().all(|join| is_inner(join) || is_left(join)),
            false => table.joins.iter().all(is_inner),
        };
        let factors = std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation));
        for factor in factors {
            if name_of(factor).as_ref() != Some(&host_name) {
                continue;
            }
            if !keeps_host {
                return Err(refused("beside an outer join"));
            }
            let columns = rows.columns(keeps_row)?;
            let inner_name = |name: &str| format!("{}{MARK}{name}{MARK}of rows", rows.name());
            let mut placed: Vec<(String, String)> =
                columns.iter().map(|(name, _)| (name.clone(), inner_name(name))).collect();
            let own = named_as_value(&function).map(|name| (name, inner_name("value")));
            let alias = match &*factor {
                TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.clone(),
                _ => None,
            };
            let alias = TableAlias { columns: Vec::new(), ..alias.unwrap_or_else(|| named(&host_name)) };
            let inner = TableWithJoins { relation: factor.clone(), joins: Vec::new() };
            let columns = columns.into_iter().map(|(name, value)| (inner_name(&name), value)).collect();
            *factor = derived(columns, vec![inner], Some(alias));
            if let TableFactor::Derived { subquery, .. } = factor
                && let SetExpr::Select(select) = subquery.body.as_mut()
            {
                select.projection.insert(0, SelectItem::Wildcard(WildcardAdditionalOptions::default()));
            }
            let shown = placed.len();
            placed.extend(own);
            return Ok(Placed { name: rows.name(), host: host_name, columns: placed, shown });
        }
    }
    Err(refused("here"))
}

fn is_true(condition: &Expr) -> bool {
    match condition {
        Expr::Value(value) => value.value == Value::Boolean(true),
        Expr::Nested(inner) => is_true(inner),
        _ => false,
    }
}

/// The tables that `*` shows, in order.
fn stars_of(select: &Select) -> Vec<Option<String>> {
    let name = |factor: &TableFactor| name_of(factor).or_else(|| Rows::of(factor).map(|rows| rows.name()));
    select.from.iter().flat_map(factors).map(name).collect()
}

/// Writes out `*`, `t.*` and `a.*`, where they show the columns of a function.
fn write_out_stars(select: &mut Select, tables: &[Option<String>], placed: &Placed) -> Result<()> {
    let all_but = |table: &str| {
        let mut hidden = placed.columns.iter().take(placed.shown).map(|(_, inner)| quoted(inner));
        let except = hidden
            .next()
            .filter(|_| table == placed.host)
            .map(|first_element| ExceptSelectItem { first_element, additional_elements: hidden.collect() });
        let options = WildcardAdditionalOptions {
            wildcard_token: AttachedToken::empty(),
            opt_except: except,
            ..WildcardAdditionalOptions::default()
        };
        let name = ObjectName::from(vec![quoted(table)]);
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
    };
    let of_rows = || {
        placed.columns.iter().take(placed.shown).map(|(name, inner)| SelectItem::ExprWithAlias {
            expr: Expr::CompoundIdentifier(vec![quoted(&placed.host), quoted(inner)]),
            alias: quoted(name),
        })
    };
    let mut written = Vec::new();
    for item in select.projection.drain(..) {
        match &item {
            SelectItem::Wildcard(_) => {
                for table in tables {
                    match table {
                        Some(table) if *table == placed.name => written.extend(of_rows()),
                        Some(table) => written.push(all_but(table)),
                        None => {
                            let message = "SELECT * is not supported beside a function of columns in FROM";
                            return Err(SqlError::not_supported(message).with_hint("Name the columns.").into());
                        }
                    }
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                if options.opt_except.is_none() =>
            {
                match name.0.last().and_then(|part| part.as_ident()).map(folded) {
                    Some(table) if table == placed.name => written.extend(of_rows()),
                    Some(table) if table == placed.host => written.push(all_but(&table)),
                    _ => written.push(item),
                }
            }
            _ => written.push(item),
        }
    }
    select.projection = written;
    Ok(())
}

fn names_of_items(select: &Select) -> Vec<String> {
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    };
    select.projection.iter().filter_map(name).collect()
}

/// Names the columns of a function as those of its table.
struct Names<'a> {
    placed: &'a Placed,
    /// For each query around, whether it has a table of the function's name.
    hides: Vec<bool>,
}

/// Whether a query has a table of this name.
fn has_table(body: &SetExpr, name: &str) -> bool {
    match body {
        SetExpr::Select(select) => {
            let is_it = |factor: &TableFactor| {
                name_of(factor).or_else(|| Rows::of(factor).map(|rows| rows.name())).is_some_and(|known| known == name)
            };
            select.from.iter().flat_map(factors).any(is_it)
        }
        SetExpr::SetOperation { left, right, .. } => has_table(left, name) || has_table(right, name),
        SetExpr::Query(query) => has_table(&query.body, name),
        _ => false,
    }
}

impl Names<'_> {
    fn in_all<'e>(&mut self, expressions: impl IntoIterator<Item = &'e mut Expr>) {
        for expression in expressions {
            let _: ControlFlow<()> = VisitMut::visit(expression, self);
        }
    }

    /// A column of the list keeps its name.
    fn in_item(&mut self, item: &mut SelectItem) {
        if let SelectItem::UnnamedExpr(expression) = item
            && let Some(inner) = self.inner(expression)
        {
            let name = match &*expression {
                Expr::Identifier(name) => folded(name),
                Expr::CompoundIdentifier(parts) => parts.last().map(folded).unwrap_or_default(),
                _ => String::new(),
            };
            *item = SelectItem::ExprWithAlias { expr: inner, alias: quoted(&name) };
            return;
        }
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            self.in_all([expression]);
        }
    }

    fn inner(&self, expression: &Expr) -> Option<Expr> {
        let column = match expression {
            _ if self.hides.contains(&true) => return None,
            Expr::Identifier(name) if self.hides.is_empty() => folded(name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if folded(table) == self.placed.name => folded(column),
                _ => return None,
            },
            _ => return None,
        };
        let (_, inner) = self.placed.columns.iter().find(|(name, _)| *name == column)?;
        Some(Expr::CompoundIdentifier(vec![quoted(&self.placed.host), quoted(inner)]))
    }
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.hides.push(has_table(&query.body, &self.placed.name));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.hides.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some(inner) = self.inner(expression) {
            *expression = inner;
        }
        ControlFlow::Continue(())
    }
}
