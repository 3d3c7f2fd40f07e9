//! The call that a cast is replaced by.

use crate::bounds::unbounded;
use crate::call::Call;
use crate::function::Evaluate;
use crate::types::PgType;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Microseconds of a day.
const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// A cast of a value of type `from` by `evaluate`, which makes a field like `to`.
pub(crate) fn call(evaluate: Evaluate, value: Expr, from: &DataType, to: FieldRef) -> Expr {
    let argument = argument_type(from);
    let value = if argument == *from { value } else { Expr::Cast(Cast::new(Box::new(value), argument.clone())) };
    let function = CastFunction { evaluate, takes: argument, to, signature: Signature::any(1, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![value]))
}

/// The field that a cast by a rule makes, if the call is one.
pub(crate) fn target(call: &ScalarFunction) -> Option<&Field> {
    call.func.inner().downcast_ref::<CastFunction>().map(|cast| cast.to.as_ref())
}

/// The type in which a rule takes its value.
fn argument_type(from: &DataType) -> DataType {
    match PgType::of(from) {
        PgType::Numeric => PgType::numeric_of(from),
        PgType::Interval if matches!(from, DataType::Duration(TimeUnit::Microsecond)) => from.clone(),
        PgType::Array(_) | PgType::Other | PgType::Unknown => from.clone(),
        known => known.arrow(),
    }
}

/// A cast by a rule.
#[derive(Debug, Clone)]
struct CastFunction {
    evaluate: Evaluate,
    takes: DataType,
    to: FieldRef,
    signature: Signature,
}

impl PartialEq for CastFunction {
    fn eq(&self, other: &Self) -> bool {
        // A rule is known by its function, and that by the types.
        std::ptr::fn_addr_eq(self.evaluate, other.evaluate) && self.to == other.to
    }
}

impl Eq for CastFunction {}

impl Hash for CastFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to.hash(state);
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(self.to.as_ref().clone().with_nullable(true)))
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        unbounded(self, input)
    }

    /// A filter by the date of a timestamp is one by the timestamp, by which files are selected.
    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        let ([value], Expr::Literal(ScalarValue::Date32(Some(day)), _)) = (args, literal) else {
            return Ok(PreimageResult::None);
        };
        let DataType::Timestamp(TimeUnit::Microsecond, zone) = info.get_data_type(value)? else {
            return Ok(PreimageResult::None);
        };
        let midnight = |day: i64| {
            let time = day.checked_mul(MICROSECONDS_OF_DAY)?;
            Some(ScalarValue::TimestampMicrosecond(Some(time), zone.clone()))
        };
        match (midnight(i64::from(*day)), midnight(i64::from(*day) + 1)) {
            (Some(start), Some(end)) => {
                Ok(PreimageResult::Range { expr: value.clone(), interval: Box::new(Interval::try_new(start, end)?) })
            }
            _ => Ok(PreimageResult::None),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        // The engine tries an expression with columns that are NULL of no type.
        let value = |argument: ColumnarValue| match argument.data_type() {
            DataType::Null => argument.cast_to(&self.takes, None),
            _ => Ok(argument),
        };
        let arguments = args.args.into_iter().map(value).collect::<Result<_>>()?;
        let call = Call::new(arguments, rows, self.to.data_type().clone())?;
        let made = (self.evaluate)(&call)?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}
