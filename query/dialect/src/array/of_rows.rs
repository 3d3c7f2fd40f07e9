//! Arrays beside rows: of the rows of a query, and the places that `WITH ORDINALITY` puts beside the rows of an array. The functions have
//! no name in PostgreSQL.

use super::build::{lists, nested_is_refused};
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType::{self, Int8};
use arrow_array::{Array, ArrayRef, Int64Array, new_empty_array};
use datafusion::common::Result;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let of_array =
        |name, returns, evaluate| Function::new(name, vec![Form::new(vec![Takes::AnyArray], returns, evaluate)]);
    vec![
        of_array("array_or_empty", Returns::SameAs(0), or_empty),
        of_array("array_ordinals", Returns::Of(|| PgType::Array(Box::new(Int8))), ordinals),
    ]
}

/// The array, or an empty one instead of NULL: what `ARRAY (query)` is.
fn or_empty(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    let empty = new_empty_array(&arrays.array().value_type());
    lists(call, (0..call.rows()).map(|row| Some(arrays.get(row).unwrap_or_else(|| empty.clone()))).collect())
}

/// The places of the elements, from 1: what `WITH ORDINALITY` puts beside them.
fn ordinals(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    nested_is_refused(arrays.array(), "counting")?;
    let places = |array: ArrayRef| Arc::new(Int64Array::from_iter_values(1..=array.len() as i64)) as ArrayRef;
    lists(call, (0..call.rows()).map(|row| arrays.get(row).map(places)).collect())
}
