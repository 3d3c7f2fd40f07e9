//! Columns of a LATERAL subquery that have the name of a column in its condition.
//!
//! The engine makes a join of the subquery and adds the columns of its condition to its result, where two would have one name:
//! `LATERAL (SELECT max(i.id) AS id FROM i WHERE i.id = t.id) AS x`. So the columns of the result get other names, and the alias of the
//! subquery gives them theirs.

use super::names::{MARK, folded, name_items};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, SelectItem, SetExpr, TableAliasColumnDef, TableFactor, Visit, Visitor,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Gives the columns of a LATERAL subquery other names, if it has to.
pub(super) fn names_apart(factor: &mut TableFactor) {
    let TableFactor::Derived { lateral: true, subquery, alias: Some(alias), .. } = factor else { return };
    let SetExpr::Select(select) = subquery.body.as_mut() else { return };
    let Some(condition) = &select.selection else { return };
    if !alias.columns.is_empty() || subquery.order_by.is_some() {
        return;
    }
    let mut used = Names::default();
    let _: ControlFlow<()> = condition.visit(&mut used);
    name_items(&mut select.projection, false);
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(column)) => Some(folded(column)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    };
    let Some(names) = select.projection.iter().map(name).collect::<Option<Vec<String>>>() else { return };
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
