//! `json_agg`, `jsonb_agg`, `json_object_agg` and `jsonb_object_agg`.
//!
//! ```text
//! json_agg(x ORDER BY y)   ─▶ json_of_elements(array_agg(to_json_element(x) ORDER BY y))
//! json_agg(DISTINCT x)     ─▶ json_of_values(array_agg(DISTINCT x ORDER BY x))
//! json_object_agg(k, x)    ─▶ json_of_members(array_agg(json_build_object(k, x)))
//! ```
//!
//! The elements are JSON before they are collected, because the elements of an array have lost whether they were. Distinct values are
//! not: they are told apart by themselves. Distinct members of objects are, as JSON that is the same text.

use super::collected::array_agg;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, ScalarUDF, Signature, Volatility};
use std::sync::Arc;

/// Bytes of the results of one call.
const MOST_BYTES: usize = 64 << 20;

/// The aggregates by name, which the planner replaces.
pub(super) fn aggregates() -> Vec<AggregateUDF> {
    [("json_agg", 1), ("jsonb_agg", 1), ("json_object_agg", 2), ("jsonb_object_agg", 2)]
        .into_iter()
        .map(|(name, arguments)| {
            AggregateUDF::new_from_impl(Named { name, signature: Signature::any(arguments, Volatility::Immutable) })
        })
        .collect()
}

/// Plans the aggregates.
#[derive(Debug)]
pub(super) struct Jsons {
    json: (Arc<ScalarUDF>, Arc<ScalarUDF>),
    jsonb: (Arc<ScalarUDF>, Arc<ScalarUDF>),
    object: (Arc<ScalarUDF>, Arc<ScalarUDF>),
    objectb: (Arc<ScalarUDF>, Arc<ScalarUDF>),
    /// What makes `json` and `jsonb` of arrays of values.
    of_values: (Arc<ScalarUDF>, Arc<ScalarUDF>),
}

impl Jsons {
    /// `None` if there is no function that makes JSON of values.
    pub(super) fn new() -> Option<Self> {
        let of_value = |name: &str| {
            let function = crate::json::functions().into_iter().find(|function| function.symbol() == name)?;
            Some(Arc::new(function.udf()))
        };
        let of_array = |name, mark, evaluate| {
            Arc::new(Function::new(name, vec![Form::new(vec![Takes::AnyArray], Returns::Named(mark), evaluate)]).udf())
        };
        Some(Self {
            json: (of_value("to_json_element")?, of_array("json_of_elements", "json", joined)),
            jsonb: (of_value("to_jsonb")?, of_array("jsonb_of_elements", "jsonb", joined)),
            object: (of_value("json_build_object")?, of_array("json_of_members", "json", |call| members(call, false))),
            objectb: (
                of_value("jsonb_build_object")?,
                of_array("jsonb_of_members", "jsonb", |call| members(call, true)),
            ),
            of_values: (of_value("json_of_values")?, of_value("to_jsonb")?),
        })
    }
}

impl ExprPlanner for Jsons {
    fn plan_aggregate(&self, expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let (of_value, of_elements) = match expr.func.name() {
            "json_agg" => &self.json,
            "jsonb_agg" => &self.jsonb,
            "json_object_agg" => &self.object,
            "jsonb_object_agg" => &self.objectb,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = |function: &Arc<ScalarUDF>, arguments| {
            Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), arguments))
        };
        let (elements, of_elements) = match (expr.distinct, expr.func.name()) {
            (true, "json_agg") => (expr.args, &self.of_values.0),
            (true, "jsonb_agg") => (expr.args, &self.of_values.1),
            _ => (vec![call(of_value, expr.args)], of_elements),
        };
        let elements = AggregateFunction::new_udf(
            Arc::new(array_agg()),
            elements,
            expr.distinct,
            expr.filter,
            expr.order_by,
            expr.null_treatment,
        );
        Ok(PlannerResult::Planned(call(of_elements, vec![Expr::AggregateFunction(elements)])))
    }
}

/// The elements, which are JSON, as a JSON array.
fn joined(call: &Call) -> Result<ArrayRef> {
    written(call, ["[", "]"], |json| json, Ok)
}

/// The members of objects of one member each as one object. A `jsonb` has each key once, with its last value.
fn members(call: &Call, is_jsonb: bool) -> Result<ArrayRef> {
    fn inner(object: &str) -> &str {
        object.get(1..object.len().saturating_sub(1)).unwrap_or_default()
    }
    match is_jsonb {
        true => written(call, ["{", "}"], inner, |text| crate::json::as_jsonb(&text)),
        false => written(call, ["{ ", " }"], inner, Ok),
    }
}

/// The elements between two brackets.
fn written(
    call: &Call,
    [open, close]: [&str; 2],
    part: fn(&str) -> &str,
    finish: fn(String) -> std::result::Result<String, SqlError>,
) -> Result<ArrayRef> {
    let lists = call.list(0);
    let elements = arrow_cast::cast(lists.array().values(), &DataType::Utf8View)?;
    let elements = elements.as_string_view();
    let offsets = lists.array().value_offsets();
    let mut bytes = 0;
    call.texts(|row| {
        if lists.is_null(row) {
            return Ok(None);
        }
        let place = lists.index(row);
        let mut text = String::from(open);
        for element in offsets[place] as usize..offsets[place + 1] as usize {
            if text.len() > open.len() {
                text.push_str(", ");
            }
            let json = if elements.is_valid(element) { part(elements.value(element)) } else { "null" };
            let json = match json.strip_prefix(crate::json::ELEMENT) {
                Some(json) => {
                    if text.len() > open.len() {
                        text.push_str("\n ");
                    }
                    json
                }
                None => json,
            };
            bytes += json.len() + 2;
            if bytes > MOST_BYTES {
                return Err(SqlError::new("54000", "an aggregate makes more than 64 MiB of JSON").into());
            }
            text.push_str(json);
        }
        text.push_str(close);
        Ok(Some(finish(text)?))
    })
}

/// An aggregate of this name. Only a window reaches it, which is not supported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    name: &'static str,
    signature: Signature,
}

impl AggregateUDFImpl for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Err(SqlError::not_supported(format!("{} over a window is not supported", self.name)).into())
    }
}
