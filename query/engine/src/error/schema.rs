//! Errors about columns and tables, as PostgreSQL says them. Pure.

use super::names::nearest;
use super::position::What;
use super::statement::StatementError;
use datafusion::common::{Column, SchemaError, TableReference};
use holdfast_dialect::shown_name;

/// The error about a column that is not there, or is there twice.
pub(super) fn schema(error: &SchemaError) -> StatementError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => missing(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            let what = What::Column { table: table_of(field).map(str::to_owned), name: field.name.clone() };
            let message = format!("column reference \"{}\" is ambiguous", shown_name(&field.name));
            placed(StatementError::new("42702", message).near(what), field)
                .hint("Write the name or alias of its table before it.")
        }
        SchemaError::DuplicateQualifiedField { qualifier, .. } => {
            let message = format!("table name \"{}\" specified more than once", qualifier.table());
            StatementError::new("42712", message).hint("Give each an alias of its own with AS.")
        }
        SchemaError::DuplicateUnqualifiedField { name } => duplicate(name),
    }
}

/// Two columns of a result have one name.
pub(super) fn duplicate(name: &str) -> StatementError {
    StatementError::new("42701", format!("column \"{}\" specified more than once", shown_name(name)))
        .hint("Give one of them another name with AS.")
}

/// Columns that PostgreSQL adds to each table (PostgreSQL 15, 5.5): places in its files, and its transactions.
const OF_SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

fn missing(field: &Column, valid: &[Column]) -> StatementError {
    let name = field.name.as_str();
    if OF_SYSTEM.contains(&name) {
        let what = What::Column { table: table_of(field).map(str::to_owned), name: name.to_owned() };
        let message = format!("the system column \"{name}\" is not supported");
        return placed(StatementError::new("0A000", message).near(what), field);
    }
    let Some(table) = table_of(field) else {
        let what = What::Column { table: None, name: name.to_owned() };
        if valid.iter().any(|column| table_of(column) == Some(name)) {
            let message = format!("a row of \"{name}\" as a value is not supported");
            return placed(StatementError::new("0A000", message).near(what).hint("Name its columns."), field);
        }
        let error = StatementError::new("42703", format!("column \"{name}\" does not exist")).near(what);
        return placed(suggested(error, name, valid), field);
    };
    let of_table: Vec<Column> = valid.iter().filter(|column| table_of(column) == Some(table)).cloned().collect();
    if of_table.is_empty() {
        let message = format!("missing FROM-clause entry for table \"{table}\"");
        let error = StatementError::new("42P01", message).near(What::Qualifier(table.to_owned()));
        let tables: Vec<&str> = valid.iter().filter_map(table_of).collect();
        let error = match nearest(table, tables.iter().copied()).as_slice() {
            [nearest] => error.hint(format!("Perhaps you meant to reference the table \"{nearest}\".")),
            _ => error,
        };
        return placed(error, field);
    }
    let what = What::Column { table: Some(table.to_owned()), name: name.to_owned() };
    let error = StatementError::new("42703", format!("column {table}.{name} does not exist")).near(what);
    placed(suggested(error, name, &of_table), field)
}

/// With the nearest columns as a hint.
fn suggested(error: StatementError, name: &str, valid: &[Column]) -> StatementError {
    let near = nearest(name, valid.iter().map(|column| column.name.as_str()));
    let mut columns: Vec<String> = Vec::new();
    for column in valid.iter().filter(|column| near.contains(&column.name.as_str())) {
        let name = shown_name(&column.name);
        let written = match table_of(column) {
            Some(table) => format!("\"{table}.{name}\""),
            None => format!("\"{name}\""),
        };
        if !columns.contains(&written) {
            columns.push(written);
        }
    }
    match columns.as_slice() {
        [] => error,
        [one] => error.hint(format!("Perhaps you meant to reference the column {one}.")),
        [one, other, ..] => {
            error.hint(format!("Perhaps you meant to reference the column {one} or the column {other}."))
        }
    }
}

/// With the place that the planner kept for a column.
fn placed(error: StatementError, field: &Column) -> StatementError {
    match field.spans().first() {
        Some(span) => error.at(span.start.line, span.start.column),
        None => error,
    }
}

/// The last part of the name of a column's table.
fn table_of(column: &Column) -> Option<&str> {
    column.relation.as_ref().map(TableReference::table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, &str)]) -> Vec<Column> {
        names.iter().map(|(table, name)| Column::new(Some(*table), *name)).collect()
    }

    fn not_found(field: Column) -> StatementError {
        let valid_fields = columns(&[("sessions", "agent"), ("sessions", "rating"), ("t", "agent"), ("t", "id")]);
        schema(&SchemaError::FieldNotFound { field: Box::new(field), valid_fields })
    }

    #[test]
    fn a_missing_column_is_told_with_the_nearest_names() {
        for (table, name, state, message, hint) in [
            (
                None,
                "agnt",
                "42703",
                "column \"agnt\" does not exist",
                Some("Perhaps you meant to reference the column \"sessions.agent\" or the column \"t.agent\"."),
            ),
            (
                Some("sessions"),
                "ratng",
                "42703",
                "column sessions.ratng does not exist",
                Some("Perhaps you meant to reference the column \"sessions.rating\"."),
            ),
            (None, "colour", "42703", "column \"colour\" does not exist", None),
            (None, "ctid", "0A000", "the system column \"ctid\" is not supported", None),
            (
                Some("session"),
                "agent",
                "42P01",
                "missing FROM-clause entry for table \"session\"",
                Some("Perhaps you meant to reference the table \"sessions\"."),
            ),
        ] {
            let error = not_found(Column::new(table, name));
            assert_eq!((error.state, error.message.as_str(), error.hint.as_deref()), (state, message, hint));
        }
    }

    #[test]
    fn every_error_about_columns_is_in_plain_words() {
        for (error, state) in [
            (SchemaError::AmbiguousReference { field: Box::new(Column::new_unqualified("x")) }, "42702"),
            (SchemaError::DuplicateQualifiedField { qualifier: Box::new("a.t".into()), name: "x".into() }, "42712"),
            (SchemaError::DuplicateUnqualifiedField { name: "x".into() }, "42701"),
        ] {
            let found = schema(&error);
            assert_eq!(found.state, state);
            super::super::wording::assert_plain(&found.message);
        }
    }
}
