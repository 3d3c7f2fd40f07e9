//! An alias may name some of a table's columns, the first ones; the others keep their names (PostgreSQL 15, 7.2.1.2). The engine
//! demands all of them.
//!
//! | written | becomes |
//! |---|---|
//! | `(SELECT 1 AS x, 2 AS y) AS t (a)` | `(..) AS t (a, y)` |
//! | `WITH t (a) AS (SELECT 1 AS x, 2 AS y)` | `WITH t (a, y) AS (..)` |
//!
//! The columns are known where [`Known`] knows them.

use super::whole_rows::Known;
use datafusion::sql::sqlparser::ast::{Ident, Query, TableAlias, TableAliasColumnDef, TableFactor};

/// Names the other columns of the common table expressions of a query, which is entered in `known`.
pub(super) fn of_common(query: &mut Query, known: &Known) {
    for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        if !table.alias.columns.is_empty() {
            complete(&mut table.alias, known.of_query(&table.query));
        }
    }
}

/// Names the other columns of a table of a query.
pub(super) fn of_table(table: &mut TableFactor, known: &Known) {
    let (TableFactor::Derived { alias: Some(alias), .. } | TableFactor::Table { alias: Some(alias), .. }) = &*table
    else {
        return;
    };
    if alias.columns.is_empty() {
        return;
    }
    let columns = known.of_factor(table).and_then(|(_, columns)| columns);
    if let TableFactor::Derived { alias: Some(alias), .. } | TableFactor::Table { alias: Some(alias), .. } = table {
        complete(alias, columns);
    }
}

fn complete(alias: &mut TableAlias, columns: Option<Vec<String>>) {
    let others = columns.into_iter().flatten().skip(alias.columns.len());
    alias
        .columns
        .extend(others.map(|name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None }));
}
