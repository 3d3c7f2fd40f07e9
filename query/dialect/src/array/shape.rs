//! Dimensions of arrays. An empty array has none.

use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType::{Int4, Text};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let of_array =
        |name, returns, evaluate| Function::new(name, vec![Form::new(vec![Takes::AnyArray], returns, evaluate)]);
    let of_dimension = |name, evaluate| {
        let takes = vec![Takes::AnyArray, Takes::Of(Int4)];
        Function::new(name, vec![Form::new(takes, Returns::Of(|| Int4), evaluate)])
    };
    vec![
        of_array("cardinality", Returns::Of(|| Int4), |call| {
            by_lengths(call, |lengths| Some(if lengths.is_empty() { 0 } else { lengths.iter().product() }))
        }),
        of_array("array_ndims", Returns::Of(|| Int4), |call| {
            by_lengths(call, |lengths| (!lengths.is_empty()).then_some(lengths.len()))
        }),
        of_array("array_dims", Returns::Of(|| Text), dims),
        of_dimension("array_length", |call| of_one(call, |length| length)),
        of_dimension("array_upper", |call| of_one(call, |length| length)),
        of_dimension("array_lower", |call| of_one(call, |_| 1)),
    ]
}

/// The length of each dimension.
pub(crate) fn lengths(array: &ArrayRef) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut array = ArrayRef::clone(array);
    while !array.is_empty() {
        lengths.push(array.len());
        let inner = match array.as_list_opt::<i32>() {
            Some(lists) if lists.is_valid(0) => lists.value(0),
            _ => return lengths,
        };
        if inner.is_empty() {
            return Vec::new();
        }
        array = inner;
    }
    lengths
}

fn by_lengths(call: &Call, of: impl Fn(&[usize]) -> Option<usize>) -> Result<ArrayRef> {
    let arrays = call.list(0);
    call.primitives::<Int32Type>(|row| {
        let Some(array) = arrays.get(row) else { return Ok(None) };
        Ok(of(&lengths(&array)).map(|number| i32::try_from(number).unwrap_or(i32::MAX)))
    })
}

fn of_one(call: &Call, of: impl Fn(usize) -> usize) -> Result<ArrayRef> {
    let (arrays, dimensions) = (call.list(0), call.int4(1));
    call.primitives::<Int32Type>(|row| {
        let (Some(array), Some(dimension)) = (arrays.get(row), dimensions.get(row)) else { return Ok(None) };
        let place = usize::try_from(i64::from(dimension) - 1).ok();
        let length = place.and_then(|place| lengths(&array).get(place).copied());
        Ok(length.map(|length| i32::try_from(of(length)).unwrap_or(i32::MAX)))
    })
}

fn dims(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    call.texts(|row| {
        let Some(array) = arrays.get(row) else { return Ok(None) };
        let lengths = lengths(&array);
        Ok((!lengths.is_empty()).then(|| lengths.iter().map(|length| format!("[1:{length}]")).collect::<String>()))
    })
}
