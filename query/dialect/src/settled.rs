//! The type of a call whose result depends on constants, such as the scale of `round(x, 2)`.
//!
//! ```text
//! plan ─▶ Constants: constant arguments in the types that the function takes ─▶ types are coerced
//!      ─▶ settle: each call keeps the type that it has then ─▶ optimize: arguments become constants
//! ```
//!
//! The engine coerces an argument by a cast, and a cast is no constant: while types are coerced, the scale of `round(x, 2)` would be
//! open, and afterwards 2. What was coerced by the first type would then not fit the second.

use crate::cast::recomputed;
use crate::function::Function;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Gives constant arguments the types that their functions take.
#[derive(Debug, Default)]
pub(crate) struct Constants;

impl AnalyzerRule for Constants {
    fn name(&self) -> &str {
        "constants_of_postgresql"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    node.map_expressions(|expression| {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|part| {
            Ok(match part {
                Expr::ScalarFunction(call) => of_call(call, &schema),
                other => Transformed::no(other),
            })
        })?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })?
    .map_data(recomputed)
}

fn of_call(mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let Some(function) = depending(&call) else { return Transformed::no(Expr::ScalarFunction(call)) };
    let types: Result<Vec<_>> = call.args.iter().map(|argument| argument.get_type(schema)).collect();
    let Ok(Ok(wanted)) = types.map(|types| function.argument_types(&types)) else {
        // Coercion says what is wrong.
        return Transformed::no(Expr::ScalarFunction(call));
    };
    let mut is_new = false;
    for (argument, wanted) in call.args.iter_mut().zip(wanted) {
        if let Some(value) = constant(argument)
            && let Ok(value) = value.cast_to(&wanted)
        {
            *argument = Expr::Literal(value, None);
            is_new = true;
        }
    }
    Transformed::new_transformed(Expr::ScalarFunction(call), is_new)
}

/// The value of a text or of a whole number, which the statement casts to its type, and may negate.
fn constant(argument: &Expr) -> Option<ScalarValue> {
    match argument {
        Expr::Literal(value, _) if value.data_type().is_string() || value.data_type().is_integer() => {
            Some(value.clone())
        }
        Expr::Cast(cast) if cast.field.data_type().is_integer() => {
            constant(&cast.expr).filter(|value| value.data_type().is_integer())?.cast_to(cast.field.data_type()).ok()
        }
        Expr::ScalarFunction(call) if call.func.name() == "pg_negative" => {
            constant(call.args.first()?).filter(|value| value.data_type().is_integer())?.arithmetic_negate().ok()
        }
        _ => None,
    }
}

/// A call that keeps its type, once types are coerced.
pub(crate) fn settle(call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let is_settled = call.args.iter().all(|argument| matches!(argument, Expr::Literal(..)));
    let Some(function) = depending(&call).filter(|_| !is_settled) else {
        return Transformed::no(Expr::ScalarFunction(call));
    };
    let function = function.clone();
    let expression = Expr::ScalarFunction(call);
    let Ok(data_type) = expression.get_type(schema) else { return Transformed::no(expression) };
    let Expr::ScalarFunction(call) = expression else { return Transformed::no(expression) };
    let settled = Arc::new(ScalarUDF::new_from_impl(function.settled(data_type)));
    Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(settled, call.args)))
}

/// The function of a call whose type may depend on constants, and is not settled.
fn depending(call: &ScalarFunction) -> Option<&Function> {
    call.func.inner().downcast_ref::<Function>().filter(|function| function.depends_on_constants())
}
