//! Statements that read catalog metadata only.
//!
//! Clients read metadata all the time, on connecting and for completion while a user types. Metadata shows no archived
//! data, so these statements are not recorded, and they work while records cannot be written.

use super::names::{CATALOG, SCHEMA};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::LogicalPlan;

/// Schemas that contain metadata only.
const METADATA_SCHEMAS: [&str; 2] = ["information_schema", "pg_catalog"];
/// Table functions that read no table.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "pg_get_keywords", "range"];

/// Whether `plan` reads catalog metadata only, or nothing.
pub(crate) fn reads_only_metadata(plan: &LogicalPlan) -> Result<bool> {
    let mut only_metadata = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            only_metadata &= is_metadata(&scan.table_name);
        }
        Ok(if only_metadata { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(only_metadata)
}

/// Whether a scan of `table` reads catalog metadata only.
pub(crate) fn is_metadata(table: &TableReference) -> bool {
    if let TableReference::Bare { table } = table {
        return TABLE_FUNCTIONS.contains(&table.trim_end_matches("()"));
    }
    let resolved = table.clone().resolve(CATALOG, SCHEMA);
    METADATA_SCHEMAS.contains(&resolved.schema.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_distinguished_from_archived_data() {
        for (table, expected) in [
            ("events", false),
            ("archive.events", false),
            ("holdfast.archive.events", false),
            ("crm.tickets", false),
            ("pg_class", false),
            ("pg_catalog.pg_class", true),
            ("holdfast.information_schema.tables", true),
        ] {
            assert_eq!(is_metadata(&TableReference::parse_str(table)), expected, "{table}");
        }
        assert!(is_metadata(&TableReference::bare("generate_series()")));
    }
}
