//! The tables that a statement names.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, ObjectName, Query, Statement, TableFactor, TypedString, Value, Visit, Visitor,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Functions about the session, which the engine knows as well.
const OF_SESSION: [&str; 10] = [
    "current_catalog",
    "current_database",
    "current_role",
    "current_schema",
    "current_setting",
    "current_user",
    "session_user",
    "set_config",
    "user",
    "version",
];

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
        None => names.uses_catalog && (names.needs_catalog || !names.computes),
    }
}

/// The lower-case, qualified names of tables, and the names of common table expressions (WITH).
#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    common_tables: BTreeSet<String>,
    /// Whether a function or a type of the catalog is named.
    uses_catalog: bool,
    /// Whether one of these is known to the catalog alone.
    needs_catalog: bool,
    /// Whether a value is of a type with which the catalog does not compute: a numeric, a float, a time, an interval.
    computes: bool,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common_tables.extend(with.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                let name =
                    function.name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.to_lowercase());
                let name = name.filter(|name| holdfast_catalog::is_catalog_function(name));
                self.uses_catalog |= name.is_some();
                self.needs_catalog |= name.is_some_and(|name| !OF_SESSION.contains(&name.as_str()));
            }
            Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
                self.uses_catalog |= is_type_of_catalog(data_type);
                self.needs_catalog |= is_type_of_catalog(data_type);
            }
            _ => {}
        }
        self.computes |= match expr {
            Expr::Cast { data_type, .. } => is_computed(data_type),
            Expr::TypedString(typed) => is_computed(&typed.data_type),
            Expr::Interval(_) => true,
            Expr::Value(value) => matches!(&value.value, Value::Number(digits, _) if digits.parse::<i64>().is_err()),
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

/// Whether values of a type are computed by the engine: the catalog has them as texts at most.
fn is_computed(data_type: &DataType) -> bool {
    let text = data_type.to_string().to_lowercase();
    let name = text.rsplit("pg_catalog.").next().unwrap_or_default();
    ["numeric", "decimal", "dec", "float", "real", "double", "interval", "date", "time"]
        .iter()
        .any(|computed| name.starts_with(computed))
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
