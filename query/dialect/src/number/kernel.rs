//! Applies a computation to the columns of a call.
//!
//! A constant is read once. What no value fails, or what fails only seldom, is computed without a branch, also under NULLs.

use crate::call::{Call, Values};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, new_null_array};
use arrow_buffer::NullBuffer;
use datafusion::common::Result;
use std::sync::Arc;

/// A row of `value` for each row of one column.
pub(super) fn unary<A: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    call: &Call,
    argument: Values<'_, PrimitiveArray<A>>,
    value: impl Fn(A::Native) -> Result<R::Native>,
) -> Result<ArrayRef> {
    let computed = map::<A, R>(argument.array(), value)?;
    rows_of(call, argument.is_constant(), computed)
}

/// A row of `value` for each row of two columns.
pub(super) fn binary<A: ArrowPrimitiveType, B: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    call: &Call,
    left: Values<'_, PrimitiveArray<A>>,
    right: Values<'_, PrimitiveArray<B>>,
    value: impl Fn(A::Native, B::Native) -> Result<R::Native>,
) -> Result<ArrayRef> {
    if has_null_constant(left) || has_null_constant(right) {
        return Ok(new_null_array(call.result(), call.rows()));
    }
    let is_constant = left.is_constant() && right.is_constant();
    let computed = if right.is_constant() {
        let one = right.array().value(0);
        map::<A, R>(left.array(), |other| value(other, one))?
    } else if left.is_constant() {
        let one = left.array().value(0);
        map::<B, R>(right.array(), |other| value(one, other))?
    } else {
        let (left, right) = (left.array(), right.array());
        let nulls = NullBuffer::union(left.nulls(), right.nulls());
        let pairs = left.values().iter().zip(right.values().iter());
        let mut values = Vec::with_capacity(left.len());
        for (row, (one, other)) in pairs.enumerate() {
            let is_valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            values.push(if is_valid { value(*one, *other)? } else { R::Native::default() });
        }
        PrimitiveArray::<R>::new(values.into(), nulls)
    };
    rows_of(call, is_constant, computed)
}

/// As [`binary`], for a computation that is quick for all rows and tells whether its result is doubtful: then `value`
/// decides.
pub(super) fn quick_binary<A: ArrowPrimitiveType, B: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    call: &Call,
    left: Values<'_, PrimitiveArray<A>>,
    right: Values<'_, PrimitiveArray<B>>,
    quick: impl Fn(A::Native, B::Native) -> (R::Native, bool),
    value: impl Fn(A::Native, B::Native) -> Result<R::Native>,
) -> Result<ArrayRef> {
    if has_null_constant(left) || has_null_constant(right) {
        return Ok(new_null_array(call.result(), call.rows()));
    }
    let mut is_doubtful = false;
    let mut see = |(value, doubt): (R::Native, bool)| {
        is_doubtful |= doubt;
        value
    };
    let (one, other) = (left.array().values(), right.array().values());
    let (values, nulls): (Vec<R::Native>, _) = match (left.is_constant(), right.is_constant()) {
        (false, true) => {
            let other = other[0];
            (one.iter().map(|one| see(quick(*one, other))).collect(), left.array().nulls().cloned())
        }
        (true, false) => {
            let one = one[0];
            (other.iter().map(|other| see(quick(one, *other))).collect(), right.array().nulls().cloned())
        }
        _ => {
            let pairs = one.iter().zip(other.iter());
            let nulls = NullBuffer::union(left.array().nulls(), right.array().nulls());
            (pairs.map(|(one, other)| see(quick(*one, *other))).collect(), nulls)
        }
    };
    if is_doubtful {
        return binary::<A, B, R>(call, left, right, value);
    }
    rows_of(call, left.is_constant() && right.is_constant(), PrimitiveArray::<R>::new(values.into(), nulls))
}

fn map<A: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    values: &PrimitiveArray<A>,
    value: impl Fn(A::Native) -> Result<R::Native>,
) -> Result<PrimitiveArray<R>> {
    let nulls = values.nulls().cloned();
    let mut computed = Vec::with_capacity(values.len());
    for (row, one) in values.values().iter().enumerate() {
        let is_valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        computed.push(if is_valid { value(*one)? } else { R::Native::default() });
    }
    Ok(PrimitiveArray::new(computed.into(), nulls))
}

pub(super) fn has_null_constant<T: ArrowPrimitiveType>(values: Values<'_, PrimitiveArray<T>>) -> bool {
    values.is_constant() && values.array().is_null(0)
}

/// `computed` for the rows of the call.
pub(super) fn rows_of<R: ArrowPrimitiveType>(
    call: &Call,
    is_constant: bool,
    computed: PrimitiveArray<R>,
) -> Result<ArrayRef> {
    let computed = computed.with_data_type(call.result().clone());
    if !is_constant || call.rows() == 1 {
        return Ok(Arc::new(computed));
    }
    let value = datafusion::common::ScalarValue::try_from_array(&computed, 0)?;
    value.to_array_of_size(call.rows())
}
