//! Columns of a LATERAL subquery that have the name of a column in its condition.
//!
//! The engine makes a join of the subquery and adds the columns of its condition to its result, where two would have one name:
//! `LATERAL (SELECT max(i.id) AS id FROM i WHERE i.id = t.id) AS x`. So the condition uses a copy of the column with another name:
//! `FROM (SELECT *, id AS "id lateral" FROM i) AS i WHERE i."id lateral" = t.id`. Where the condition does not say whose column it is,
//! the columns of the result get other names, and the alias of the subquery gives them theirs.

use super::names::{MARK, folded, name_items};
use super::selects::{all_of, query_of};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Visit, VisitMut,
    Visitor, VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

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
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(folded(column)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    };
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
        let column = |name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None };
        alias.columns = names.into_iter().map(column).collect();
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
