//! Operators of PostgreSQL, which the engine has not, or has with another meaning.
//!
//! An operator is a [`Function`] whose name is its symbol. One whose operands fit no form is left to the engine.

use crate::function::Function;
use crate::types::PgType;
use arrow_schema::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use std::collections::HashMap;
use std::sync::Arc;

/// Plans operators as calls.
#[derive(Debug)]
pub(crate) struct Operators {
    by_symbol: HashMap<&'static str, (Function, Arc<ScalarUDF>)>,
}

impl Operators {
    pub(crate) fn new(operators: impl IntoIterator<Item = Function>) -> Self {
        let mut by_symbol: HashMap<&'static str, Function> = HashMap::new();
        for operator in operators {
            let symbol = operator.symbol();
            match by_symbol.remove(symbol) {
                Some(known) => by_symbol.insert(symbol, known.with_forms_of(operator)),
                None => by_symbol.insert(symbol, operator),
            };
        }
        let with_udf = |(symbol, function): (_, Function)| (symbol, (function.clone(), Arc::new(function.udf())));
        Self { by_symbol: by_symbol.into_iter().map(with_udf).collect() }
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let symbol = expr.op.to_string();
        let Some((function, udf)) = self.by_symbol.get(symbol.as_str()) else {
            return Ok(PlannerResult::Original(expr));
        };
        // The right operand first: in a chain the type of the left one takes long.
        let (Ok(right), Ok(left)) = (expr.right.get_type(schema), expr.left.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let types: [DataType; 2] = [left, right];
        // A parameter without a type gets that of the other operand from the engine.
        if types.iter().any(|operand| PgType::of(operand) == PgType::Unknown) || !function.has_form_for(&types) {
            return Ok(PlannerResult::Original(expr));
        }
        let call = ScalarFunction::new_udf(Arc::clone(udf), vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}
