//! Statements that are no look at the archive: what they read is its names, or nothing at all.
//!
//! Clients ask for names all the time, on connecting and while somebody types. That shows nothing of what is archived, so
//! it needs no record, and is answered while none can be written.

use crate::catalog::{CATALOG, SCHEMA};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::LogicalPlan;

/// Schemas that hold nothing but names.
const OF_NAMES: [&str; 2] = ["information_schema", "pg_catalog"];
/// Functions whose rows come from nowhere.
const FUNCTIONS: [&str; 3] = ["generate_series", "pg_get_keywords", "range"];

/// Whether `plan` reads nothing but names.
pub(crate) fn is_all_that_is_read(plan: &LogicalPlan) -> Result<bool> {
    let mut are_all = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            are_all &= is_metadata(&scan.table_name);
        }
        Ok(if are_all { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(are_all)
}

pub(crate) fn is_metadata(table: &TableReference) -> bool {
    if let TableReference::Bare { table } = table {
        return FUNCTIONS.contains(&table.trim_end_matches("()"));
    }
    let resolved = table.clone().resolve(CATALOG, SCHEMA);
    OF_NAMES.contains(&resolved.schema.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_they_name() {
        for (table, is_metadata) in [
            ("events", false),
            ("archive.events", false),
            ("holdfast.archive.events", false),
            ("crm.tickets", false),
            ("pg_class", false),
            ("pg_catalog.pg_class", true),
            ("holdfast.information_schema.tables", true),
        ] {
            assert_eq!(super::is_metadata(&TableReference::parse_str(table)), is_metadata, "{table}");
        }
        assert!(super::is_metadata(&TableReference::bare("generate_series()")));
    }
}
