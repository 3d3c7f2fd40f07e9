//! Aggregates that collect values, over a subquery with ORDER BY: `string_agg (x, ',') FROM (SELECT .. ORDER BY y) t`. PostgreSQL reads
//! the rows in the order of the subquery (PostgreSQL 15, 9.21). The engine forgets that order, so the rows are counted in it, and the
//! aggregate is ordered by their numbers.
//!
//! ```text
//! array_agg(x)                             array_agg(x ORDER BY place)
//!   filters, lists of columns      ─▶        the same, with the place
//!     sorted by y                              row_number() OVER (ORDER BY y) AS place
//! ```

use crate::SqlError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprFunctionExt, Filter, Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, SubqueryAlias,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The name of the number of a row.
const PLACE: &str = "place of a sorted row";

/// The rule. To be before those of order.
#[derive(Debug)]
pub(crate) struct SortedRows;

impl AnalyzerRule for SortedRows {
    fn name(&self) -> &str {
        "aggregates_of_sorted_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
    let mut collects = false;
    for expression in &aggregate.aggr_expr {
        collects |= expression.exists(|part| Ok(collects_unsorted(part)))?;
    }
    if !collects {
        return Ok(Transformed::no(node));
    }
    let Some((input, place)) = placed(&aggregate.input)? else { return Ok(Transformed::no(node)) };
    let names = NamePreserver::new(&node);
    let aggr_expr = aggregate
        .aggr_expr
        .iter()
        .map(|expression| {
            let name = names.save(expression);
            let sorted = expression.clone().transform_down(|part| Ok(by_place(part, &place)))?;
            Ok(if sorted.transformed { name.restore(sorted.data) } else { sorted.data })
        })
        .collect::<Result<Vec<Expr>>>()?;
    let sorted = Aggregate::try_new(Arc::new(input), aggregate.group_expr.clone(), aggr_expr)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(sorted)))
}

/// Whether the order of rows matters to an aggregate, which does not say one.
fn collects_unsorted(part: &Expr) -> bool {
    matches!(part, Expr::AggregateFunction(call)
        if matches!(call.func.name(), "array_agg" | "string_agg") && call.params.order_by.is_empty() && !call.params.distinct)
}

fn by_place(part: Expr, place: &Column) -> Transformed<Expr> {
    if !collects_unsorted(&part) {
        return Transformed::no(part);
    }
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = part else { return Transformed::no(part) };
    params.order_by = vec![Expr::Column(place.clone()).sort(true, false)];
    Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params }))
}

/// The rows with their places, if they are sorted.
fn placed(rows: &LogicalPlan) -> Result<Option<(LogicalPlan, Column)>> {
    let beneath = |input: &LogicalPlan| -> Result<Option<(Arc<LogicalPlan>, Column)>> {
        Ok(placed(input)?.map(|(input, place)| (Arc::new(input), place)))
    };
    Ok(match rows {
        LogicalPlan::Sort(Sort { expr, input, fetch }) => {
            let number =
                Expr::from(WindowFunction::new(row_number_udwf(), Vec::new())).order_by(expr.clone()).build()?;
            let counted = LogicalPlanBuilder::from(Arc::clone(input)).window([number.alias(PLACE)]);
            // The order is that of a column which the subquery does not show, beside one of that name.
            let refused =
                |_| SqlError::not_supported("an aggregate over rows in the order of a hidden column is not supported");
            let input = counted.and_then(LogicalPlanBuilder::build).map_err(refused)?;
            let rows = match fetch {
                None => input,
                fetch => LogicalPlan::Sort(Sort { expr: expr.clone(), input: Arc::new(input), fetch: *fetch }),
            };
            Some((rows, Column::new_unqualified(PLACE)))
        }
        LogicalPlan::Limit(Limit { skip, fetch, input }) => match &**input {
            // The first rows of the order are wanted.
            LogicalPlan::Sort(Sort { expr, .. }) => beneath(input)?.map(|(input, place)| {
                // The one that only keeps the order.
                let is_none = |limit: &Option<Box<Expr>>| match limit.as_deref() {
                    None => true,
                    Some(Expr::Literal(ScalarValue::Int64(Some(rows)), _)) => *rows == i64::MAX,
                    Some(_) => false,
                };
                if skip.is_none() && is_none(fetch) {
                    return (Arc::unwrap_or_clone(input), place);
                }
                let input = match &*input {
                    sorted @ LogicalPlan::Sort(_) => Arc::new(sorted.clone()),
                    _ => Arc::new(LogicalPlan::Sort(Sort { expr: expr.clone(), input, fetch: None })),
                };
                (LogicalPlan::Limit(Limit { skip: skip.clone(), fetch: fetch.clone(), input }), place)
            }),
            _ => None,
        },
        LogicalPlan::Filter(Filter { predicate, input, .. }) => match beneath(input)? {
            Some((input, place)) => Some((LogicalPlan::Filter(Filter::try_new(predicate.clone(), input)?), place)),
            None => None,
        },
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match beneath(input)? {
            Some((input, _)) => {
                let rows = SubqueryAlias::try_new(input, alias.clone())?;
                Some((LogicalPlan::SubqueryAlias(rows), Column::new(Some(alias.clone()), PLACE)))
            }
            None => None,
        },
        LogicalPlan::Projection(Projection { expr, input, .. }) => match beneath(input)? {
            Some((input, place)) => {
                let columns = expr.iter().cloned().chain([Expr::Column(place.clone())]).collect();
                Some((LogicalPlan::Projection(Projection::try_new(columns, input)?), place))
            }
            None => None,
        },
        _ => None,
    })
}
