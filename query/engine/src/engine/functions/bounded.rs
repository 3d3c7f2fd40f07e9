//! A function whose calls are bounded.

use super::bounded_operator::{BoundedOperator, bound_operator};
use super::counted::Counted;
use super::growth::{Growth, growth_of};
use super::need::{check, check_replacements, elements_of};
use super::search::in_parts;
use crate::engine::fixed_sizes::refuse_fixed_size;
use crate::engine::names::map_named_expressions;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping,
};
use holdfast_dialect::unbounded;
use std::sync::Arc;

/// Elements of a constant array that the engine may take apart, into an expression each: as many as can be written.
const CONSTANT_ELEMENTS: u64 = 50_000;

/// The function `inner`, which is called only if its arguments keep the bounds. In everything else it is `inner`: names,
/// types, plans and results stay the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BoundedFunction {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

/// `function` with its bounds. `None` if it needs none, or has them already.
pub(super) fn bounded(function: &Arc<ScalarUDF>) -> Option<Arc<ScalarUDF>> {
    if function.inner().is::<BoundedFunction>() || function.inner().is::<BoundedOperator>() {
        return None;
    }
    // What extensions add has no list here: its arguments are bounded at least.
    let growth = growth_of(function.name()).unwrap_or(Growth::Copies);
    if growth == Growth::None {
        return None;
    }
    Some(Arc::new(ScalarUDF::new_from_impl(BoundedFunction { inner: Arc::clone(function), growth })))
}

/// If `expression` is a call, the bounded call. Its arguments stay as they are.
pub(super) fn bound_call(mut expression: Expr) -> Expr {
    if let Expr::ScalarFunction(call) = &mut expression
        && let Some(function) = bounded(&call.func)
    {
        call.func = function;
    }
    expression
}

/// `expression` with bounds around all of its calls and operators.
fn bound_calls(expression: Expr) -> Result<Transformed<Expr>> {
    expression.transform_up(|part| Ok(Transformed::yes(bound_operator(bound_call(part)))))
}

/// `plan` with bounds around all of its calls and operators.
pub(crate) fn bound_plan(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|node| map_named_expressions(node, bound_calls)).data()
}

/// If `expression` is a bounded call, the call of the function itself.
fn unbound_call(mut expression: Expr) -> Expr {
    if let Expr::ScalarFunction(call) = &mut expression {
        let inner = call.func.inner().downcast_ref::<BoundedFunction>().map(|bounded| Arc::clone(&bounded.inner));
        if let Some(inner) = inner {
            call.func = inner;
        }
    }
    expression
}

// Each method of the trait is passed on, also those that have a default.
#[warn(clippy::missing_trait_methods)]
impl ScalarUDFImpl for BoundedFunction {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = self.inner.name();
        let need = check(name, self.growth, &args)?;
        let counted = Counted::begin(name, need.bytes, &args.args)?;
        let Some(syntax) = self.growth.syntax() else { return counted.end(self.inner.invoke_with_args(args)?) };
        let mut bytes = 0;
        let made = in_parts(name, syntax, args, |part| {
            if self.growth == Growth::SearchAndReplace {
                check_replacements(name, &part, &mut bytes)?;
            }
            self.inner.invoke_with_args(part)
        })?;
        counted.end(made)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let is_long = |arg: &Expr| matches!(arg, Expr::Literal(value, _) if elements_of(value) > CONSTANT_ELEMENTS);
        if args.iter().any(is_long) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        // A function knows the others (`array_has` knows `make_array`) without their bounds.
        let args = args.into_iter().map(unbound_call).collect();
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Simplified(expression) => {
                // Its arguments may have become constants, which name another type.
                if let Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) = &expression
                    && self.growth == Growth::Cast
                {
                    refuse_fixed_size(field.data_type())?;
                }
                ExprSimplifyResult::Simplified(bound_calls(expression).data()?)
            }
            ExprSimplifyResult::Original(args) => {
                ExprSimplifyResult::Original(args.into_iter().map(bound_call).collect())
            }
        })
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::new_from_impl(Self { inner, growth: self.growth }))
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    #[expect(deprecated, reason = "passed on until the engine removes it")]
    fn display_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.display_name(args)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        if self.growth == Growth::Cast {
            refuse_fixed_size(field.data_type())?;
        }
        Ok(field)
    }

    #[expect(deprecated, reason = "passed on until the engine removes it")]
    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        self.inner.is_nullable(args, schema)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn preimage(&self, args: &[Expr], lit_expr: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(args, lit_expr, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        match self.inner.evaluate_bounds(input)? {
            unknown if unknown.data_type().is_null() => unbounded(self.inner.inner().as_ref(), input),
            bounds => Ok(bounds),
        }
    }

    fn propagate_constraints(&self, interval: &Interval, inputs: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn struct_field_mapping(&self, literal_args: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(literal_args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }
}
