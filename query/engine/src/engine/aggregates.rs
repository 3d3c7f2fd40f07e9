//! Recognises statements that show only figures about many rows.
//!
//! If the configuration allows it, these statements run without a record. So their result must not show one row, one
//! session or one person, and a doubtful statement is not recognised.
//!
//! ```text
//! a table of the archive ─▶ filters by coarse columns and times ─▶ groups by coarse columns ─▶ count, sum, avg, min, max
//!                                                                                              of plain columns: numbers
//! ```
//!
//! Nothing else is between the table and the figures: no join, no limit, no function, and no column that can name a
//! session, a customer or a ticket. Rows of other sources, the CRM's among them, are not recognised.

use crate::scan::{archive_table, tier_of};
use arrow_schema::Field;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, TableScan};
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

/// Columns with figures, such as seconds, bytes and counts.
const FIGURES: [&str; 11] = [
    "chat_lines",
    "diagnostics",
    "duration",
    "events",
    "files",
    "handled",
    "reboots",
    "recordings",
    "size",
    "transfers",
    "waited",
];

/// The functions whose results are shown.
const FUNCTIONS: [&str; 5] = ["avg", "count", "max", "min", "sum"];

/// What a column is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Filters and groups: each value is in many rows.
    Coarse,
    /// Filters.
    Time,
    /// Arguments of the functions only.
    Figure,
}

/// Whether the optimized `plan` shows only such figures.
pub(super) fn shows_only_aggregates(plan: &LogicalPlan) -> Result<bool> {
    if let LogicalPlan::Aggregate(aggregate) = plan {
        let groups = aggregate.group_expr_len()?;
        let results = aggregate.schema.fields().iter().skip(groups);
        return Ok(results.map(|field| field.data_type()).all(|kind| kind.is_numeric()) && kinds(plan)?.is_some());
    }
    // A comparison with a subquery reveals the subquery's result.
    let mut has_subquery = false;
    plan.apply_expressions(|expression| {
        has_subquery |= expression.exists(|part| Ok(is_subquery(part)))?;
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

fn is_subquery(part: &Expr) -> bool {
    matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_))
}

/// The kinds of the columns of `plan`. `None` if its rows may be few, or a column has no kind.
fn kinds(plan: &LogicalPlan) -> Result<Option<Vec<Kind>>> {
    match plan {
        LogicalPlan::TableScan(scan) => of_table(scan),
        LogicalPlan::SubqueryAlias(node) => kinds(&node.input),
        LogicalPlan::Filter(node) => {
            let Some(input) = kinds(&node.input)? else { return Ok(None) };
            let keeps_many = keeps_many(&node.predicate, |column| kind_of(column, node.input.schema(), &input))?;
            Ok(keeps_many.then_some(input))
        }
        LogicalPlan::Projection(node) => {
            let Some(input) = kinds(&node.input)? else { return Ok(None) };
            Ok(node.expr.iter().map(|expression| kind_of(expression, node.input.schema(), &input)).collect())
        }
        LogicalPlan::Aggregate(node) => of_groups(node),
        _ => Ok(None),
    }
}

fn of_table(scan: &TableScan) -> Result<Option<Vec<Kind>>> {
    let Ok(provider) = source_as_provider(&scan.source) else { return Ok(None) };
    let provider: &dyn std::any::Any = provider.as_ref();
    let Some(table) = archive_table(provider) else { return Ok(None) };
    if scan.fetch.is_some() {
        return Ok(None);
    }
    let schema = scan.source.schema();
    let named = |name: &str| {
        let (index, field) = schema.column_with_name(name)?;
        kind_of_field(field).filter(|_| tier_of(table.table(), index) == Tier::Operational)
    };
    for filter in &scan.filters {
        let of_column = |column: &Expr| match column {
            Expr::Column(column) => named(&column.name),
            _ => None,
        };
        if !keeps_many(filter, of_column)? {
            return Ok(None);
        }
    }
    Ok(scan.projected_schema.fields().iter().map(|field| named(field.name())).collect())
}

fn kind_of_field(field: &Field) -> Option<Kind> {
    let name = field.name().as_str();
    if LOW_CARDINALITY.contains(&name) {
        Some(Kind::Coarse)
    } else if field.data_type().is_temporal() {
        Some(Kind::Time)
    } else {
        FIGURES.contains(&name).then_some(Kind::Figure)
    }
}

/// Groups by coarse columns, and figures of them.
fn of_groups(aggregate: &Aggregate) -> Result<Option<Vec<Kind>>> {
    let Some(input) = kinds(&aggregate.input)? else { return Ok(None) };
    let of = |expression: &Expr| kind_of(expression, aggregate.input.schema(), &input);
    if !aggregate.group_expr.iter().all(|group| of(group) == Some(Kind::Coarse)) {
        return Ok(None);
    }
    for result in &aggregate.aggr_expr {
        let Expr::AggregateFunction(function) = unaliased(result) else { return Ok(None) };
        let parameters = &function.params;
        let is_plain = |argument: &Expr| matches!(argument, Expr::Literal(..)) || of(argument).is_some();
        let keeps_many = match &parameters.filter {
            Some(filter) => keeps_many(filter, of)?,
            None => true,
        };
        let is_listed = FUNCTIONS.contains(&function.func.name()) && parameters.order_by.is_empty();
        if !keeps_many || !is_listed || !parameters.args.iter().all(is_plain) {
            return Ok(None);
        }
    }
    let groups = aggregate.group_expr.iter().map(|_| Kind::Coarse);
    Ok(Some(groups.chain(aggregate.aggr_expr.iter().map(|_| Kind::Figure)).collect()))
}

/// Whether a filter compares nothing but coarse columns and times. `kind` is the kind of a column.
fn keeps_many(filter: &Expr, kind: impl Fn(&Expr) -> Option<Kind>) -> Result<bool> {
    let tells_more = filter.exists(|part| {
        Ok(match part {
            Expr::Column(_) => !matches!(kind(part), Some(Kind::Coarse | Kind::Time)),
            Expr::OuterReferenceColumn(..) | Expr::Placeholder(_) | Expr::ScalarVariable(..) => true,
            other => is_subquery(other),
        })
    })?;
    Ok(!tells_more && !filter.is_volatile())
}

/// The kind of a column under any name and type. Other expressions have none.
fn kind_of(expression: &Expr, schema: &DFSchema, kinds: &[Kind]) -> Option<Kind> {
    match expression {
        Expr::Column(column) => kinds.get(schema.maybe_index_of_column(column)?).copied(),
        Expr::Alias(alias) => kind_of(&alias.expr, schema, kinds),
        Expr::Cast(cast) => kind_of(&cast.expr, schema, kinds),
        _ => None,
    }
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
