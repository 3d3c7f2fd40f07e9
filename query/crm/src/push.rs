//! What the CRM is asked to compute: the largest parts of a plan that concern its tables alone and that it computes as
//! the engine would.
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
//! The rule runs after the engine's own, when filters and columns have sunk to where they belong. A plan without a table
//! of the CRM passes untouched. A node that the CRM could answer differently stays here: text is ordered here only, since
//! a database orders it by its own collation, and functions are computed here unless they are known to agree.

use crate::dialect::Language;
use crate::execute::Planner;
use crate::remote::Database;
use crate::statement::is_writable;
use crate::table::RemoteTable;
use arrow_schema::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ExprSchema, JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, Extension, Join, LogicalPlan, Operator, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion_federation::FederatedPlanNode;
use std::sync::Arc;

/// The most values that a list may have to be sent.
const LONGEST_LIST: usize = 1000;

/// Cuts out what the CRM computes.
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
        let mut concerned = false;
        plan.apply_with_subqueries(|node| {
            concerned |= matches!(node, LogicalPlan::TableScan(scan) if RemoteTable::of(scan).is_some());
            Ok(if concerned { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if !concerned {
            return Ok(Transformed::no(plan));
        }
        plan.transform_down_with_subqueries(|node| {
            // A scan alone is asked for by its table itself.
            if matches!(node, LogicalPlan::TableScan(_)) {
                return Ok(Transformed::no(node));
            }
            let Some((database, _)) = sole_database(&node) else {
                return Ok(Transformed::no(node));
            };
            let part = without_pruning(with_columns(node.clone())?)?;
            if is_writable(&part, database.language()).is_err() {
                return Ok(Transformed::no(node));
            }
            let federated = FederatedPlanNode::new(part, Arc::new(Planner(database)));
            let federated = LogicalPlan::Extension(Extension { node: Arc::new(federated) });
            Ok(Transformed::new(federated, true, TreeNodeRecursion::Jump))
        })
    }
}

/// How far a part has come to be one `SELECT`. The writer of statements is given nothing that would need another one
/// around it: it would merge a limit with what is computed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A table, with its own filters and limit inside.
    Source,
    Joined,
    Filtered,
    Aggregated,
    /// Groups were filtered.
    Having,
    Projected,
    Sorted,
    Limited,
}

/// The CRM's database, if `plan` reads nothing else, each of its nodes can be computed there, and they are one `SELECT`.
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
    (is_sole && can_compute(plan, database.language())).then(|| (Arc::clone(database), stage))
}

/// The stage of `node`, whose inputs have come to `inputs`; none if it does not fit into the same `SELECT`.
fn stage_over(node: &LogicalPlan, inputs: &[Stage]) -> Option<Stage> {
    use Stage::*;
    // What is sorted or limited says itself which columns it has.
    let says_columns = |input: &LogicalPlan| {
        matches!(input, LogicalPlan::Projection(_) | LogicalPlan::TableScan(_) | LogicalPlan::SubqueryAlias(_))
    };
    match (node, inputs) {
        (LogicalPlan::Join(_), [Source | Joined, Source]) => Some(Joined),
        (LogicalPlan::Filter(_), [Source | Joined]) => Some(Filtered),
        (LogicalPlan::Filter(_), [Aggregated]) => Some(Having),
        // Within the part it is left out.
        (LogicalPlan::Projection(projection), [stage @ (Source | Joined | Filtered)]) if is_plain(projection) => {
            Some(*stage)
        }
        (LogicalPlan::Projection(_), [Source | Joined | Filtered | Aggregated | Having]) => Some(Projected),
        (LogicalPlan::Aggregate(_), [Source | Joined | Filtered]) => Some(Aggregated),
        (LogicalPlan::Sort(sort), [_]) if says_columns(&sort.input) => Some(Sorted),
        (LogicalPlan::Limit(limit), [Sorted]) => match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Some(Limited),
            _ => None,
        },
        (LogicalPlan::Limit(limit), [_]) if says_columns(&limit.input) => Some(Limited),
        _ => None,
    }
}

/// Whether `projection` only leaves columns out.
fn is_plain(projection: &Projection) -> bool {
    projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
}

/// `plan` without the projections in it that only leave columns out. What is above them names its columns.
fn without_pruning(plan: LogicalPlan) -> Result<LogicalPlan> {
    let names_columns = matches!(
        plan,
        LogicalPlan::Join(_) | LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)
    );
    let plan = plan.map_children(|input| {
        let input = match without_pruning(input)? {
            LogicalPlan::Projection(projection) if names_columns && is_plain(&projection) => {
                Arc::unwrap_or_clone(projection.input)
            }
            other => other,
        };
        Ok(Transformed::yes(input))
    });
    plan?.data.recompute_schema()
}

/// A join or a filter says which columns it has, and in which order.
fn with_columns(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !matches!(plan, LogicalPlan::Join(_) | LogicalPlan::Filter(_)) {
        return Ok(plan);
    }
    let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

fn can_compute(node: &LogicalPlan, language: Language) -> bool {
    let input = || node.inputs().first().map(|input| Arc::clone(input.schema()));
    match node {
        LogicalPlan::Projection(projection) => {
            input().is_some_and(|schema| projection.expr.iter().all(|expr| can_evaluate(expr, &*schema, language)))
        }
        LogicalPlan::Filter(filter) => {
            input().is_some_and(|schema| can_evaluate(&filter.predicate, &*schema, language))
        }
        LogicalPlan::Join(join) => can_join(join, language),
        LogicalPlan::Aggregate(aggregate) => can_aggregate(aggregate, language),
        LogicalPlan::Sort(sort) => {
            language.sorts_nulls()
                && input().is_some_and(|schema| {
                    sort.expr.iter().all(|key| {
                        can_evaluate(&key.expr, &*schema, language) && is_ordered(&key.expr, &*schema, language)
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
            let can_skip = matches!(language, Language::Postgres | Language::MySql | Language::Sqlite);
            is_number(&limit.fetch) && is_number(&limit.skip) && limit.fetch.is_some() && (can_skip || !skips)
        }
        _ => false,
    }
}

fn can_join(join: &Join, language: Language) -> bool {
    let kind = match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right => true,
        JoinType::Full => language.has_full_join(),
        _ => false,
    };
    let (left, right) = (join.left.schema(), join.right.schema());
    kind && join.null_equality == NullEquality::NullEqualsNothing
        && join.on.iter().all(|(a, b)| {
            can_evaluate(a, &**left, language)
                && can_evaluate(b, &**right, language)
                && is_comparable(a, &**left, language)
                && is_comparable(b, &**right, language)
        })
        && join
            .filter
            .as_ref()
            .is_none_or(|filter| left.join(right).is_ok_and(|both| can_evaluate(filter, &both, language)))
}

fn can_aggregate(aggregate: &Aggregate, language: Language) -> bool {
    let schema: &DFSchema = aggregate.input.schema();
    let groups = aggregate.group_expr.iter().all(|expr| {
        !matches!(expr, Expr::GroupingSet(_))
            && can_evaluate(expr, schema, language)
            && is_comparable(expr, schema, language)
    });
    groups && aggregate.aggr_expr.iter().all(|expr| can_summarise(expr, schema, language))
}

fn can_summarise(expr: &Expr, schema: &DFSchema, language: Language) -> bool {
    match expr {
        Expr::Alias(alias) => can_summarise(&alias.expr, schema, language),
        Expr::AggregateFunction(call) => {
            let parameters = &call.params;
            let plain = parameters.filter.is_none()
                && parameters.order_by.is_empty()
                && parameters.null_treatment.is_none()
                && parameters.args.len() == 1;
            let [argument] = parameters.args.as_slice() else { return false };
            let numeric = argument.get_type(schema).is_ok_and(|data_type| data_type.is_numeric());
            let known = match call.func.name() {
                "count" => !parameters.distinct || is_comparable(argument, schema, language),
                "sum" => numeric && !parameters.distinct,
                "min" | "max" => is_ordered(argument, schema, language),
                "avg" => numeric && !parameters.distinct && language.averages(),
                _ => false,
            };
            plain && known && can_evaluate(argument, schema, language)
        }
        _ => false,
    }
}

/// Whether the rows of a table of `schema` may be filtered by `filter` over there.
pub(crate) fn can_filter(filter: &Expr, schema: &Schema, language: Language) -> bool {
    let filter = unnormalize_col(filter.clone());
    DFSchema::try_from(schema.clone()).is_ok_and(|schema| can_evaluate(&filter, &schema, language))
}

fn can_evaluate(expr: &Expr, schema: &dyn ExprSchema, language: Language) -> bool {
    let all = |parts: &[&Expr]| parts.iter().all(|part| can_evaluate(part, schema, language));
    match expr {
        Expr::Alias(alias) => all(&[&alias.expr]),
        Expr::Column(_) => true,
        Expr::Literal(value, _) => is_sendable(value, language),
        Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => all(&[inner]),
        Expr::BinaryExpr(binary) => {
            let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
            let both = |test: fn(&Expr, &dyn ExprSchema, Language) -> bool| {
                test(left, schema, language) && test(right, schema, language)
            };
            let known = match binary.op {
                Operator::And | Operator::Or => true,
                Operator::Eq | Operator::NotEq => both(is_comparable),
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => both(is_ordered),
                _ => false,
            };
            known && all(&[left, right])
        }
        Expr::Between(between) => {
            let parts = [between.expr.as_ref(), &between.low, &between.high];
            all(&parts) && parts.iter().all(|part| is_ordered(part, schema, language))
        }
        Expr::InList(list) => {
            list.list.len() <= LONGEST_LIST
                && is_comparable(&list.expr, schema, language)
                && all(&[&list.expr])
                && list.list.iter().all(|value| matches!(value, Expr::Literal(..)) && all(&[value]))
        }
        Expr::Like(like) => {
            language.matches_patterns() && like.escape_char.is_none() && all(&[&like.expr, &like.pattern])
        }
        Expr::ScalarFunction(call) => {
            matches!(call.name(), "coalesce" | "nullif") && call.args.iter().all(|argument| all(&[argument]))
        }
        // Text of a number or a UUID, as it is needed to compare one with another.
        Expr::Cast(cast) => {
            let from = cast.expr.get_type(schema);
            language == Language::Postgres
                && matches!(cast.field.data_type(), DataType::Utf8 | DataType::Utf8View)
                && matches!(from, Ok(DataType::Int64 | DataType::Utf8))
                && all(&[&cast.expr])
        }
        _ => false,
    }
}

fn is_sendable(value: &ScalarValue, language: Language) -> bool {
    match value {
        ScalarValue::Null
        | ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::Int64(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_)
        | ScalarValue::UInt64(_)
        | ScalarValue::Utf8(_)
        | ScalarValue::Utf8View(_)
        | ScalarValue::LargeUtf8(_)
        | ScalarValue::Decimal128(..) => true,
        ScalarValue::Float64(value) => value.is_none_or(f64::is_finite),
        ScalarValue::Boolean(_) => language.has_booleans(),
        ScalarValue::Date32(_) => language.compares_times(),
        // In PostgreSQL and MySQL a time with six digits is exact.
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..) => language.compares_times(),
        ScalarValue::TimestampNanosecond(value, _) => {
            language.compares_times() && value.is_none_or(|nanos| nanos % 1000 == 0)
        }
        _ => false,
    }
}

/// Whether equality over there is equality here.
fn is_comparable(expr: &Expr, schema: &dyn ExprSchema, language: Language) -> bool {
    match expr.get_type(schema) {
        Ok(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null) => true,
        Ok(DataType::Boolean) => language.has_booleans(),
        Ok(_) => is_ordered(expr, schema, language),
        Err(_) => false,
    }
}

/// Whether the order over there is the order here.
fn is_ordered(expr: &Expr, schema: &dyn ExprSchema, language: Language) -> bool {
    match expr.get_type(schema) {
        Ok(DataType::Date32 | DataType::Timestamp(..)) => language.compares_times(),
        Ok(data_type) => data_type.is_numeric(),
        Err(_) => false,
    }
}
