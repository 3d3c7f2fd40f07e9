//! Operators that are planned here, because the engine plans its own functions, or nanoseconds, for them.

use super::part::DatePart;
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// Plans `EXTRACT`, and differences of a time in microseconds and a date or a time in another unit.
#[derive(Debug)]
pub(crate) struct TimeOperators {
    date_part: Arc<ScalarUDF>,
}

impl Default for TimeOperators {
    fn default() -> Self {
        Self { date_part: Arc::new(DatePart::udf()) }
    }
}

impl ExprPlanner for TimeOperators {
    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let call = ScalarFunction::new_udf(Arc::clone(&self.date_part), args);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }

    fn plan_binary_op(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        // The type of a placeholder is not known yet.
        // That of what is subtracted comes first: in a chain of intervals, what is before it takes long.
        if expr.op == BinaryOperator::Minus
            && let Ok(right) = expr.right.get_type(schema)
            && matches!(right, DataType::Timestamp(..) | DataType::Date32)
            && let Ok(left) = expr.left.get_type(schema)
        {
            if let Some(coarser) = to_subtract(&left, &right) {
                expr.right = Expr::Cast(Cast::new(Box::new(expr.right), coarser));
            } else if let Some(coarser) = to_subtract(&right, &left) {
                expr.left = Expr::Cast(Cast::new(Box::new(expr.left), coarser));
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// The type of `one` if it is one of microseconds and `other` a date or a time in another unit.
fn to_subtract(one: &DataType, other: &DataType) -> Option<DataType> {
    let is_micros = |data_type: &DataType| matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _));
    let is_other = matches!(other, DataType::Timestamp(..) | DataType::Date32) && !is_micros(other);
    (is_micros(one) && is_other).then(|| one.clone())
}
