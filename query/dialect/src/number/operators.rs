//! The operators of numbers.
//!
//! | | integers | numeric | floats |
//! |---|---|---|---|
//! | `+ - * /` | 22003, 22012 | the scale of [`decimal`] | 22003, 22012 |
//! | `%` | of the divisor zero 22012 | as the integers | |
//! | `^` | | [`power`] | as C's `pow` |
//! | <code>& \| # << >></code> | by bits | | |
//!
//! Operands of two types become the wider one; `real` with another number becomes `double precision`.

use super::decimal::{self, product_column, quotient_column};
use super::float::{self, left_wide, right_wide};
use super::kernel::quick_binary;
use super::rows::numerics;
use super::{power, whole};
use crate::call::Call;
use crate::function::{Arguments, Evaluate, Form, Function, Returns, Takes, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_buffer::i256;
use datafusion::common::Result;

use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric};

/// The forms of an operator of all numbers.
macro_rules! forms {
    ($operation:ident, $scale:ident) => {
        vec![
            form([Int4, Int4], || Int4, whole::$operation::<Int32Type>),
            form([Int8, Int8], || Int8, whole::$operation::<Int64Type>),
            form([Int2, Int2], || Int2, whole::$operation::<Int16Type>),
            numeric_form($operation, $scale),
            form([Float8, Float8], || Float8, float::$operation::<Float64Type>),
            form([Float4, Float4], || Float4, float::$operation::<Float32Type>),
            form([Float8, Float4], || Float8, |call| left_wide(call, <Float64Type as float::Float>::$operation)),
            form([Float4, Float8], || Float8, |call| right_wide(call, <Float64Type as float::Float>::$operation)),
        ]
    };
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    let mut all = vec![
        Function::new("+", forms!(sum, larger_scale)),
        Function::new("-", forms!(difference, larger_scale)),
        Function::new("*", forms!(product, product_scale)),
        Function::new("/", forms!(quotient, quotient_scale)),
        Function::new("%", remainders()),
        Function::new("^", powers()),
    ];
    all.extend([
        Function::new("&", bits(whole::and::<Int16Type>, whole::and::<Int32Type>, whole::and::<Int64Type>)),
        Function::new("|", bits(whole::or::<Int16Type>, whole::or::<Int32Type>, whole::or::<Int64Type>)),
        Function::new("#", bits(whole::xor::<Int16Type>, whole::xor::<Int32Type>, whole::xor::<Int64Type>)),
        Function::new("<<", shifts(whole::left::<Int16Type>, whole::left::<Int32Type>, whole::left::<Int64Type>)),
        Function::new(">>", shifts(whole::right::<Int16Type>, whole::right::<Int32Type>, whole::right::<Int64Type>)),
    ]);
    all
}

fn numeric_form(evaluate: Evaluate, scale: fn(&Arguments<'_>) -> i8) -> Form {
    Form::new(vec![Takes::Of(Numeric), Takes::Of(Numeric)], Returns::Scale(scale), evaluate)
}

/// `%`, which floats have not.
fn remainders() -> Vec<Form> {
    vec![
        form([Int4, Int4], || Int4, whole::remainder::<Int32Type>),
        form([Int8, Int8], || Int8, whole::remainder::<Int64Type>),
        form([Int2, Int2], || Int2, whole::remainder::<Int16Type>),
        numeric_form(remainder, larger_scale),
    ]
}

/// `^`.
pub(super) fn powers() -> Vec<Form> {
    vec![
        form([Float8, Float8], || Float8, |call| float::of_two(call, power::of_floats)),
        form([Numeric, Numeric], || Numeric, power::numeric_power),
    ]
}

fn bits(int2: Evaluate, int4: Evaluate, int8: Evaluate) -> Vec<Form> {
    vec![form([Int4, Int4], || Int4, int4), form([Int8, Int8], || Int8, int8), form([Int2, Int2], || Int2, int2)]
}

fn shifts(int2: Evaluate, int4: Evaluate, int8: Evaluate) -> Vec<Form> {
    vec![form([Int4, Int4], || Int4, int4), form([Int8, Int4], || Int8, int8), form([Int2, Int4], || Int2, int2)]
}

pub(super) fn larger_scale(arguments: &Arguments<'_>) -> i8 {
    arguments.scale(0).max(arguments.scale(1))
}

fn product_scale(arguments: &Arguments<'_>) -> i8 {
    product_column(arguments.scale(0), arguments.scale(1))
}

fn quotient_scale(arguments: &Arguments<'_>) -> i8 {
    quotient_column(arguments.scale(0), arguments.scale(1))
}

/// `sum` with `quick` for digits of one scale that 128 bits hold.
fn of_one_scale(
    call: &Call,
    quick: impl Fn(i128, i128) -> (i128, bool),
    value: impl Fn(i256, i256) -> Result<i256>,
) -> Result<ArrayRef> {
    if call.scale(0) != call.scale(1) {
        return numerics(call, value);
    }
    let quick = |left: i256, right: i256| match (left.to_i128(), right.to_i128()) {
        (Some(left), Some(right)) => {
            let (value, overflows) = quick(left, right);
            (i256::from_i128(value), overflows)
        }
        _ => (i256::ZERO, true),
    };
    quick_binary::<Decimal256Type, Decimal256Type, Decimal256Type>(call, call.numeric(0), call.numeric(1), quick, value)
}

fn sum(call: &Call) -> Result<ArrayRef> {
    let (one, other) = (call.scale(0), call.scale(1));
    of_one_scale(call, i128::overflowing_add, |left, right| decimal::sum((left, one), (right, other)))
}

fn difference(call: &Call) -> Result<ArrayRef> {
    let (one, other) = (call.scale(0), call.scale(1));
    of_one_scale(call, i128::overflowing_sub, |left, right| decimal::sum((left, one), (right.wrapping_neg(), other)))
}

fn product(call: &Call) -> Result<ArrayRef> {
    let (one, other) = (call.scale(0), call.scale(1));
    let to = product_column(one, other);
    numerics(call, |left, right| decimal::product((left, one), (right, other), to))
}

fn quotient(call: &Call) -> Result<ArrayRef> {
    let (one, other) = (call.scale(0), call.scale(1));
    let to = quotient_column(one, other);
    numerics(call, |left, right| decimal::quotient((left, one), (right, other), to))
}

pub(super) fn remainder(call: &Call) -> Result<ArrayRef> {
    let (one, other) = (call.scale(0), call.scale(1));
    numerics(call, |left, right| decimal::remainder((left, one), (right, other)))
}
