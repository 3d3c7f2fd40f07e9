//! LATERAL subqueries: branches without tables, and columns that have the name of a column in a condition.
//!
//! | written | becomes |
//! |---|---|
//! | `LATERAL (SELECT 'a' AS k, t.a UNION ALL SELECT 'b', t.b) AS x` | `LATERAL (VALUES ('a', t.a), ('b', t.b)) AS x (k, a)` |
//!
//! The engine makes a join of the subquery and adds the columns of its condition to its result, where two would have one name:
//! `LATERAL (SELECT max(i.id) AS id FROM i WHERE i.id = t.id) AS x`. So the condition uses a copy of the column with another name:
//! `FROM (SELECT *, id AS "id lateral" FROM i) AS i WHERE i."id lateral" = t.id`. Where the condition does not say whose column it is,
//! the columns of the result get other names, and the alias of the subquery gives them theirs.

use super::cardinality::is_of_one_row;
use super::names::{MARK, folded, name_items};
use super::selects::{all_of, query_of};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Parens, Query, SelectItem, SetExpr, SetOperator, SetQuantifier, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins, Values, Visit, VisitMut, Visitor, VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Makes rows of the branches of LATERAL subqueries that read no tables.
pub(super) fn branches_as_rows(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for table in &mut select.from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = factor {
                as_rows(subquery, alias);
            }
        }
    }
}

fn as_rows(query: &mut Query, alias: &mut TableAlias) {
    let is_plain =
        query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    if !is_plain || !matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
        return;
    }
    let mut branches = Vec::new();
    if !add_branches(&query.body, &mut branches) {
        return;
    }
    let Some(first) = branches.first_mut() else { return };
    name_items(first, false);
    let names: Option<Vec<String>> = first.iter().map(name).collect();
    let Some(names) = names else { return };
    if alias.columns.len() > names.len() || branches.iter().any(|items| items.len() != names.len()) {
        return;
    }
    let others = names.into_iter().skip(alias.columns.len());
    alias.columns.extend(others.map(column_named));
    let rows = branches.into_iter().map(|items| Parens {
        opening_token: AttachedToken::empty(),
        content: items.into_iter().filter_map(value).collect(),
        closing_token: AttachedToken::empty(),
    });
    *query.body = SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: rows.collect() });
}

/// Adds what the branches of UNION ALL select. `false` if one of them does more than to compute one row.
fn add_branches(body: &SetExpr, branches: &mut Vec<Vec<SelectItem>>) -> bool {
    match body {
        SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } => {
            add_branches(left, branches) && add_branches(right, branches)
        }
        SetExpr::Select(select) => {
            let mut only_items = all_of(ObjectName(Vec::new()));
            only_items.from.clear();
            only_items.projection.clone_from(&select.projection);
            let values: Option<Vec<Expr>> = select.projection.iter().cloned().map(value).collect();
            branches.push(select.projection.clone());
            **select == only_items && values.is_some_and(|values| values.iter().all(is_alone))
        }
        _ => false,
    }
}

fn value(item: SelectItem) -> Option<Expr> {
    match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => Some(expression),
        _ => None,
    }
}

/// Whether a value is one in its row, and read from no other query.
fn is_alone(value: &Expr) -> bool {
    struct Queries;
    impl Visitor for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    is_of_one_row(value) && Visit::visit(value, &mut Queries).is_continue()
}

fn name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(folded(column)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    }
}

fn column_named(name: String) -> TableAliasColumnDef {
    TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None }
}

/// Gives the columns of a LATERAL subquery other names, if it has to.
pub(super) fn names_apart(factor: &mut TableFactor) {
    let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = factor else { return };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return };
    let Some(condition) = &mut select.selection else { return };
    if !alias.columns.is_empty() || subquery.order_by.is_some() {
        return;
    }
    let mut used = Names::default();
    let _: ControlFlow<()> = Visit::visit(&*condition, &mut used);
    name_items(&mut select.projection, false);
    let Some(names) = select.projection.iter().map(name).collect::<Option<Vec<String>>>() else { return };
    for name in names.iter().filter(|name| used.0.contains(*name)) {
        copy_column(&mut select.from, condition, name);
    }
    used.0.clear();
    let _: ControlFlow<()> = Visit::visit(&*condition, &mut used);
    let mut is_new = false;
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { alias, .. } = item
            && used.0.contains(&folded(alias))
        {
            *alias = Ident::with_quote('"', format!("{}{MARK}lateral", folded(alias)));
            is_new = true;
        }
    }
    if is_new {
        alias.columns = names.into_iter().map(column_named).collect();
    }
}

/// Lets `condition` use a copy of the column `name` of each table of `from`, where it names the table.
fn copy_column(from: &mut [TableWithJoins], condition: &mut Expr, name: &str) {
    for relation in from.iter_mut().flat_map(|table| {
        std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation))
    }) {
        let TableFactor::Table { name: table, alias, args: None, .. } = &*relation else { continue };
        let Some(last) = table.0.last().and_then(|part| part.as_ident()) else { continue };
        if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
            continue;
        }
        let known = alias.as_ref().map_or(last, |alias| &alias.name).clone();
        let copy = Ident::with_quote('"', format!("{name}{MARK}lateral"));
        let mut copies = Copies { table: folded(&known), name: name.to_owned(), copy: copy.clone(), found: false };
        let _: ControlFlow<()> = VisitMut::visit(condition, &mut copies);
        if !copies.found {
            continue;
        }
        let mut all = all_of(table.clone());
        if let [table] = all.from.as_mut_slice() {
            table.relation = relation.clone();
        }
        let column = Expr::CompoundIdentifier(vec![known.clone(), Ident::with_quote('"', name)]);
        all.projection.push(SelectItem::ExprWithAlias { expr: column, alias: copy });
        let alias = TableAlias { explicit: true, name: known, columns: Vec::new(), at: None };
        let subquery = Box::new(query_of(all));
        *relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    }
}

/// Names the copy of a column where the column is named with its table.
struct Copies {
    table: String,
    name: String,
    copy: Ident,
    found: bool,
}

impl VisitorMut for Copies {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expression
            && let [table, column] = parts.as_mut_slice()
            && folded(table) == self.table
            && folded(column) == self.name
        {
            *column = self.copy.clone();
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

/// The names of columns in an expression.
#[derive(Default)]
struct Names(HashSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(column) => {
                self.0.insert(folded(column));
            }
            Expr::CompoundIdentifier(parts) => self.0.extend(parts.last().map(folded)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
