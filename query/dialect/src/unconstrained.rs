//! `x::numeric`: a numeric with the digits that the value has.
//!
//! A whole number has none after the point, and a numeric keeps its own. Of a constant text they are counted. For all other values
//! the column has [`OPEN_SCALE`] digits.
//!
//! In the first rows of a recursive query, whose types are those of all rows, a numeric has them too: later rows need more than a
//! constant there.

use crate::SqlError;
use crate::call::Call;
use crate::function::{Arguments, Form, Function, Returns, Takes};
use crate::number;
use crate::types::{OPEN_SCALE, PgType, numeric};
use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;
use datafusion::common::Result;

/// A numeric with [`OPEN_SCALE`] digits after the point, and every other value as it is.
pub(crate) const OPEN: &str = "to_open_numeric";

/// What the cast is rewritten to, and what is put around values of first rows.
pub(crate) fn functions() -> Vec<Function> {
    let numeric = Form::new(vec![Takes::Exactly(PgType::Numeric)], Returns::Of(|| PgType::Numeric), evaluate);
    let other = Form::new(vec![Takes::Any], Returns::Itself(0), |call| Ok(ArrayRef::clone(call.any(0).array())));
    vec![
        Function::new("to_numeric_type", vec![Form::new(vec![Takes::Any], Returns::Computed(result), evaluate)]),
        Function::new(OPEN, vec![numeric, other]),
    ]
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
    if from == PgType::Unknown {
        return Ok(new_null_array(call.result(), call.rows()));
    }
    match number::casts().into_iter().find(|rule| rule.from == from && rule.to == PgType::Numeric) {
        Some(rule) => (rule.evaluate)(call),
        None => Err(SqlError::new("42846", format!("cannot cast type {from} to numeric")).into()),
    }
}
