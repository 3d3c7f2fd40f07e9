//! `x::numeric`: a numeric with the digits that the value has.
//!
//! A whole number has none after the point, and a numeric keeps its own. Of a constant text they are counted. For all other values
//! the column has [`OPEN_SCALE`] digits.

use crate::SqlError;
use crate::call::Call;
use crate::function::{Arguments, Form, Function, Returns, Takes};
use crate::number;
use crate::types::{OPEN_SCALE, PgType, numeric};
use arrow_array::ArrayRef;
use arrow_schema::DataType;
use datafusion::common::Result;

/// What the cast is rewritten to.
pub(crate) fn functions() -> Vec<Function> {
    vec![Function::new("to_numeric_type", vec![Form::new(vec![Takes::Any], Returns::Computed(result), evaluate)])]
}

fn result(arguments: &Arguments<'_>) -> Result<DataType> {
    Ok(match PgType::of(arguments.data_type(0)) {
        PgType::Numeric | PgType::Int2 | PgType::Int4 | PgType::Int8 => PgType::numeric_of(arguments.data_type(0)),
        PgType::Text => numeric(arguments.constant_text(0).and_then(digits_after_point).unwrap_or(OPEN_SCALE)),
        _ => numeric(OPEN_SCALE),
    })
}

/// The digits after the point of a number without an exponent.
fn digits_after_point(text: &str) -> Option<i8> {
    let text = text.trim();
    if text.contains(['e', 'E']) {
        return None;
    }
    let digits = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    i8::try_from(digits).ok().filter(|digits| *digits <= OPEN_SCALE)
}

fn evaluate(call: &Call) -> Result<ArrayRef> {
    let from = PgType::of(call.any(0).array().data_type());
    if call.any(0).array().data_type() == call.result() {
        return Ok(ArrayRef::clone(call.any(0).array()));
    }
    match number::casts().into_iter().find(|rule| rule.from == from && rule.to == PgType::Numeric) {
        Some(rule) => (rule.evaluate)(call),
        None => Err(SqlError::new("42846", format!("cannot cast type {from} to numeric")).into()),
    }
}
