//! Arrays beside rows: of the rows of a query, and the places that `WITH ORDINALITY` puts beside the rows of an array. The functions have
//! no name in PostgreSQL.

use super::build::{lists, nested_is_refused};
use super::casts::from_text;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{self, Int8, Numeric, Text, Timestamp, Timestamptz};
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int64Array, new_empty_array, new_null_array};
use datafusion::common::Result;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let of_array =
        |name, returns, evaluate| Function::new(name, vec![Form::new(vec![Takes::AnyArray], returns, evaluate)]);
    vec![
        of_array("array_or_empty", Returns::SameAs(0), or_empty),
        of_array("array_or_null", Returns::SameAs(0), or_null),
        Function::new("series_value", series_forms()),
        Function::new(
            "series_bound",
            vec![
                form([Int8, Int8], || Int8, first),
                form([Numeric, Numeric], || Numeric, first),
                form([Timestamp, Timestamp], || Timestamp, first),
                form([Timestamptz, Timestamptz], || Timestamptz, first),
            ],
        ),
        Function::new("to_text_array", vec![form([Text], || PgType::Array(Box::new(Text)), from_text)]),
        of_array("array_ordinals", Returns::Of(|| PgType::Array(Box::new(Int8))), ordinals),
    ]
}

/// The array, or an empty one instead of NULL: what `ARRAY (query)` is.
fn or_empty(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    let empty = new_empty_array(&arrays.array().value_type());
    lists(call, (0..call.rows()).map(|row| Some(arrays.get(row).unwrap_or_else(|| empty.clone()))).collect())
}

/// The array, or one of a NULL where it is NULL or has no elements: `LEFT JOIN` keeps the row beside which it stands.
fn or_null(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    let null = new_null_array(&arrays.array().value_type(), 1);
    let filled = |array: Option<ArrayRef>| array.filter(|array| !array.is_empty()).unwrap_or_else(|| null.clone());
    lists(call, (0..call.rows()).map(|row| Some(filled(arrays.get(row)))).collect())
}

/// `series_value (value, bounds and step)`: a value of a series is an integer if all of them are.
fn series_forms() -> Vec<Form> {
    use PgType::{Int2, Int4};
    let of_any = |arguments| Form::new(vec![Takes::Any; arguments], Returns::SameAs(0), first);
    let of_integers = |arguments: usize| {
        (0..1_usize << arguments).map(move |small| {
            let bound = |place| if small >> place & 1 == 1 { Int2 } else { Int4 };
            form(std::iter::once(Int8).chain((0..arguments).map(bound)), || Int4, to_int4)
        })
    };
    of_integers(2).chain(of_integers(3)).chain([of_any(3), of_any(4)]).collect()
}

fn first(call: &Call) -> Result<ArrayRef> {
    let values = call.any(0);
    Ok(Arc::clone(values.array()))
}

fn to_int4(call: &Call) -> Result<ArrayRef> {
    let values = call.int8(0);
    call.primitives::<Int32Type>(|row| Ok(values.get(row).and_then(|value| i32::try_from(value).ok())))
}

/// The places of the elements, from 1: what `WITH ORDINALITY` puts beside them.
fn ordinals(call: &Call) -> Result<ArrayRef> {
    let arrays = call.list(0);
    nested_is_refused(arrays.array(), "counting")?;
    let places = |array: ArrayRef| Arc::new(Int64Array::from_iter_values(1..=array.len() as i64)) as ArrayRef;
    lists(call, (0..call.rows()).map(|row| arrays.get(row).map(places)).collect())
}
