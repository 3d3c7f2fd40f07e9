//! Intervals are compared by their lengths, in which a month has 30 days and a day 24 hours; the engine compares months first.
//!
//! | in a statement | becomes |
//! |---|---|
//! | comparisons, BETWEEN, IN, conditions of joins | the same of lengths |
//! | ORDER BY, of windows and aggregates as well | by the length |
//! | GROUP BY, DISTINCT, UNION | by the length; the interval is the first one of the group |
//! | `count(DISTINCT x)` | of lengths |
//! | `min(x)`, `max(x)` | the first one in the order of lengths |
//! | `greatest`, `least`, `nullif` | functions of lengths |
//!
//! A difference of times, which is a number of microseconds, needs nothing of it: its order is that of its length.

use super::arithmetic::length;
use super::values::{DIFFERENCE, interval_at};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{Decimal128Type, IntervalMonthDayNanoType};
use arrow_schema::{DataType, IntervalUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, InList, InSubquery, ScalarFunction, Sort, WindowFunction, WindowFunctionDefinition,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Aggregate, Between, BinaryExpr, Case, Cast, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder,
    Operator, ScalarUDF,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// The type of a length in nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// The rule.
#[derive(Debug)]
pub(crate) struct ByLength {
    length: Arc<ScalarUDF>,
    greatest: Arc<ScalarUDF>,
    least: Arc<ScalarUDF>,
}

impl Default for ByLength {
    fn default() -> Self {
        let of_intervals = |name, evaluate| {
            let takes = vec![Takes::Of(PgType::Interval)];
            let form = Form::new(takes, Returns::Of(|| PgType::Interval), evaluate).variadic();
            Arc::new(Function::new(name, vec![form]).udf())
        };
        let length = Form::new(vec![Takes::Any], Returns::Computed(|_| Ok(LENGTH)), lengths);
        Self {
            length: Arc::new(Function::new("interval_length", vec![length]).udf()),
            greatest: of_intervals("greatest_interval", |call| extreme(call, true)),
            least: of_intervals("least_interval", |call| extreme(call, false)),
        }
    }
}

/// `Takes::Any` takes a difference as an interval; its length is the same.
fn lengths(call: &Call) -> Result<ArrayRef> {
    let intervals = call.any(0);
    call.primitives::<Decimal128Type>(|row| Ok(interval_at(&intervals, row)?.map(length)))
}

fn extreme(call: &Call, is_greatest: bool) -> Result<ArrayRef> {
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let given = (0..call.len()).filter_map(|argument| call.interval(argument).get(row));
        // Of those that are equal, the first.
        Ok(given.reduce(|best, next| {
            let is_better = if is_greatest { length(next) > length(best) } else { length(next) < length(best) };
            if is_better { next } else { best }
        }))
    })
}

impl AnalyzerRule for ByLength {
    fn name(&self) -> &str {
        "intervals_by_length"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

/// Reads the texts beside an interval in a comparison as intervals.
#[derive(Debug)]
pub(crate) struct TextsAsIntervals;

impl ExprPlanner for TextsAsIntervals {
    fn plan_binary_op(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_compared = matches!(
            expr.op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        if is_compared && let (Ok(right), Ok(left)) = (expr.right.get_type(schema), expr.left.get_type(schema)) {
            let as_interval = |text: Expr| Expr::Cast(Cast::new(Box::new(text), PgType::Interval.arrow()));
            if left.is_string() && PgType::of(&right) == PgType::Interval {
                expr.left = as_interval(expr.left);
            } else if right.is_string() && PgType::of(&left) == PgType::Interval {
                expr.right = as_interval(expr.right);
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

impl AnalyzerRule for TextsAsIntervals {
    fn name(&self) -> &str {
        "texts_beside_intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let of_node = |node: LogicalPlan| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expression| {
                let name = names.save(&expression);
                let rewritten = expression.transform_up(|part| Ok(beside_interval(part, &schema)))?;
                Ok(rewritten.update_data(|expression| name.restore(expression)))
            })
        };
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

/// BETWEEN and IN, the constant texts of which are intervals if the value is one.
fn beside_interval(part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_interval = |value: &Expr| value.get_type(schema).is_ok_and(|known| PgType::of(&known) == PgType::Interval);
    let read = |text: &mut Expr| {
        if matches!(text, Expr::Literal(value, _) if value.data_type().is_string()) {
            let value = std::mem::take(text);
            *text = Expr::Cast(Cast::new(Box::new(value), PgType::Interval.arrow()));
        }
    };
    match part {
        Expr::Between(Between { expr, negated, mut low, mut high }) if is_interval(&expr) => {
            read(&mut low);
            read(&mut high);
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::InList(InList { expr, mut list, negated }) if is_interval(&expr) => {
            list.iter_mut().for_each(read);
            Transformed::yes(Expr::InList(InList { expr, list, negated }))
        }
        other => Transformed::no(other),
    }
}

fn is_interval(data_type: &DataType) -> bool {
    *data_type == DataType::Interval(IntervalUnit::MonthDayNano)
}

fn is_interval_in(expression: &Expr, schema: &DFSchema) -> bool {
    expression.get_type(schema).is_ok_and(|data_type| is_interval(&data_type))
}

impl ByLength {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| self.of_part(part, &schema))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        };
        let node = node.map_expressions(|expression| match expression {
            set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
            other => rewrite(other),
        })?;
        let is_new = node.transformed;
        let node = self.by_keys(node.data, &schema)?;
        Ok(Transformed::new_transformed(node.data, is_new || node.transformed))
    }

    /// The keys of a node: of a sort, a join or groups.
    fn by_keys(&self, node: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
        match node {
            LogicalPlan::Sort(mut sort) => {
                let is_new = self.sorted(&mut sort.expr, schema);
                Ok(Transformed::new_transformed(LogicalPlan::Sort(sort), is_new))
            }
            LogicalPlan::Join(mut join) => {
                let mut is_new = false;
                for (left, right) in &mut join.on {
                    if is_interval_in(left, schema) && is_interval_in(right, schema) {
                        *left = self.length_of(std::mem::take(left));
                        *right = self.length_of(std::mem::take(right));
                        is_new = true;
                    }
                }
                Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_new))
            }
            LogicalPlan::Aggregate(aggregate) => self.grouped(aggregate, schema),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let has_interval = input.schema().fields().iter().any(|field| is_interval(field.data_type()));
                if !has_interval {
                    return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
                }
                let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
                let schema = Arc::clone(input.schema());
                let aggregate = Aggregate::try_new(input, columns, Vec::new())?;
                self.grouped(aggregate, &schema)
            }
            LogicalPlan::Distinct(Distinct::On(on)) => {
                if on.on_expr.iter().any(|expression| is_interval_in(expression, schema)) {
                    return Err(SqlError::not_supported("DISTINCT ON of an interval is not supported").into());
                }
                Ok(Transformed::no(LogicalPlan::Distinct(Distinct::On(on))))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Groups by lengths, each with its first interval.
    fn grouped(&self, aggregate: Aggregate, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
        let Aggregate { input, group_expr, aggr_expr, schema: of_result, .. } = aggregate;
        let unchanged = |input, group_expr, aggr_expr| -> Result<Transformed<LogicalPlan>> {
            Ok(Transformed::no(LogicalPlan::Aggregate(Aggregate::try_new(input, group_expr, aggr_expr)?)))
        };
        let is_set = |expression: &Expr| matches!(expression, Expr::GroupingSet(_));
        if let Some(set) = group_expr.iter().find(|expression| is_set(expression)) {
            let mut has_interval = false;
            set.apply_children(|part| {
                has_interval |= is_interval_in(part, schema);
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            })?;
            if has_interval {
                return Err(SqlError::not_supported("grouping sets of an interval are not supported").into());
            }
            return unchanged(input, group_expr, aggr_expr);
        }
        if !group_expr.iter().any(|expression| is_interval_in(expression, schema)) {
            return unchanged(input, group_expr, aggr_expr);
        }
        let groups = group_expr.len();
        let (mut keys, mut firsts, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for expression in group_expr {
            if is_interval_in(&expression, schema) {
                let bare = expression.clone().unalias();
                places.push(Err(firsts.len()));
                firsts.push(first_of(bare.clone(), Vec::new()).alias(format!("interval {}", firsts.len())));
                keys.push(self.length_of(bare).alias(format!("length {}", keys.len())));
            } else {
                places.push(Ok(keys.len()));
                keys.push(expression);
            }
        }
        let aggregates = aggr_expr.len();
        let all = aggr_expr.into_iter().chain(firsts).collect();
        let grouped = Aggregate::try_new(input, keys, all)?;
        let columns = grouped.schema.columns();
        let column = |place: usize| Expr::Column(columns[place].clone());
        // Under their names, in their order.
        let named = of_result.iter().enumerate().map(|(place, (qualifier, field))| {
            let value = match places.get(place) {
                Some(Ok(key)) => column(*key),
                Some(Err(first)) => column(groups + aggregates + first),
                None => column(place),
            };
            value.alias_qualified(qualifier.cloned(), field.name())
        });
        let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(grouped)).project(named.collect::<Vec<_>>())?;
        Ok(Transformed::yes(plan.build()?))
    }

    fn of_part(&self, part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let (mut operands, is_new) = self.comparable(vec![*left, *right], schema);
                let right = Box::new(operands.remove(1));
                let left = Box::new(operands.remove(0));
                Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_new)
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let (mut operands, is_new) = self.comparable(vec![*expr, *low, *high], schema);
                let high = Box::new(operands.remove(2));
                let low = Box::new(operands.remove(1));
                let expr = Box::new(operands.remove(0));
                Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), is_new)
            }
            Expr::InList(InList { expr, mut list, negated }) => {
                list.insert(0, *expr);
                let (mut list, is_new) = self.comparable(list, schema);
                let expr = Box::new(list.remove(0));
                Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), is_new)
            }
            Expr::InSubquery(InSubquery { expr, mut subquery, negated }) if is_interval_in(&expr, schema) => {
                let columns = subquery.subquery.schema().columns();
                let plan = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery));
                let lengths = columns.into_iter().map(|column| self.length_of(Expr::Column(column)));
                subquery.subquery = Arc::new(plan.project(lengths.collect::<Vec<_>>())?.build()?);
                let expr = Box::new(self.length_of(*expr));
                Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }))
            }
            Expr::ScalarFunction(call) => self.of_call(call, schema),
            Expr::AggregateFunction(aggregate) => self.of_aggregate(aggregate, schema),
            Expr::WindowFunction(window) => self.of_window(*window, schema)?,
            other => Transformed::no(other),
        })
    }

    fn of_call(&self, mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
        let extreme = match call.func.name() {
            "greatest" => &self.greatest,
            "least" => &self.least,
            "nullif" if call.args.len() == 2 && is_interval_in(&call.args[0], schema) => {
                let other = call.args.remove(1);
                let value = call.args.remove(0);
                let are_equal = self.length_of(value.clone()).eq(self.length_of(other));
                let null = Expr::Literal(datafusion::common::ScalarValue::IntervalMonthDayNano(None), None);
                let when = vec![(Box::new(are_equal), Box::new(null))];
                return Transformed::yes(Expr::Case(Case::new(None, when, Some(Box::new(value)))));
            }
            _ => return Transformed::no(Expr::ScalarFunction(call)),
        };
        if !call.args.iter().any(|argument| is_interval_in(argument, schema)) {
            return Transformed::no(Expr::ScalarFunction(call));
        }
        call.func = Arc::clone(extreme);
        Transformed::yes(Expr::ScalarFunction(call))
    }

    fn of_aggregate(&self, mut aggregate: AggregateFunction, schema: &DFSchema) -> Transformed<Expr> {
        let mut is_new = self.sorted(&mut aggregate.params.order_by, schema);
        let is_of_interval = matches!(aggregate.params.args.as_slice(), [of] if is_interval_in(of, schema));
        match aggregate.func.name() {
            name @ ("min" | "max") if is_of_interval => {
                let value = aggregate.params.args.remove(0);
                let by = Sort::new(self.length_of(value.clone()), name == "min", false);
                let mut first = first_of(value, vec![by]);
                if let Expr::AggregateFunction(first) = &mut first {
                    first.params.filter = aggregate.params.filter;
                }
                return Transformed::yes(first);
            }
            "count" if is_of_interval && aggregate.params.distinct => {
                let value = aggregate.params.args.remove(0);
                aggregate.params.args.push(self.length_of(value));
                is_new = true;
            }
            _ => {}
        }
        Transformed::new_transformed(Expr::AggregateFunction(aggregate), is_new)
    }

    fn of_window(&self, mut window: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let mut is_new = self.sorted(&mut window.params.order_by, schema);
        for key in &mut window.params.partition_by {
            if is_interval_in(key, schema) {
                *key = self.length_of(std::mem::take(key));
                is_new = true;
            }
        }
        if let WindowFunctionDefinition::AggregateUDF(function) = &window.fun
            && matches!(function.name(), "min" | "max")
            && window.params.args.iter().any(|argument| is_interval_in(argument, schema))
        {
            let what = format!("{} of intervals over a window is not supported", function.name());
            return Err(SqlError::not_supported(what).into());
        }
        Ok(Transformed::new_transformed(Expr::from(window), is_new))
    }

    /// Makes lengths of intervals by which something is sorted.
    fn sorted(&self, keys: &mut [Sort], schema: &DFSchema) -> bool {
        let mut is_new = false;
        for key in keys {
            if is_interval_in(&key.expr, schema) {
                key.expr = self.length_of(std::mem::take(&mut key.expr));
                is_new = true;
            }
        }
        is_new
    }

    /// The operands of a comparison, which have one type, and whether they are other ones now.
    fn comparable(&self, operands: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
        let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
        let Ok(types) = types else { return (operands, false) };
        let are_intervals = types.iter().all(|data_type| is_interval(data_type) || *data_type == DIFFERENCE);
        if !are_intervals || !types.iter().any(is_interval) {
            return (operands, false);
        }
        (operands.into_iter().map(|operand| self.length_of(operand)).collect(), true)
    }

    fn length_of(&self, interval: Expr) -> Expr {
        call(&self.length, interval.unalias())
    }
}

fn first_of(value: Expr, order_by: Vec<Sort>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(first_value_udaf(), vec![value], false, None, order_by, None))
}

fn call(function: &Arc<ScalarUDF>, argument: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), vec![argument]))
}

fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}
