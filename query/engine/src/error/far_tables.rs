//! Tables of a query two or more levels around the one that names them. PostgreSQL sees them there, the engine only those of the
//! query next around.

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SetExpr, TableFactor, TableWithJoins, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// Whether `statement` names a column of `table` where only PostgreSQL sees that table.
pub(super) fn is_named_far_away(statement: &str, table: &str) -> bool {
    let Ok(parsed) = Parser::parse_sql(&PostgreSqlDialect {}, statement) else { return false };
    let mut search = Search { table, around: Vec::new() };
    parsed.iter().any(|statement| Visit::visit(statement, &mut search).is_break())
}

struct Search<'s> {
    table: &'s str,
    /// Whether each query around has the table, the innermost last.
    around: Vec<bool>,
}

impl Visitor for Search<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.around.push(has(&query.body, self.table));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let Expr::CompoundIdentifier(parts) = expression else { return ControlFlow::Continue(()) };
        let is_named = matches!(parts.as_slice(), [table, _] if is(table, self.table));
        match self.around.iter().rev().position(|has| *has) {
            Some(levels) if is_named && levels > 1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn is(name: &Ident, table: &str) -> bool {
    if name.quote_style.is_some() { name.value == table } else { name.value.to_ascii_lowercase() == table }
}

fn has(body: &SetExpr, table: &str) -> bool {
    match body {
        SetExpr::Select(select) => select.from.iter().any(|joined| is_joined(joined, table)),
        SetExpr::SetOperation { left, right, .. } => has(left, table) || has(right, table),
        _ => false,
    }
}

fn is_joined(joined: &TableWithJoins, table: &str) -> bool {
    std::iter::once(&joined.relation).chain(joined.joins.iter().map(|join| &join.relation)).any(|factor| match factor {
        TableFactor::NestedJoin { alias: None, table_with_joins } => is_joined(table_with_joins, table),
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => is(&alias.name, table),
        TableFactor::Table { name, .. } => {
            name.0.last().and_then(|part| part.as_ident()).is_some_and(|name| is(name, table))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::is_named_far_away;

    #[test]
    fn a_table_is_far_away_behind_a_query_in_between() {
        for (statement, expected) in [
            ("SELECT (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.x = o.x)) FROM a AS o", true),
            ("SELECT (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.x = O.x)) FROM z JOIN o ON true", true),
            ("SELECT (SELECT 1 FROM b WHERE b.x = o.x) FROM o", false),
            ("SELECT (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM o WHERE o.x = 1)) FROM o", false),
            ("SELECT (SELECT 1 FROM b) FROM c WHERE o.x = 1", false),
            ("SELECT (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE \"O\".x = 1)) FROM o", false),
            ("SELECT o.", false),
        ] {
            assert_eq!(is_named_far_away(statement, "o"), expected, "{statement}");
        }
    }
}
