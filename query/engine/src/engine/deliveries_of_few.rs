//! Repeated deliveries of a few subjects, found in one scan.
//!
//! ```text
//! events ANTI JOIN (row_number > 1 of (events SEMI JOIN events with count > 1)) ─▶ row_number = 1 of events
//! ```
//!
//! Few of all events are delivered more than once, so `archive.deduplicated_events` finds these first, which needs three scans
//! and two joins. A few subjects have so few events that planning all that takes longer than to sort them once.

use super::few_subjects::{names_few_subjects, table_of};
use crate::scan::tier_of;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::logical_plan::TableScanBuilder;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, Join, JoinType, LogicalPlan, Operator, Projection, SubqueryAlias, TableScan, Window, lit,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use holdfast_events::Tier;
use std::sync::Arc;

/// What identifies an event.
const EVENT: [&str; 4] = ["subject", "type", "source", "id"];
/// What identifies a delivery, beside the subject and the type.
const POSITION: [&str; 3] = ["kafka_topic", "kafka_partition", "kafka_offset"];

/// Replaces the joins of [`self`] by a window, if the scans name a few subjects.
#[derive(Debug)]
pub(super) struct DeliveriesOfFew;

impl OptimizerRule for DeliveriesOfFew {
    fn name(&self) -> &'static str {
        "deliveries_of_few"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        Ok(match first_deliveries(join)? {
            Some(first) => Transformed::yes(first),
            None => Transformed::no(plan),
        })
    }
}

/// The rows of `join`, read once. `None` if it does not leave out repeated deliveries, or if its subjects are many.
fn first_deliveries(join: &Join) -> Result<Option<LogicalPlan>> {
    let keys = [EVENT[0], EVENT[1], POSITION[0], POSITION[1], POSITION[2]];
    let is_anti = join.join_type == JoinType::LeftAnti && join.filter.is_none() && !join.null_aware;
    if !is_anti || !are_equal(&join.on, &keys) {
        return Ok(None);
    }
    let Some((window, ordinal, of_keys)) = repeated(&join.right)? else { return Ok(None) };
    let Some(deliveries) = of_duplicated(&window.input)? else { return Ok(None) };
    let (Some(events), Some(counted)) = (Scanned::of(&join.left)?, Scanned::of(deliveries)?) else { return Ok(None) };
    let Some(further) = events.further_than(&counted) else { return Ok(None) };
    let Some(relation) = relation_of(deliveries) else { return Ok(None) };
    let are_named_alike = [&window.input, &join.left].iter().all(|plan| relation_of(plan).as_ref() == Some(&relation));
    // What filters only repeated deliveries, by what they are joined with, must filter the events as well.
    let is_known = of_keys.iter().all(|predicate| events.predicates.contains(predicate));
    // Rows that are filtered above the window count as read.
    let reads_others = !further.is_empty() && events.reads_protected();
    // The engine moves a filter that depends on no column below the window, where it would leave out first deliveries alone.
    let depends_on_chance = events.predicates.iter().any(Expr::is_volatile);
    if !are_named_alike || !is_known || reads_others || depends_on_chance || !names_few_subjects(counted.scan) {
        return Ok(None);
    }

    let scan = counted.with_columns_of(&events, &further)?;
    let aliased = LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(scan), relation.clone())?);
    let windowed = LogicalPlan::Window(Window::try_new(window.window_expr.clone(), Arc::new(aliased))?);
    let is_first = Expr::from(Column::from_name(ordinal)).eq(lit(1_i64));
    let further = further.into_iter().map(|predicate| qualified(predicate, Some(&relation)));
    let kept = further.collect::<Result<Vec<_>>>()?.into_iter().fold(is_first, Expr::and);
    let first = LogicalPlan::Filter(Filter::try_new(kept, Arc::new(windowed))?);
    let columns = join.schema.columns().into_iter().map(Expr::from).collect();
    Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(first))?)))
}

/// The window that counts the deliveries of each event, and the name of its column, if `plan` has those after the first; and
/// what else filters these.
fn repeated(plan: &LogicalPlan) -> Result<Option<(&Window, String, Vec<Expr>)>> {
    let LogicalPlan::Filter(filter) = peeled(plan) else { return Ok(None) };
    let LogicalPlan::Window(window) = peeled(&filter.input) else { return Ok(None) };
    let [ordinal] = window.window_expr.as_slice() else { return Ok(None) };
    let name = ordinal.schema_name().to_string();
    let Expr::WindowFunction(function) = ordinal else { return Ok(None) };
    let WindowFunction { fun, params } = function.as_ref();
    let by_position = params.order_by.iter().map(|sort| &sort.expr);
    let counts = fun.name() == "row_number"
        && params.filter.is_none()
        && are_columns(params.partition_by.iter(), &EVENT)
        && are_columns(by_position, &POSITION)
        && params.order_by.iter().all(|sort| sort.asc);
    let (is_repeated, others): (Vec<_>, Vec<_>) =
        split_conjunction(&filter.predicate).into_iter().partition(|part| is_more_than_one(part, &name));
    let others = others.into_iter().map(|part| qualified(part.clone(), None)).collect::<Result<Vec<_>>>()?;
    Ok((counts && !is_repeated.is_empty()).then_some((window, name, others)))
}

/// The deliveries that a window counts, all of them, if it is asked for those that are not alone.
fn of_duplicated(plan: &LogicalPlan) -> Result<Option<&LogicalPlan>> {
    let LogicalPlan::Join(join) = peeled(plan) else { return Ok(None) };
    if join.join_type != JoinType::RightSemi || join.filter.is_some() || !are_equal(&join.on, &EVENT) {
        return Ok(None);
    }
    let LogicalPlan::Filter(filter) = peeled(&join.left) else { return Ok(None) };
    let LogicalPlan::Aggregate(groups) = peeled(&filter.input) else { return Ok(None) };
    let [count] = groups.aggr_expr.as_slice() else { return Ok(None) };
    let counts = are_columns(groups.group_expr.iter(), &EVENT)
        && counts_rows(count)
        && is_more_than_one(&filter.predicate, &count.schema_name().to_string());
    let (Some(all), Some(deliveries)) = (Scanned::of(&groups.input)?, Scanned::of(&join.right)?) else {
        return Ok(None);
    };
    let are_same =
        |one: &Scanned<'_>, other: &Scanned<'_>| one.further_than(other).is_some_and(|further| further.is_empty());
    Ok((counts && are_same(&all, &deliveries) && are_same(&deliveries, &all)).then_some(join.right.as_ref()))
}

/// A scan and what its rows are filtered by, in terms of its columns without qualifiers.
struct Scanned<'a> {
    scan: &'a TableScan,
    predicates: Vec<Expr>,
}

impl<'a> Scanned<'a> {
    fn of(plan: &'a LogicalPlan) -> Result<Option<Self>> {
        let mut predicates: Vec<Expr> = Vec::new();
        let mut add = |predicate: &Expr| -> Result<()> {
            for part in split_conjunction(predicate) {
                let part = qualified(part.clone(), None)?;
                if !predicates.contains(&part) {
                    predicates.push(part);
                }
            }
            Ok(())
        };
        let mut plan = peeled(plan);
        while let LogicalPlan::Filter(filter) = plan {
            add(&filter.predicate)?;
            plan = peeled(&filter.input);
        }
        let LogicalPlan::TableScan(scan) = plan else { return Ok(None) };
        scan.filters.iter().try_for_each(add)?;
        Ok(scan.fetch.is_none().then_some(Self { scan, predicates }))
    }

    /// Whether columns are read that need keys of their own.
    fn reads_protected(&self) -> bool {
        let Some(table) = table_of(self.scan) else { return true };
        let schema = table.schema();
        self.scan.projected_schema.fields().iter().any(|field| match schema.index_of(field.name()) {
            Ok(column) => tier_of(table, column) != Tier::Operational,
            Err(_) => true,
        })
    }

    /// What filters these rows and not those of `other`. `None` if something filters only those.
    fn further_than(&self, other: &Self) -> Option<Vec<Expr>> {
        let are_within = self.scan.table_name == other.scan.table_name
            && other.predicates.iter().all(|predicate| self.predicates.contains(predicate));
        let further = self.predicates.iter().filter(|predicate| !other.predicates.contains(predicate));
        are_within.then(|| further.cloned().collect())
    }

    /// The rows of this scan, with the columns of `events` and those of `predicates` as well.
    fn with_columns_of(&self, events: &Scanned<'_>, predicates: &[Expr]) -> Result<LogicalPlan> {
        let (table, source) = (&self.scan.table_name, &self.scan.source);
        let schema = source.schema();
        let mut names: Vec<String> = EVENT.iter().chain(&POSITION).map(ToString::to_string).collect();
        for scan in [self.scan, events.scan] {
            names.extend(scan.projected_schema.fields().iter().map(|field| field.name().clone()));
        }
        for predicate in predicates.iter().chain(&self.predicates) {
            names.extend(predicate.column_refs().into_iter().map(|column| column.name.clone()));
        }
        let mut projection = names.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        projection.sort_unstable();
        projection.dedup();
        let scan = TableScanBuilder::new(table.clone(), Arc::clone(source))
            .with_projection(Some(projection))
            .with_filters(self.scan.filters.clone())
            .build()?;
        let scan = LogicalPlan::TableScan(scan);
        let predicates = self.predicates.iter().map(|predicate| qualified(predicate.clone(), Some(table)));
        Ok(match conjunction(predicates.collect::<Result<Vec<_>>>()?) {
            Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(scan))?),
            None => scan,
        })
    }
}

/// What is beneath other names and selections of columns.
fn peeled(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => peeled(&alias.input),
        LogicalPlan::Projection(projection) if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) => {
            peeled(&projection.input)
        }
        other => other,
    }
}

/// The one name that qualifies all columns of `plan`.
fn relation_of(plan: &LogicalPlan) -> Option<TableReference> {
    let mut relations = plan.schema().iter().map(|(relation, _)| relation);
    let first = relations.next()??;
    relations.all(|relation| relation == Some(first)).then(|| first.clone())
}

fn qualified(expression: Expr, relation: Option<&TableReference>) -> Result<Expr> {
    expression
        .transform(|part| {
            Ok(match part {
                Expr::Column(column) => Transformed::yes(Expr::Column(Column::new(relation.cloned(), column.name))),
                other => Transformed::no(other),
            })
        })
        .data()
}

/// Whether the keys of a join are the columns `names` of both sides.
fn are_equal(on: &[(Expr, Expr)], names: &[&str]) -> bool {
    are_columns(on.iter().map(|(left, _)| left), names)
        && on.iter().all(|(left, right)| match (left, right) {
            (Expr::Column(left), Expr::Column(right)) => left.name == right.name,
            _ => false,
        })
}

/// Whether `expressions` are the columns `names`, each once and in any order.
fn are_columns<'a>(expressions: impl ExactSizeIterator<Item = &'a Expr> + Clone, names: &[&str]) -> bool {
    let is_among = |name: &str| {
        expressions.clone().any(|expression| matches!(expression, Expr::Column(column) if column.name == name))
    };
    expressions.len() == names.len() && names.iter().all(|name| is_among(name))
}

fn is_more_than_one(predicate: &Expr, name: &str) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Gt, right }) = predicate else { return false };
    matches!(left.as_ref(), Expr::Column(column) if column.name == name)
        && matches!(right.as_ref(), Expr::Literal(ScalarValue::Int64(Some(1)), _))
}

fn counts_rows(expression: &Expr) -> bool {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = expression else { return false };
    let is_constant = matches!(params.args.as_slice(), [Expr::Literal(value, _)] if !value.is_null());
    func.name() == "count" && is_constant && params.filter.is_none()
}
