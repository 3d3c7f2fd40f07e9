//! A call keeps the type that it has when types are coerced.
//!
//! The scale of a numeric result follows from constants: that of `round(x, 2)` is 2, that of `extract(hour FROM x)` is 0. Arguments
//! become constants while the plan is optimized, and what the result is compared with was cast to the type of before.

use crate::bounds::unbounded;
use arrow_schema::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct Pinned;

impl AnalyzerRule for Pinned {
    fn name(&self) -> &str {
        "types_of_calls"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|part| pinned(part, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    };
    node.map_expressions(|expression| match expression {
        set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
        other => rewrite(other),
    })
}

fn pinned(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = part else { return Ok(Transformed::no(part)) };
    let may_change = call.args.iter().any(|argument| !matches!(argument, Expr::Column(_)));
    if !may_change || call.func.inner().is::<PinnedFunction>() {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let whole = Expr::ScalarFunction(call.clone());
    let (_, field) = whole.to_field(schema)?;
    if !field.data_type().is_decimal() {
        return Ok(Transformed::no(whole));
    }
    let function = PinnedFunction { inner: Arc::clone(&call.func), field };
    call.func = Arc::new(ScalarUDF::new_from_impl(function));
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// A function whose result has this type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PinnedFunction {
    inner: Arc<ScalarUDF>,
    field: FieldRef,
}

impl ScalarUDFImpl for PinnedFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Simplified(simpler) if info.get_data_type(&simpler)? != *self.field.data_type() => {
                let cast = Cast::new(Box::new(simpler), self.field.data_type().clone());
                ExprSimplifyResult::Simplified(Expr::Cast(cast))
            }
            other => other,
        })
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        args.return_field = Arc::clone(&self.field);
        self.inner.invoke_with_args(args)?.cast_to(self.field.data_type(), None)
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(args, literal, info)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        unbounded(self, input)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }
}
