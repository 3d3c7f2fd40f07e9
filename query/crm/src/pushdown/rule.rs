//! The optimizer rule: finds the largest parts of a plan that concern the CRM's tables alone and that the CRM computes as the
//! engine would.
//!
//! ```text
//!            Join                        Join
//!           /    \                      /    \
//!     archive    Aggregate     ──▶  archive   Federated (one statement)
//!                   |
//!           Join of tickets, contacts
//! ```
//!
//! A part is one `SELECT`: tables, joined, filtered, grouped, projected, sorted, limited, in this order.
//!
//! The rule runs after the engine's own rules, when filters and projections have been pushed down. It leaves a plan without a
//! table of the CRM unchanged. A node that the CRM could compute differently stays in the engine: text is ordered only here,
//! because a database orders it by its own collation, and a function is computed here unless both compute it equally.

use crate::pushdown::execute::Planner;
use crate::pushdown::expression::{can_evaluate, is_comparable, is_ordered};
use crate::pushdown::statement::check_writable;
use crate::remote::database::Database;
use crate::remote::dialect::SqlDialect;
use crate::table::RemoteTable;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, Extension, Join, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion_federation::FederatedPlanNode;
use std::sync::Arc;

/// Replaces the parts that the CRM computes by federated nodes.
#[derive(Debug, Default)]
pub(crate) struct PushToCrm;

impl OptimizerRule for PushToCrm {
    fn name(&self) -> &str {
        "push_to_crm"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut reads_crm = false;
        plan.apply_with_subqueries(|node| {
            reads_crm |= matches!(node, LogicalPlan::TableScan(scan) if RemoteTable::of(scan).is_some());
            Ok(if reads_crm { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if !reads_crm {
            return Ok(Transformed::no(plan));
        }
        plan.transform_down_with_subqueries(|node| {
            // The table provider plans a scan that is not part of more.
            if matches!(node, LogicalPlan::TableScan(_)) {
                return Ok(Transformed::no(node));
            }
            let Some((database, _)) = sole_database(&node) else {
                return Ok(Transformed::no(node));
            };
            let part = without_pruning(with_columns(node.clone())?)?;
            if check_writable(&part, database.dialect(), database.binds_values()).is_err() {
                return Ok(Transformed::no(node));
            }
            let federated = FederatedPlanNode::new(part, Arc::new(Planner(database)));
            let federated = LogicalPlan::Extension(Extension { node: Arc::new(federated) });
            Ok(Transformed::new(federated, true, TreeNodeRecursion::Jump))
        })
    }
}

/// The last clause of a part's `SELECT` so far. A part never needs an outer `SELECT`: the unparser would merge a limit with what
/// is computed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A table, with the filters and limit of its scan.
    Source,
    Joined,
    Filtered,
    Aggregated,
    /// A filter on groups.
    Having,
    Projected,
    Sorted,
    Limited,
}

/// The CRM's database, if `plan` reads nothing else, the CRM can compute each node, and they form one `SELECT`.
fn sole_database(plan: &LogicalPlan) -> Option<(Arc<Database>, Stage)> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            return RemoteTable::of(scan).map(|table| (Arc::clone(&table.database), Stage::Source));
        }
        LogicalPlan::SubqueryAlias(alias) => {
            return matches!(*alias.input, LogicalPlan::TableScan(_)).then(|| sole_database(&alias.input)).flatten();
        }
        _ => {}
    }
    let parts = plan.inputs().into_iter().map(sole_database).collect::<Option<Vec<_>>>()?;
    let (database, _) = parts.first()?;
    let is_sole = parts.iter().all(|(other, _)| Arc::ptr_eq(database, other));
    let stages: Vec<Stage> = parts.iter().map(|(_, stage)| *stage).collect();
    let stage = stage_over(plan, &stages)?;
    (is_sole && can_compute(plan, database.dialect())).then(|| (Arc::clone(database), stage))
}

/// The stage of `node` over inputs at the stages `inputs`. `None` if it does not fit into the same `SELECT`.
fn stage_over(node: &LogicalPlan, inputs: &[Stage]) -> Option<Stage> {
    use Stage::*;
    // The input of a sort or a limit lists its columns.
    let lists_columns = |input: &LogicalPlan| {
        matches!(input, LogicalPlan::Projection(_) | LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_))
    };
    match (node, inputs) {
        (LogicalPlan::Join(_), [Source | Joined, Source]) => Some(Joined),
        (LogicalPlan::Filter(_), [Source | Joined]) => Some(Filtered),
        (LogicalPlan::Filter(_), [Aggregated]) => Some(Having),
        // It is removed within the part.
        (LogicalPlan::Projection(projection), [stage @ (Source | Joined | Filtered)]) if only_prunes(projection) => {
            Some(*stage)
        }
        (LogicalPlan::Projection(_), [Source | Joined | Filtered | Aggregated | Having]) => Some(Projected),
        (LogicalPlan::Aggregate(_), [Source | Joined | Filtered]) => Some(Aggregated),
        (LogicalPlan::Sort(sort), [_]) if lists_columns(&sort.input) => Some(Sorted),
        (LogicalPlan::Limit(limit), [Sorted]) => match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Some(Limited),
            _ => None,
        },
        (LogicalPlan::Limit(limit), [_]) if lists_columns(&limit.input) => Some(Limited),
        _ => None,
    }
}

/// Whether `projection` only selects columns.
fn only_prunes(projection: &Projection) -> bool {
    projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
}

/// `plan` without the projections in it that only select columns. The nodes above them name their columns.
fn without_pruning(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names_columns = matches!(
        plan,
        LogicalPlan::Join(_) | LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)
    );
    let plan = plan.map_children(|input| {
        let input = match without_pruning(input)? {
            LogicalPlan::Projection(projection) if names_columns && only_prunes(&projection) => {
                Arc::unwrap_or_clone(projection.input)
            }
            other => other,
        };
        Ok(Transformed::yes(input))
    });
    plan?.data.recompute_schema()
}

/// Lists the columns of a join or a filter in their order, with a projection.
fn with_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !matches!(plan, LogicalPlan::Join(_) | LogicalPlan::Filter(_)) {
        return Ok(plan);
    }
    let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

fn can_compute(node: &LogicalPlan, dialect: SqlDialect) -> bool {
    let input = || node.inputs().first().map(|input| Arc::clone(input.schema()));
    match node {
        LogicalPlan::Projection(projection) => {
            input().is_some_and(|schema| projection.expr.iter().all(|expr| can_evaluate(expr, &*schema, dialect)))
        }
        LogicalPlan::Filter(filter) => input().is_some_and(|schema| can_evaluate(&filter.predicate, &*schema, dialect)),
        LogicalPlan::Join(join) => can_join(join, dialect),
        LogicalPlan::Aggregate(aggregate) => can_aggregate(aggregate, dialect),
        LogicalPlan::Sort(sort) => {
            dialect.sorts_nulls()
                && input().is_some_and(|schema| {
                    sort.expr.iter().all(|key| {
                        can_evaluate(&key.expr, &*schema, dialect) && is_ordered(&key.expr, &*schema, dialect)
                    })
                })
        }
        LogicalPlan::Limit(limit) => {
            let is_number = |expr: &Option<Box<Expr>>| {
                expr.as_ref().is_none_or(|expr| matches!(expr.as_ref(), Expr::Literal(ScalarValue::Int64(Some(_)), _)))
            };
            let skips = match limit.skip.as_deref() {
                None | Some(Expr::Literal(ScalarValue::Int64(Some(0)), _)) => false,
                Some(_) => true,
            };
            let can_skip = matches!(dialect, SqlDialect::Postgres | SqlDialect::MySql | SqlDialect::Sqlite);
            is_number(&limit.fetch) && is_number(&limit.skip) && limit.fetch.is_some() && (can_skip || !skips)
        }
        _ => false,
    }
}

fn can_join(join: &Join, dialect: SqlDialect) -> bool {
    let kind = match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right => true,
        JoinType::Full => dialect.has_full_join(),
        _ => false,
    };
    let (left, right) = (join.left.schema(), join.right.schema());
    kind && join.null_equality == NullEquality::NullEqualsNothing
        && join.on.iter().all(|(a, b)| {
            can_evaluate(a, &**left, dialect)
                && can_evaluate(b, &**right, dialect)
                && is_comparable(a, &**left, dialect)
                && is_comparable(b, &**right, dialect)
        })
        && join
            .filter
            .as_ref()
            .is_none_or(|filter| left.join(right).is_ok_and(|both| can_evaluate(filter, &both, dialect)))
}

fn can_aggregate(aggregate: &Aggregate, dialect: SqlDialect) -> bool {
    let schema: &DFSchema = aggregate.input.schema();
    let groups = aggregate.group_expr.iter().all(|expr| {
        !matches!(expr, Expr::GroupingSet(_))
            && can_evaluate(expr, schema, dialect)
            && is_comparable(expr, schema, dialect)
    });
    groups && aggregate.aggr_expr.iter().all(|expr| can_compute_aggregate(expr, schema, dialect))
}

fn can_compute_aggregate(expr: &Expr, schema: &DFSchema, dialect: SqlDialect) -> bool {
    match expr {
        Expr::Alias(alias) => can_compute_aggregate(&alias.expr, schema, dialect),
        Expr::AggregateFunction(call) => {
            let parameters = &call.params;
            let is_plain = parameters.filter.is_none()
                && parameters.order_by.is_empty()
                && parameters.null_treatment.is_none()
                && parameters.args.len() == 1;
            let [argument] = parameters.args.as_slice() else { return false };
            let numeric = argument.get_type(schema).is_ok_and(|data_type| data_type.is_numeric());
            let is_known = match call.func.name() {
                "count" => !parameters.distinct || is_comparable(argument, schema, dialect),
                "sum" => numeric && !parameters.distinct,
                "min" | "max" => is_ordered(argument, schema, dialect),
                "avg" => numeric && !parameters.distinct && dialect.averages(),
                _ => false,
            };
            is_plain && is_known && can_evaluate(argument, schema, dialect)
        }
        _ => false,
    }
}
