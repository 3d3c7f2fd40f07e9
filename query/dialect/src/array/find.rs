//! Elements that are looked for. NULL finds NULL.

use super::build::lists;
use super::elements::{Comparisons, comparator};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType::{self, Int4};
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array, ListArray};
use datafusion::common::Result;
use std::cmp::Ordering;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let one = || Returns::Of(|| Int4);
    let many = || Returns::Of(|| PgType::Array(Box::new(Int4)));
    let wanted = || vec![Takes::AnyArray, Takes::ElementOf(0)];
    vec![
        Function::new(
            "array_position",
            vec![
                Form::new(wanted(), one(), position),
                Form::new(vec![Takes::AnyArray, Takes::ElementOf(0), Takes::Of(Int4)], one(), position),
            ],
        ),
        Function::new("array_positions", vec![Form::new(wanted(), many(), positions)]),
    ]
}

fn nested_is_refused(arrays: &ListArray) -> Result<(), SqlError> {
    match PgType::of(&arrays.value_type()) {
        PgType::Array(_) => {
            Err(SqlError::not_supported("searching for elements in multidimensional arrays is not supported"))
        }
        _ => Ok(()),
    }
}

fn position(call: &Call) -> Result<ArrayRef> {
    let (arrays, elements) = (call.list(0), call.any(1));
    let starts = (call.len() > 2).then(|| call.int4(2));
    nested_is_refused(arrays.array())?;
    let compare = comparator(arrays.array().values(), elements.array())?;
    let mut comparisons = Comparisons::default();
    call.primitives::<Int32Type>(|row| {
        let Some(array) = arrays.get(row) else { return Ok(None) };
        let start = match &starts {
            None => 1,
            Some(starts) => {
                starts.get(row).ok_or_else(|| SqlError::new("22004", "initial position must not be null"))?
            }
        };
        let begin = usize::try_from(i64::from(start) - 1).unwrap_or(0);
        comparisons.take(array.len())?;
        let first = arrays.array().value_offsets()[arrays.index(row)] as usize;
        let element = elements.index(row);
        let found = (begin..array.len()).find(|place| compare(first + place, element) == Ordering::Equal);
        Ok(found.map(|place| i32::try_from(place + 1).unwrap_or(i32::MAX)))
    })
}

fn positions(call: &Call) -> Result<ArrayRef> {
    let (arrays, elements) = (call.list(0), call.any(1));
    nested_is_refused(arrays.array())?;
    let compare = comparator(arrays.array().values(), elements.array())?;
    let mut comparisons = Comparisons::default();
    let mut rows: Vec<Option<ArrayRef>> = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let Some(array) = arrays.get(row) else {
            rows.push(None);
            continue;
        };
        comparisons.take(array.len())?;
        let first = arrays.array().value_offsets()[arrays.index(row)] as usize;
        let element = elements.index(row);
        let places: Int32Array = (0..array.len())
            .filter(|place| compare(first + place, element) == Ordering::Equal)
            .map(|place| i32::try_from(place + 1).unwrap_or(i32::MAX))
            .collect();
        rows.push(Some(Arc::new(places)));
    }
    lists(call, rows)
}
