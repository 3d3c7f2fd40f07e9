//! Operators that the engine plans as calls of its own functions, not of the registered ones.

use super::bounded::bound_call;
use datafusion::common::{DFSchema, Result};
use datafusion::functions_nested::planner::NestedFunctionPlanner;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};

/// Plans `@>`, `<@`, `||`, `ARRAY[..]` and `MAP {..}` as bounded calls. It comes before the engine's planner, because
/// the arguments of a table function are computed as soon as they are planned.
#[derive(Debug)]
pub(crate) struct BoundedOperators;

impl ExprPlanner for BoundedOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(bound(NestedFunctionPlanner.plan_binary_op(expr, schema)?))
    }

    fn plan_array_literal(&self, exprs: Vec<Expr>, schema: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(bound(NestedFunctionPlanner.plan_array_literal(exprs, schema)?))
    }

    fn plan_make_map(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(bound(NestedFunctionPlanner.plan_make_map(args)?))
    }
}

/// The planned call is new, and a map's arguments are. What is below them has its bounds.
fn bound<T>(planned: PlannerResult<T>) -> PlannerResult<T> {
    match planned {
        PlannerResult::Planned(Expr::ScalarFunction(mut call)) => {
            call.args = call.args.into_iter().map(bound_call).collect();
            PlannerResult::Planned(bound_call(Expr::ScalarFunction(call)))
        }
        other => other,
    }
}
