//! A common table expression hides one of the same name around it (PostgreSQL 15, 7.8). To the engine the second is an error.
//!
//! ```text
//! WITH a AS (..), b AS (WITH a AS (..) SELECT * FROM a) SELECT * FROM b, a
//!                            └▶ WITH "a⟨mark⟩1" AS (..) SELECT * FROM "a⟨mark⟩1" AS a
//! ```

use super::names::{MARK, folded};
use datafusion::sql::sqlparser::ast::{
    Cte, Ident, ObjectName, ObjectNamePart, Query, Statement, TableAlias, TableFactor, VisitMut, VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Gives common table expressions of one name, of which one hides the other, different names.
pub(super) fn told_apart(statement: &mut Statement) {
    let mut hiding = Hiding::default();
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut hiding);
    if !hiding.names.is_empty() {
        let _: ControlFlow<()> = VisitMut::visit(statement, &mut Apart { names: hiding.names, number: 0 });
    }
}

/// The names that a query gives to a common table expression where a query around it has given them already.
#[derive(Default)]
struct Hiding {
    /// Those of the queries around, the innermost last.
    around: Vec<Vec<String>>,
    names: HashSet<String>,
}

impl VisitorMut for Hiding {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let own: Vec<String> = tables(query).iter().map(|table| folded(&table.alias.name)).collect();
        let is_hiding = |name: &&String| self.around.iter().any(|names| names.contains(name));
        self.names.extend(own.iter().filter(is_hiding).cloned());
        self.around.push(own);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }
}

fn tables(query: &Query) -> &[Cte] {
    query.with.as_ref().map_or(&[], |with| &with.cte_tables)
}

struct Apart {
    names: HashSet<String>,
    number: usize,
}

impl VisitorMut for Apart {
    type Break = ();

    /// What is inside is told apart already, so a name that is found there is this query's or one of a query around it.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for place in 0..tables(query).len() {
            let name = folded(&tables(query)[place].alias.name);
            if !self.names.contains(&name)
                || tables(query)[..place].iter().any(|other| folded(&other.alias.name) == name)
            {
                continue;
            }
            self.number += 1;
            let own = Ident::with_quote('"', format!("{name}{MARK}{}", self.number));
            let mut renaming = Renaming { name, own: own.clone() };
            if let Some(with) = &mut query.with {
                // Without RECURSIVE a query sees those before it.
                let seeing = if with.recursive { 0 } else { place + 1 };
                for table in with.cte_tables.iter_mut().skip(seeing) {
                    let _: ControlFlow<()> = VisitMut::visit(&mut table.query, &mut renaming);
                }
                if let Some(table) = with.cte_tables.get_mut(place) {
                    table.alias.name = own;
                }
            }
            let Query { body, order_by, .. } = query;
            let _: ControlFlow<()> = VisitMut::visit(body, &mut renaming);
            let _: ControlFlow<()> = VisitMut::visit(order_by, &mut renaming);
        }
        ControlFlow::Continue(())
    }
}

struct Renaming {
    name: String,
    own: Ident,
}

impl VisitorMut for Renaming {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name: ObjectName(parts), alias, args: None, .. } = factor else {
            return ControlFlow::Continue(());
        };
        if let [part] = parts.as_mut_slice()
            && let Some(written) = part.as_ident().filter(|written| folded(written) == self.name)
        {
            alias.get_or_insert_with(|| TableAlias {
                explicit: true,
                name: written.clone(),
                columns: Vec::new(),
                at: None,
            });
            *part = ObjectNamePart::Identifier(self.own.clone());
        }
        ControlFlow::Continue(())
    }
}
