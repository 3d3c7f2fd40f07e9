//! Operators over texts whose evaluation is bounded: `||`, `~` and its kin, LIKE, ILIKE and SIMILAR TO.
//!
//! The engine plans them as expressions of their own, which have no place for a bound. So they become calls of a function
//! that evaluates the same expression: the columns have the same names and types. A search by a constant that takes
//! about a nanosecond for each byte stays what it was, because the engine knows more about it: prefixes, for example.
//!
//! A chain `a || b || c` becomes one call with three operands. The engine copies the arguments of a call while it finds
//! their types, so calls within calls would take the square of the chain's length.

use super::counted::Counted;
use super::growth::Growth;
use super::need::check;
use super::pattern::Syntax;
use super::search::in_parts;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Column as TableColumn, DataFusionError, Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::expr::{Like, ScalarFunction};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::binary::{BinaryTypeCoercer, like_coercion, regex_coercion};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr as PhysicalBinary, Column, LikeExpr, Literal, cast, similar_to,
};
use holdfast_dialect::unbounded;
use std::sync::Arc;

/// An operator, whose evaluation is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BoundedOperator {
    operation: Operation,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    /// `||`, `~`, `!~`, `~*`, `!~*`, `~~`, `!~~`, `~~*` or `!~~*`.
    Binary(Operator),
    Like {
        negated: bool,
        ignores_case: bool,
        escape: Option<char>,
    },
    SimilarTo {
        negated: bool,
        ignores_case: bool,
    },
}

/// If `expression` is such an operator, the bounded call. Its operands stay as they are.
pub(super) fn bound_operator(expression: Expr) -> Expr {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => match *left {
            Expr::ScalarFunction(mut chain) if is_chain(&chain) => {
                chain.args.push(*right);
                Expr::ScalarFunction(chain)
            }
            first => Operation::Binary(Operator::StringConcat).bound(first, *right),
        },
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_bounded(op) => {
            Operation::Binary(op).bound(*left, *right)
        }
        // The engine refuses another escape.
        Expr::Like(Like { negated, expr, pattern, escape_char: escape @ (None | Some('\\')), case_insensitive }) => {
            Operation::Like { negated, ignores_case: case_insensitive, escape }.bound(*expr, *pattern)
        }
        Expr::SimilarTo(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => {
            Operation::SimilarTo { negated, ignores_case: case_insensitive }.bound(*expr, *pattern)
        }
        other => other,
    }
}

/// Whether the evaluation of a binary operator is bounded, beside `||`.
fn is_bounded(operator: Operator) -> bool {
    syntax_of(operator).is_some()
}

/// Whether a call is a bounded `||`.
fn is_chain(call: &ScalarFunction) -> bool {
    let operator = call.func.inner().downcast_ref::<BoundedOperator>();
    operator.is_some_and(|operator| operator.operation == Operation::Binary(Operator::StringConcat))
}

fn syntax_of(operator: Operator) -> Option<Syntax> {
    match operator {
        Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch => {
            Some(Syntax::Regular)
        }
        Operator::LikeMatch | Operator::NotLikeMatch => Some(Syntax::Like),
        Operator::ILikeMatch | Operator::NotILikeMatch => Some(Syntax::ILike),
        _ => None,
    }
}

impl Operation {
    /// The syntax of the second operand. `None` if it is no pattern.
    fn syntax(self) -> Option<Syntax> {
        match self {
            Self::Binary(operator) => syntax_of(operator),
            Self::Like { ignores_case, .. } => Some(if ignores_case { Syntax::ILike } else { Syntax::Like }),
            Self::SimilarTo { .. } => Some(Syntax::Regular),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Binary(Operator::StringConcat) => "||",
            Self::Binary(Operator::RegexMatch) => "~",
            Self::Binary(Operator::RegexIMatch) => "~*",
            Self::Binary(Operator::RegexNotMatch) => "!~",
            Self::Binary(Operator::RegexNotIMatch) => "!~*",
            Self::Binary(Operator::LikeMatch) => "~~",
            Self::Binary(Operator::ILikeMatch) => "~~*",
            Self::Binary(Operator::NotLikeMatch) => "!~~",
            Self::Binary(_) => "!~~*",
            Self::Like { ignores_case: false, .. } => "LIKE",
            Self::Like { ignores_case: true, .. } => "ILIKE",
            Self::SimilarTo { .. } => "SIMILAR TO",
        }
    }

    /// The bounded call, or the engine's expression if it needs no bound.
    fn bound(self, left: Expr, right: Expr) -> Expr {
        if self.is_plain(&right) {
            return self.expression(left, right);
        }
        let operator = BoundedOperator { operation: self, signature: Signature::user_defined(Volatility::Immutable) };
        let function = Arc::new(ScalarUDF::new_from_impl(operator));
        Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, right]))
    }

    /// Whether `pattern` is a constant, and a search by it takes about the same for each byte of any text.
    fn is_plain(self, pattern: &Expr) -> bool {
        let (Some(syntax), Expr::Literal(pattern, _)) = (self.syntax(), pattern) else { return false };
        pattern.is_null() || pattern.try_as_str().flatten().is_some_and(|pattern| syntax.is_plain(pattern))
    }

    /// The engine's expression.
    fn expression(self, left: Expr, right: Expr) -> Expr {
        let (left, right) = (Box::new(left), Box::new(right));
        match self {
            Self::Binary(operator) => Expr::BinaryExpr(BinaryExpr::new(left, operator, right)),
            Self::Like { negated, ignores_case, escape } => {
                Expr::Like(Like::new(negated, left, right, escape, ignores_case))
            }
            Self::SimilarTo { negated, ignores_case } => {
                Expr::SimilarTo(Like::new(negated, left, right, None, ignores_case))
            }
        }
    }

    /// What evaluates the engine's expression.
    fn evaluation(self, left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        match self {
            Self::Binary(operator) => Ok(Arc::new(PhysicalBinary::new(left, operator, right))),
            Self::Like { negated, ignores_case, .. } => Ok(Arc::new(LikeExpr::new(negated, ignores_case, left, right))),
            Self::SimilarTo { negated, ignores_case } => similar_to(negated, ignores_case, left, right),
        }
    }

    /// The types that operands are converted to, as the engine converts those of its expression.
    fn operand_types(self, left: &DataType, right: &DataType) -> Result<Vec<DataType>> {
        let common = match self {
            Self::Binary(operator) => {
                let (left, right) = BinaryTypeCoercer::new(left, &operator, right).get_input_types()?;
                return Ok(vec![left, right]);
            }
            Self::Like { .. } => like_coercion(left, right),
            Self::SimilarTo { .. } => regex_coercion(left, right),
        };
        let common = common.ok_or_else(|| {
            plan_datafusion_err!("There isn't a common type to coerce {left} and {right} in {} expression", self.name())
        })?;
        let keeps_dictionary = matches!(self, Self::Like { .. })
            && matches!(left, DataType::Dictionary(_, value) if **value == DataType::Utf8);
        Ok(vec![if keeps_dictionary { left.clone() } else { common.clone() }, common])
    }

    fn result_type(self, left: &DataType, right: &DataType) -> Result<DataType> {
        match self {
            Self::Binary(operator) => BinaryTypeCoercer::new(left, &operator, right).get_result_type(),
            _ => Ok(DataType::Boolean),
        }
    }

    /// Evaluates the chain of all operands, from the first one on.
    fn evaluate(self, call: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        let mut operands = call.args.iter().map(|value| -> Arc<dyn PhysicalExpr> {
            match value {
                ColumnarValue::Scalar(value) => Arc::new(Literal::new(value.clone())),
                ColumnarValue::Array(array) => {
                    let column = Column::new("operand", columns.len());
                    fields.push(Field::new("operand", array.data_type().clone(), true));
                    columns.push(Arc::clone(array));
                    Arc::new(column)
                }
            }
        });
        let first = operands.next().ok_or_else(|| wrong_number(self.name()))?;
        let chain: Vec<Arc<dyn PhysicalExpr>> = operands.collect();
        let schema = Schema::new(fields);
        let mut types = call.args.iter().map(ColumnarValue::data_type);
        let first = (first, types.next().unwrap_or(DataType::Null));
        let (evaluation, _) =
            chain.into_iter().zip(types).try_fold(first, |(mut left, left_type), (right, right_type)| {
                // What is before an operand may be of another type than it.
                let coerced = self.operand_types(&left_type, &right_type)?.swap_remove(0);
                if coerced != left_type {
                    left = cast(left, &schema, coerced.clone())?;
                }
                let result = self.result_type(&coerced, &right_type)?;
                Ok::<_, DataFusionError>((self.evaluation(left, right)?, result))
            })?;
        let is_constant = columns.is_empty();
        let rows = if is_constant { 1 } else { call.number_rows };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?;
        match evaluation.evaluate(&batch)? {
            ColumnarValue::Array(array) if is_constant => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            value => Ok(value),
        }
    }
}

fn wrong_number(operator: &str) -> DataFusionError {
    plan_datafusion_err!("the operator {operator} has two operands")
}

impl ScalarUDFImpl for BoundedOperator {
    fn name(&self) -> &str {
        self.operation.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        // The names of the operands stand for them: an operator in a long chain would copy what is before it.
        let mut operands = args.iter().map(|operand| operand.schema_name().to_string());
        let (Some(first), Some(second)) = (operands.next(), operands.next()) else {
            return Err(wrong_number(self.name()));
        };
        let named = |name: String| Expr::from(TableColumn::from_name(name));
        let name = self.operation.expression(named(first), named(second)).schema_name().to_string();
        Ok(operands.fold(name, |name, operand| format!("{name} {} {operand}", self.name())))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let [first, others @ ..] = arg_types else { return Err(wrong_number(self.name())) };
        let (mut types, mut result) = (vec![first.clone()], first.clone());
        for (number, other) in others.iter().enumerate() {
            let [left, right] = <[DataType; 2]>::try_from(self.operation.operand_types(&result, other)?)
                .map_err(|_| wrong_number(self.name()))?;
            if number == 0 {
                types[0] = left.clone();
            }
            result = self.operation.result_type(&left, &right)?;
            types.push(right);
        }
        Ok(types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let [first, others @ ..] = arg_types else { return Err(wrong_number(self.name())) };
        others.iter().try_fold(first.clone(), |left, right| self.operation.result_type(&left, right))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, is_nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        unbounded(self, input)
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // The pattern may have become a constant.
        match <[Expr; 2]>::try_from(args) {
            Ok([left, right]) if self.operation.is_plain(&right) => {
                Ok(ExprSimplifyResult::Simplified(self.operation.expression(left, right)))
            }
            Ok(args) => Ok(ExprSimplifyResult::Original(args.into())),
            Err(args) => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(syntax) = self.operation.syntax() else {
            let need = check(self.name(), Growth::Gather, &args)?;
            let counted = Counted::begin(self.name(), need.bytes, &args.args)?;
            return counted.end(self.operation.evaluate(&args)?);
        };
        check(self.name(), Growth::Match(syntax), &args)?;
        in_parts(self.name(), syntax, args, |part| self.operation.evaluate(&part))
    }
}
