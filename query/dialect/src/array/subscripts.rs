//! `a[1]` and `a[1:2]`. A place that the array has not is NULL, or adds nothing to a slice.

use super::build::lists;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType::{self, Int4, Int8};
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_select::take::take;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, ScalarUDF};
use std::sync::Arc;

/// The functions, which have no name in PostgreSQL.
pub(super) fn functions() -> Vec<Function> {
    vec![subscript(), slice()]
}

fn subscript() -> Function {
    let by =
        |place: PgType, evaluate| Form::new(vec![Takes::AnyArray, Takes::Of(place)], Returns::ElementOf(0), evaluate);
    Function::new("array_subscript", vec![by(Int4, element), by(Int8, element_by_int8)])
}

fn slice() -> Function {
    let takes = vec![Takes::AnyArray, Takes::Of(Int4), Takes::Of(Int4)];
    Function::new("array_subscripts", vec![Form::new(takes, Returns::SameAs(0), slices)])
}

fn element(call: &Call) -> Result<ArrayRef> {
    let places = call.int4(1);
    element_at(call, |row| places.get(row).map(i64::from))
}

fn element_by_int8(call: &Call) -> Result<ArrayRef> {
    let places = call.int8(1);
    element_at(call, |row| places.get(row))
}

fn element_at(call: &Call, place: impl Fn(usize) -> Option<i64>) -> Result<ArrayRef> {
    let arrays = call.list(0);
    let offsets = arrays.array().value_offsets();
    let places: UInt32Array = (0..call.rows())
        .map(|row| {
            let array = arrays.index(row);
            if arrays.array().is_null(array) {
                return None;
            }
            let place = u32::try_from(place(row)?.checked_sub(1)?).ok()?;
            let (begin, end) = (u32::try_from(offsets[array]).ok()?, u32::try_from(offsets[array + 1]).ok()?);
            begin.checked_add(place).filter(|place| *place < end)
        })
        .collect();
    Ok(take(arrays.array().values(), &places, None)?)
}

fn slices(call: &Call) -> Result<ArrayRef> {
    let (arrays, froms, tos) = (call.list(0), call.int4(1), call.int4(2));
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let (Some(array), Some(from), Some(to)) = (arrays.get(row), froms.get(row), tos.get(row)) else {
            rows.push(None);
            continue;
        };
        let begin = usize::try_from(i64::from(from) - 1).unwrap_or(0).min(array.len());
        let end = usize::try_from(to).unwrap_or(0).min(array.len());
        rows.push(Some(array.slice(begin, end.saturating_sub(begin))));
    }
    lists(call, rows)
}

/// Plans subscripts of arrays.
#[derive(Debug)]
pub(crate) struct Subscripts {
    subscript: Arc<ScalarUDF>,
    slice: Arc<ScalarUDF>,
}

impl Default for Subscripts {
    fn default() -> Self {
        Self { subscript: Arc::new(subscript().udf()), slice: Arc::new(slice().udf()) }
    }
}

impl ExprPlanner for Subscripts {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { expr, field_access } = access;
        let is_array = expr.get_type(schema).is_ok_and(|known| matches!(PgType::of(&known), PgType::Array(_)));
        if !is_array {
            return Ok(PlannerResult::Original(RawFieldAccessExpr { expr, field_access }));
        }
        let call = |function: &Arc<ScalarUDF>, arguments| {
            Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), arguments))))
        };
        match field_access {
            GetFieldAccess::ListIndex { key } => call(&self.subscript, vec![expr, bound(*key, 0)]),
            GetFieldAccess::ListRange { start, stop, stride } => {
                if !matches!(*stride, Expr::Literal(ScalarValue::Int64(Some(1)), _)) {
                    return Err(SqlError::new("42601", "a slice of an array has no stride").into());
                }
                call(&self.slice, vec![expr, bound(*start, 1), bound(*stop, i32::MAX)])
            }
            other => Ok(PlannerResult::Original(RawFieldAccessExpr { expr, field_access: other })),
        }
    }
}

/// A bound of a slice. One that is left out comes from the engine as a `bigint`; others are `integer`.
fn bound(bound: Expr, open: i32) -> Expr {
    match bound {
        Expr::Literal(ScalarValue::Int64(Some(1 | -1)), metadata) if open != 0 => {
            Expr::Literal(ScalarValue::Int32(Some(open)), metadata)
        }
        other => other,
    }
}
