//! `greatest` and `least`: the first of the greatest values that are not NULL, in their common type.

use super::keys_of;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_ord::ord::make_comparator;
use arrow_schema::SortOptions;
use arrow_select::take::take;
use arrow_select::zip::zip;
use datafusion::common::Result;
use std::cmp::Ordering;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let of = |name, evaluate| {
        Function::new(name, vec![Form::new(vec![Takes::Common], Returns::SameAs(0), evaluate).variadic()])
    };
    vec![of("greatest", |call| extreme(call, Ordering::is_gt)), of("least", |call| extreme(call, Ordering::is_lt))]
}

fn extreme(call: &Call, is_better: fn(Ordering) -> bool) -> Result<ArrayRef> {
    let mut best = column(call, 0)?;
    for argument in 1..call.len() {
        let next = column(call, argument)?;
        let compare = make_comparator(&keys_of(&next)?, &keys_of(&best)?, SortOptions::default())?;
        let is_next: BooleanArray = (0..call.rows())
            .map(|row| Some(next.is_valid(row) && (best.is_null(row) || is_better(compare(row, row)))))
            .collect();
        best = zip(&is_next, &next, &best)?;
    }
    Ok(best)
}

/// An argument with a value for each row.
fn column(call: &Call, argument: usize) -> Result<ArrayRef> {
    let values = call.any(argument);
    if !values.is_constant() {
        return Ok(ArrayRef::clone(values.array()));
    }
    Ok(take(values.array(), &UInt32Array::from(vec![0; call.rows()]), None)?)
}
