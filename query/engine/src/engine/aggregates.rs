//! Recognises statements that show only figures about many rows.
//!
//! If the configuration allows it, these statements run without a record. So their result must not show one row, one
//! session or one person, and a doubtful statement is not recognised. Every row that is read must go into an aggregate
//! of operational columns, whose results are numbers, and whose groups are made of columns of low cardinality.

use crate::scan::{archive_table, tier_of};
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use holdfast_events::Tier;

/// Columns of low cardinality: each value is in many rows.
const LOW_CARDINALITY: [&str; 18] = [
    "agent",
    "class",
    "date",
    "issue_type",
    "kind",
    "mode",
    "owner",
    "portal",
    "priority",
    "queue",
    "rating",
    "reason",
    "resolution",
    "resolved",
    "skill",
    "state",
    "status",
    "type",
];

/// Whether the optimized `plan` shows only such figures.
pub(super) fn shows_only_aggregates(plan: &LogicalPlan) -> Result<bool> {
    if let LogicalPlan::Aggregate(aggregate) = plan {
        return Ok(is_numeric_summary(aggregate)? && reads_operational_only(plan)?);
    }
    // A comparison with a subquery reveals the subquery's result.
    let mut has_subquery = false;
    plan.apply_expressions(|expression| {
        has_subquery |= expression.exists(|part| {
            Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_)))
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if has_subquery || matches!(plan, LogicalPlan::TableScan(_) | LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return Ok(false);
    }
    for input in plan.inputs() {
        if !shows_only_aggregates(input)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_numeric_summary(aggregate: &Aggregate) -> Result<bool> {
    let grouped = aggregate.group_expr.iter().all(|expression| {
        let columns = expression.column_refs();
        columns.iter().all(|column| LOW_CARDINALITY.contains(&column.name.as_str()))
    });
    let groups = aggregate.group_expr_len()?;
    let results = aggregate.schema.fields().iter().skip(groups);
    Ok(grouped && results.map(|field| field.data_type()).all(|kind| kind.is_numeric()))
}

fn reads_operational_only(plan: &LogicalPlan) -> Result<bool> {
    let mut operational = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let provider = source_as_provider(&scan.source)?;
            let provider: &dyn std::any::Any = provider.as_ref();
            if let Some(table) = archive_table(provider) {
                let schema = scan.source.schema();
                let columns =
                    scan.projected_schema.fields().iter().filter_map(|field| schema.index_of(field.name()).ok());
                operational &= columns.into_iter().all(|column| tier_of(table.table(), column) == Tier::Operational);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(operational)
}
