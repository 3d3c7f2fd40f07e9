//! Operators that the engine plans as calls of its own functions, not of the registered ones.

use super::bounded::bound_call;
use super::bounded_operator::bound_operator;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result};
use datafusion::functions_nested::planner::NestedFunctionPlanner;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Plans `@>`, `<@`, `||`, `ARRAY[..]` and `MAP {..}` as bounded calls, and operators over constant texts. It comes before
/// the engine's planner, because the arguments of a table function are computed as soon as they are planned.
#[derive(Debug)]
pub(crate) struct BoundedOperators;

impl ExprPlanner for BoundedOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        Ok(match bound(NestedFunctionPlanner.plan_binary_op(expr, schema)?) {
            PlannerResult::Original(RawBinaryExpr { op, left, right }) => match text_operator(&op) {
                Some(operator) if is_constant(&left)? && is_constant(&right)? => {
                    let (left, right) = (Box::new(left), Box::new(right));
                    PlannerResult::Planned(bound_operator(Expr::BinaryExpr(BinaryExpr::new(left, operator, right))))
                }
                _ => PlannerResult::Original(RawBinaryExpr { op, left, right }),
            },
            planned => planned,
        })
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

/// The operator over texts that the engine plans for `operator`.
fn text_operator(operator: &BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::StringConcat => Operator::StringConcat,
        BinaryOperator::PGRegexMatch => Operator::RegexMatch,
        BinaryOperator::PGRegexIMatch => Operator::RegexIMatch,
        BinaryOperator::PGRegexNotMatch => Operator::RegexNotMatch,
        BinaryOperator::PGRegexNotIMatch => Operator::RegexNotIMatch,
        BinaryOperator::PGLikeMatch => Operator::LikeMatch,
        BinaryOperator::PGILikeMatch => Operator::ILikeMatch,
        BinaryOperator::PGNotLikeMatch => Operator::NotLikeMatch,
        BinaryOperator::PGNotILikeMatch => Operator::NotILikeMatch,
        _ => return None,
    })
}

/// Whether an expression names nothing that is known only when the statement runs.
fn is_constant(expression: &Expr) -> Result<bool> {
    let varies = expression.exists(|part| {
        Ok(!matches!(
            part,
            Expr::Literal(..)
                | Expr::Alias(_)
                | Expr::Between(_)
                | Expr::BinaryExpr(_)
                | Expr::Case(_)
                | Expr::Cast(_)
                | Expr::InList(_)
                | Expr::IsFalse(_)
                | Expr::IsNotFalse(_)
                | Expr::IsNotNull(_)
                | Expr::IsNotTrue(_)
                | Expr::IsNotUnknown(_)
                | Expr::IsNull(_)
                | Expr::IsTrue(_)
                | Expr::IsUnknown(_)
                | Expr::Like(_)
                | Expr::Negative(_)
                | Expr::Not(_)
                | Expr::ScalarFunction(_)
                | Expr::SimilarTo(_)
                | Expr::TryCast(_)
        ))
    })?;
    Ok(!varies)
}
