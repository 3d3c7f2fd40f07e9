//! Casts between arrays, and between arrays and texts.

use super::written::{as_lists, read, texts, to_lists};
use crate::call::Call;
use crate::cast::CastRule;
use crate::text::shown::{self, converted};
use crate::types::PgType::{
    self, Bool, Bytea, Date, Float4, Float8, Int2, Int4, Int8, Interval, Numeric, Text, Time, Timestamp, Timestamptz,
};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_schema::DataType;
use datafusion::common::Result;
use std::sync::Arc;

/// The types whose arrays are cast.
const ELEMENTS: [PgType; 14] =
    [Bool, Int2, Int4, Int8, Float4, Float8, Numeric, Text, Bytea, Date, Time, Timestamp, Timestamptz, Interval];

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    let array = |element: PgType| PgType::Array(Box::new(element));
    let mut casts = Vec::new();
    for element in ELEMENTS {
        for of in [array(element.clone()), array(array(element.clone()))] {
            casts.push(CastRule { from: of.clone(), to: Text, evaluate: to_text });
            casts.push(CastRule { from: Text, to: of.clone(), evaluate: from_text });
            casts.push(CastRule { from: PgType::Array(Box::new(PgType::Unknown)), to: of, evaluate: to_array });
        }
        for other in ELEMENTS {
            if other != element {
                casts.push(CastRule { from: array(element.clone()), to: array(other), evaluate: to_array });
            }
        }
    }
    let empty = PgType::Array(Box::new(PgType::Unknown));
    casts.push(CastRule { from: empty, to: Text, evaluate: to_text });
    casts
}

fn to_text(call: &Call) -> Result<ArrayRef> {
    Ok(Arc::new(texts(call.any(0).array(), shown::texts)?))
}

fn depth(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(element) => 1 + depth(element.data_type()),
        _ => 0,
    }
}

pub(super) fn from_text(call: &Call) -> Result<ArrayRef> {
    let values = call.text(0);
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        rows.push(values.get(row).map(read).transpose()?);
    }
    let lists = to_lists(rows, depth(call.result()))?;
    elements_cast(&lists, call.result())
}

fn to_array(call: &Call) -> Result<ArrayRef> {
    let lists: ArrayRef = Arc::new(as_lists(call.any(0).array())?);
    elements_cast(&lists, call.result())
}

/// `values` with elements of another type.
fn elements_cast(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (values.as_list_opt::<i32>(), to) {
        (Some(lists), DataType::List(field)) => {
            let elements = elements_cast(lists.values(), field.data_type())?;
            Ok(Arc::new(ListArray::try_new(
                Arc::clone(field),
                lists.offsets().clone(),
                elements,
                lists.nulls().cloned(),
            )?))
        }
        _ => converted(values, to),
    }
}
