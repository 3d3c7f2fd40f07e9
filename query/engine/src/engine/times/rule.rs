//! Compares times as microseconds, once the types of a statement are known.
//!
//! | the engine's | becomes | because |
//! |---|---|---|
//! | comparisons of microseconds as nanoseconds | comparisons of microseconds | most times have no nanoseconds |
//! | casts of times to finer units | casts that may be NULL | it fails |
//!
//! Every expression keeps its type and its name.

use super::rounded::Rounded;
use crate::engine::names::map_named_expressions;
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast,
};
use datafusion::optimizer::AnalyzerRule;
use holdfast_dialect::recomputed;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(super) struct Microseconds {
    rounded: Arc<ScalarUDF>,
}

impl Default for Microseconds {
    fn default() -> Self {
        Self { rounded: Arc::new(Rounded::udf()) }
    }
}

impl AnalyzerRule for Microseconds {
    fn name(&self) -> &str {
        "times_in_microseconds"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

impl Microseconds {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&node.inputs());
        let node =
            map_named_expressions(node, |expression| expression.transform_up(|part| Ok(self.of_part(part, &schema))))?;
        // A result may be NULL where the engine's was not.
        node.map_data(recomputed)
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
            Expr::Cast(cast) => of_cast(cast, schema),
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
        Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))
    }

    /// The operands of a comparison, which have one type, and whether they are other ones now.
    fn comparable(&self, operands: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
        let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
        let Ok(types) = types else { return (operands, false) };
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
}

fn of_cast(cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
    let Ok(from) = cast.expr.get_type(schema) else { return Transformed::no(Expr::Cast(cast)) };
    match (&from, cast.field.data_type()) {
        (DataType::Timestamp(one, _), DataType::Timestamp(other, _)) if one < other => {
            Transformed::yes(Expr::TryCast(TryCast::new_from_field(cast.expr, cast.field)))
        }
        _ => Transformed::no(Expr::Cast(cast)),
    }
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

fn is_nanos(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Nanosecond, _))
}

/// Whether a value in nanoseconds was cast from something without them.
fn is_of_coarser(operand: &Expr, schema: &DFSchema) -> bool {
    let (Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. })) = operand else { return false };
    expr.get_type(schema).is_ok_and(|data_type| data_type.is_temporal() && !is_nanos(&data_type))
}
