//! Statements that read catalog metadata only.
//!
//! Clients read metadata all the time, on connecting and for completion while a user types. Metadata shows no archived
//! data, so these statements are not recorded, and they work while records cannot be written.

use super::names::{CATALOG, SCHEMA};
use crate::scan::archive_table;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, TableReference};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};

/// Schemas that contain metadata only.
const METADATA_SCHEMAS: [&str; 2] = ["information_schema", "pg_catalog"];
/// Table functions that read no table.
const TABLE_FUNCTIONS: [&str; 3] = ["generate_series", "pg_get_keywords", "range"];

/// Whether `plan` reads catalog metadata only, or nothing.
pub(crate) fn reads_only_metadata(plan: &LogicalPlan) -> Result<bool> {
    let mut only_metadata = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            only_metadata &= is_metadata(&scan.table_name) || is_work_table(scan);
        }
        Ok(if only_metadata { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(only_metadata)
}

/// The names of the tables outside the archive that `plan` reads, in which views are inlined.
pub(crate) fn external_tables(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut names = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && !is_metadata(&scan.table_name)
        {
            let is_internal = source_as_provider(&scan.source).is_ok_and(|provider| {
                let provider: &dyn std::any::Any = provider.as_ref();
                archive_table(provider).is_some()
            });
            if !is_internal && !is_work_table(scan) {
                names.push(scan.table_name.to_string());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names)
}

/// Whether `scan` reads the rows that a recursive common table expression made before. What that reads is in the plan.
pub(crate) fn is_work_table(scan: &TableScan) -> bool {
    source_as_provider(&scan.source).is_ok_and(|provider| {
        let provider: &dyn std::any::Any = provider.as_ref();
        provider.is::<CteWorkTable>()
    })
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

    #[tokio::test]
    async fn a_recursive_common_table_expression_reads_what_its_parts_read() {
        let context = datafusion::prelude::SessionContext::new();
        context.sql("CREATE TABLE t AS SELECT 1 AS v").await.unwrap();
        for (start, expected) in [("SELECT 1 AS v", true), ("SELECT v FROM public.t", false)] {
            let sql =
                format!("WITH RECURSIVE n AS ({start} UNION ALL SELECT v + 1 FROM n WHERE v < 3) SELECT * FROM n");
            let plan = context.sql(&sql).await.unwrap().into_unoptimized_plan();
            assert_eq!(reads_only_metadata(&plan).unwrap(), expected, "{start}");
        }
    }
}
