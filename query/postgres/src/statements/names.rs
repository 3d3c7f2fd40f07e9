//! The tables that a statement names.

use datafusion::sql::sqlparser::ast::{DataType, Expr, ObjectName, Query, Statement, TableFactor, Visit, Visitor};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Whether a statement is one over the catalog alone: it names its tables and no others, or no table and its functions or types.
pub(super) fn is_of_catalog_alone(statement: &Statement) -> bool {
    if !matches!(statement, Statement::Query(_)) {
        return false;
    }
    let mut names = Names::default();
    let _: ControlFlow<()> = statement.visit(&mut names);
    let mut tables = names.tables.iter().filter(|table| !names.common_tables.contains(*table)).peekable();
    match tables.peek() {
        Some(_) => tables.all(|table| is_of_catalog(table)),
        None => names.uses_catalog,
    }
}

/// The lower-case, qualified names of tables, and the names of common table expressions (WITH).
#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    common_tables: BTreeSet<String>,
    /// Whether a function or a type of the catalog is named.
    uses_catalog: bool,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common_tables.extend(with.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.uses_catalog |= match expr {
            Expr::Function(function) => {
                let name = function.name.0.last().and_then(|part| part.as_ident());
                name.is_some_and(|name| holdfast_catalog::is_catalog_function(&name.value.to_lowercase()))
            }
            Expr::Cast { data_type, .. } => is_type_of_catalog(data_type),
            Expr::TypedString(typed) => is_type_of_catalog(&typed.data_type),
            _ => false,
        };
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

/// Whether a type is one whose values are objects of the catalog.
fn is_type_of_catalog(data_type: &DataType) -> bool {
    let text = data_type.to_string().to_lowercase();
    let name = text.rsplit('.').next().unwrap_or_default();
    name.starts_with("reg")
        || matches!(name, "oid" | "oid[]" | "name" | "name[]" | "int2vector" | "oidvector" | "\"char\"")
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
