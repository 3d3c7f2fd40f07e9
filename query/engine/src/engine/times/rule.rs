//! Computes with times over all microseconds, once the types of a statement are known.
//!
//! | the engine's | becomes | because |
//! |---|---|---|
//! | comparisons of microseconds as nanoseconds | comparisons of microseconds | most times have no nanoseconds |
//! | comparisons of intervals | comparisons of their lengths | it compares months first, and differences have none |
//! | `time - time`, `time ± interval` | functions of [`super::arithmetic`] and [`super::shift`] | it fails where a result does not fit |
//! | numbers as times | seconds since 1970 | they would be microseconds |
//! | other casts of times to finer units | casts that may be NULL | it fails |
//! | casts of times to texts and dates | of those that it has a date for | it fails |
//! | casts of differences to intervals | a function that counts days | it fails beyond 292 years |
//!
//! Every expression keeps its type and its name.

use super::arithmetic::{Arithmetic, Operation};
use super::interval::Sign;
use super::shift::{with_interval, without_intervals};
use super::written::Written;
use crate::engine::names::map_named_expressions;
use arrow_schema::{DataType, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast, Union,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(super) struct WholeRange {
    difference: Arc<ScalarUDF>,
    length: Arc<ScalarUDF>,
    interval: Arc<ScalarUDF>,
    rounded: Arc<ScalarUDF>,
    written: Arc<ScalarUDF>,
}

impl Default for WholeRange {
    fn default() -> Self {
        let of = |operation| Arc::new(Arithmetic::udf(operation));
        Self {
            difference: of(Operation::Difference),
            length: of(Operation::Length),
            interval: of(Operation::Interval),
            rounded: of(Operation::Rounded),
            written: Arc::new(Written::udf()),
        }
    }
}

impl AnalyzerRule for WholeRange {
    fn name(&self) -> &str {
        "times_over_their_whole_range"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

impl WholeRange {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&node.inputs());
        let node =
            map_named_expressions(node, |expression| expression.transform_up(|part| Ok(self.of_part(part, &schema))))?;
        // A result may be NULL where the engine's was not.
        node.map_data(|node| match node {
            LogicalPlan::Union(union) => as_nullable_as_its_inputs(union).map(LogicalPlan::Union),
            other => other.recompute_schema(),
        })
    }

    fn of_part(&self, part: Expr, schema: &DFSchema) -> Transformed<Expr> {
        match part {
            Expr::BinaryExpr(binary) => self.of_binary(binary, schema),
            Expr::Between(Between { expr, negated, low, high }) => {
                let (mut operands, is_new) = self.comparable(vec![*expr, *low, *high], schema);
                let high = Box::new(operands.remove(2));
                let low = Box::new(operands.remove(1));
                let expr = Box::new(operands.remove(0));
                changed(Expr::Between(Between { expr, negated, low, high }), is_new)
            }
            Expr::InList(InList { expr, mut list, negated }) => {
                list.insert(0, *expr);
                let (mut list, is_new) = self.comparable(list, schema);
                let expr = Box::new(list.remove(0));
                changed(Expr::InList(InList { expr, list, negated }), is_new)
            }
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
                if is_number_as_time(&expr, &field, schema) =>
            {
                Transformed::yes(of_seconds(expr, field))
            }
            Expr::Cast(cast) => self.of_cast(cast, schema),
            other => Transformed::no(other),
        }
    }

    fn of_binary(&self, binary: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
        let BinaryExpr { left, op, right } = binary;
        if is_comparison(op) {
            let (mut operands, is_new) = self.comparable(vec![*left, *right], schema);
            let right = Box::new(operands.remove(1));
            let left = Box::new(operands.remove(0));
            return changed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_new);
        }
        // The type of the right operand comes first: in a chain it is found at once, and that of the left one is not.
        let is_sum = matches!(op, Operator::Plus | Operator::Minus);
        let right_type = if is_sum { right.get_type(schema).ok() } else { None };
        let Some(right_type) = right_type.filter(|right| is_micros(right) || is_interval(right)) else {
            return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
        };
        let Ok(left_type) = without_intervals(&left).get_type(schema) else {
            return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
        };
        match op {
            Operator::Minus if is_micros(&left_type) && is_micros(&right_type) => {
                Transformed::yes(call(&self.difference, vec![*left, *right]))
            }
            Operator::Minus if is_micros(&left_type) => Transformed::yes(with_interval(*left, Sign::Minus, *right)),
            Operator::Plus if is_micros(&left_type) && is_interval(&right_type) => {
                Transformed::yes(with_interval(*left, Sign::Plus, *right))
            }
            Operator::Plus if is_interval(&left_type) && is_micros(&right_type) => {
                Transformed::yes(with_interval(*right, Sign::Plus, *left))
            }
            _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
        }
    }

    /// The operands of a comparison, which have one type, and whether they are other ones now.
    fn comparable(&self, operands: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
        let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
        let Ok(types) = types else { return (operands, false) };
        if types.iter().all(is_interval) && types.iter().any(|data_type| matches!(data_type, DataType::Interval(_))) {
            let length = |operand| call(&self.length, vec![self.uncast_difference(operand, schema)]);
            return (operands.into_iter().map(length).collect(), true);
        }
        let are_nanoseconds = types.iter().all(is_nanos);
        if !are_nanoseconds || !operands.iter().any(|operand| is_of_coarser(operand, schema)) {
            return (operands, false);
        }
        (operands.into_iter().map(|operand| self.in_microseconds(operand, schema)).collect(), true)
    }

    /// A value in nanoseconds as one in microseconds, without a detour through nanoseconds.
    fn in_microseconds(&self, operand: Expr, schema: &DFSchema) -> Expr {
        let Ok(DataType::Timestamp(_, zone)) = operand.get_type(schema) else { return operand };
        let microseconds = DataType::Timestamp(TimeUnit::Microsecond, zone);
        let source = match operand {
            Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. })
                if !expr.get_type(schema).is_ok_and(|from| is_nanos(&from) || from.is_numeric()) =>
            {
                expr
            }
            nanoseconds => return call(&self.rounded, vec![nanoseconds]),
        };
        match source.get_type(schema) {
            Ok(data_type) if data_type == microseconds => *source,
            _ => Expr::Cast(Cast::new(source, microseconds)),
        }
    }

    /// A difference that was cast to an interval, or that became one here, as it was.
    fn uncast_difference(&self, operand: Expr, schema: &DFSchema) -> Expr {
        match operand {
            Expr::Cast(Cast { expr, .. }) if is_difference(&expr, schema) => *expr,
            Expr::ScalarFunction(mut call) if call.func == self.interval && call.args.len() == 1 => call.args.remove(0),
            other => other,
        }
    }

    fn of_cast(&self, cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
        let Ok(from) = cast.expr.get_type(schema) else { return Transformed::no(Expr::Cast(cast)) };
        match (&from, cast.field.data_type()) {
            (DataType::Timestamp(one, zone), DataType::Timestamp(other, to_zone))
                if one < other || (zone.is_none() && to_zone.as_deref().is_some_and(|zone| zone != "UTC")) =>
            {
                Transformed::yes(Expr::TryCast(TryCast::new_from_field(cast.expr, cast.field)))
            }
            (DataType::Duration(_), DataType::Interval(IntervalUnit::MonthDayNano)) => {
                Transformed::yes(call(&self.interval, vec![*cast.expr]))
            }
            (from, to) if is_micros(from) && is_written(to) => {
                let written = call(&self.written, vec![*cast.expr]);
                Transformed::yes(Expr::Cast(Cast::new_from_field(Box::new(written), cast.field)))
            }
            _ => Transformed::no(Expr::Cast(cast)),
        }
    }
}

fn as_nullable_as_its_inputs(union: Union) -> Result<Union> {
    let Union { inputs, schema } = union;
    let is_nullable = |column: usize| {
        inputs.iter().any(|input| input.schema().fields().get(column).is_some_and(|field| field.is_nullable()))
    };
    let fields = schema.iter().enumerate().map(|(column, (qualifier, field))| {
        (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(is_nullable(column))))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(Union { inputs, schema: Arc::new(schema) })
}

/// Whether a number is cast to a time in microseconds.
fn is_number_as_time(expression: &Expr, to: &FieldRef, schema: &DFSchema) -> bool {
    is_micros(to.data_type()) && expression.get_type(schema).is_ok_and(|data_type| data_type.is_numeric())
}

/// A number as a time: seconds since 1970, as the engine counts those of its own type `TIMESTAMP`.
fn of_seconds(number: Box<Expr>, to: FieldRef) -> Expr {
    let zone = match to.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let seconds = Expr::TryCast(TryCast::new(number, DataType::Timestamp(TimeUnit::Second, zone)));
    Expr::TryCast(TryCast::new_from_field(Box::new(seconds), to))
}

fn call(function: &Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), arguments))
}

fn changed(expression: Expr, is_new: bool) -> Transformed<Expr> {
    if is_new { Transformed::yes(expression) } else { Transformed::no(expression) }
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

fn is_micros(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _))
}

fn is_nanos(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Nanosecond, _))
}

/// An interval, or the difference of two times in microseconds.
fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Duration(TimeUnit::Microsecond))
}

fn is_difference(expression: &Expr, schema: &DFSchema) -> bool {
    matches!(expression.get_type(schema), Ok(DataType::Duration(_)))
}

/// What a time is written as.
fn is_written(data_type: &DataType) -> bool {
    data_type.is_string()
        || matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_))
}

/// Whether a value in nanoseconds was cast from something without them.
fn is_of_coarser(operand: &Expr, schema: &DFSchema) -> bool {
    let (Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. })) = operand else { return false };
    expr.get_type(schema).is_ok_and(|data_type| data_type.is_temporal() && !is_nanos(&data_type))
}
