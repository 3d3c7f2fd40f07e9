//! `timestamp + interval - interval ..` as one call.
//!
//! The engine writes the names of all arguments of a call while it finds its type, so calls within calls would take more
//! than the square of the chain's length. A sum that no timestamp holds is NULL.

use super::arithmetic::shifted;
use super::values::interval_at;
use crate::call::Call;
use crate::types::{PgType, timestamp, timestamptz};
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// Plans sums of a timestamp and intervals.
#[derive(Debug)]
pub(crate) struct Chains;

impl ExprPlanner for Chains {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let sign = match expr.op {
            BinaryOperator::Plus => 1,
            BinaryOperator::Minus => -1,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        // The type of the right operand comes first: in a chain it is found at once, and that of the left one is not.
        let is_interval = |data_type: &DataType| PgType::of(data_type) == PgType::Interval;
        let is_time = |data_type: &DataType| *data_type == timestamp() || *data_type == timestamptz();
        let is_chain = expr.right.get_type(schema).is_ok_and(|right| is_interval(&right))
            && time_of(&expr.left).get_type(schema).is_ok_and(|left| is_time(&left));
        if !is_chain {
            return Ok(PlannerResult::Original(expr));
        }
        Ok(PlannerResult::Planned(with_interval(expr.left, sign, expr.right)))
    }
}

/// The function of a timestamp and of as many intervals as it has signs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    signs: Vec<i64>,
    signature: Signature,
}

/// `time` and `interval`, in the same call as the intervals before it.
fn with_interval(time: Expr, sign: i64, interval: Expr) -> Expr {
    let (mut signs, mut arguments) = match time {
        Expr::ScalarFunction(call) => match signs_of(&call).map(<[i64]>::to_vec) {
            Some(signs) => (signs, call.args),
            None => (Vec::new(), vec![Expr::ScalarFunction(call)]),
        },
        other => (Vec::new(), vec![other]),
    };
    signs.push(sign);
    arguments.push(interval);
    let shift = Shift { signs, signature: Signature::user_defined(Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(shift)), arguments))
}

/// The time to which the intervals of `expression` are added: an expression of the same type, which is found sooner.
fn time_of(expression: &Expr) -> &Expr {
    match expression {
        Expr::ScalarFunction(call) if signs_of(call).is_some() => call.args.first().unwrap_or(expression),
        other => other,
    }
}

fn signs_of(call: &ScalarFunction) -> Option<&[i64]> {
    call.func.inner().downcast_ref::<Shift>().map(|shift| shift.signs.as_slice())
}

impl ScalarUDFImpl for Shift {
    fn name(&self) -> &str {
        "time_shift"
    }

    /// As the engine names the chain. The signs tell one call from another.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [time, intervals @ ..] = args else { return plan_err!("{} takes a time", self.name()) };
        let terms = self.signs.iter().zip(intervals);
        let symbol = |sign: &i64| if *sign < 0 { '-' } else { '+' };
        let terms = terms.map(|(sign, interval)| format!(" {} {}", symbol(sign), interval.schema_name()));
        Ok(std::iter::once(time.schema_name().to_string()).chain(terms).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [time, ..] => Ok(time.clone()),
            [] => plan_err!("{} takes a time", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [time, ..] => Ok(Arc::new(Field::new(self.name(), time.data_type().clone(), true))),
            [] => plan_err!("{} takes a time", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != self.signs.len() + 1 {
            return exec_err!("{} takes a time and an interval for each sign", self.name());
        }
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let call = Call::new(args.args, rows, args.return_field.data_type().clone())?;
        let (times, intervals) = (call.timestamp(0), (1..=self.signs.len()).map(|place| call.any(place)));
        let intervals: Vec<_> = intervals.zip(&self.signs).collect();
        let sums = call.primitives::<TimestampMicrosecondType>(|row| {
            let mut sum = times.get(row);
            for (interval, sign) in &intervals {
                let (Some(time), Some(interval)) = (sum, interval_at(interval, row)?) else { return Ok(None) };
                sum = shifted(time, interval, **sign);
            }
            Ok(sum)
        })?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&sums, 0)?)
        } else {
            ColumnarValue::Array(sums)
        })
    }
}
