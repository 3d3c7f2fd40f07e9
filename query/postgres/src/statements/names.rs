//! The tables that a statement names.

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, TableFactor, Visit, Visitor};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Whether a statement names tables of the catalog and no others.
pub(super) fn names_only_catalog_tables(statement: &Statement) -> bool {
    let mut names = Names::default();
    let _: ControlFlow<()> = statement.visit(&mut names);
    let tables = names.tables.iter().filter(|table| !names.common_tables.contains(*table));
    let mut is_any = false;
    let are_all = tables.inspect(|_| is_any = true).all(|table| is_of_catalog(table));
    is_any && are_all
}

/// The lower-case, qualified names of tables, and the names of common table expressions (WITH).
#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    common_tables: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common_tables.extend(with.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        // A name with arguments is a table function.
        if let TableFactor::Table { name, args: None, .. } = factor {
            self.tables.insert(lower(name));
        }
        ControlFlow::Continue(())
    }
}

fn lower(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone()).to_lowercase())
        .collect();
    parts.join(".")
}

fn is_of_catalog(table: &str) -> bool {
    match table.rsplit_once('.') {
        Some((schema, _)) => {
            matches!(schema.rsplit('.').next(), Some("pg_catalog" | "information_schema"))
        }
        None => table.starts_with("pg_"),
    }
}
