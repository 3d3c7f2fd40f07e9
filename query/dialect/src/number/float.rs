//! Arithmetic and functions of `real` and `double precision`.
//!
//! Every NaN has the same sign: that with which it is above all. An infinity of finite operands is 22003, and so is a zero that no operand explains. The rows
//! are computed without a branch; only if a result is doubtful, they are computed again one by one.

use super::kernel::{binary, quick_binary, unary};
use crate::call::Call;
use crate::error::SqlError;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{ArrayRef, ArrowNativeTypeOp};
use datafusion::common::Result;

/// A float type with its arithmetic.
pub(super) trait Float: ArrowPrimitiveType {
    fn sum(left: Self::Native, right: Self::Native) -> Result<Self::Native>;
    fn difference(left: Self::Native, right: Self::Native) -> Result<Self::Native>;
    fn product(left: Self::Native, right: Self::Native) -> Result<Self::Native>;
    fn quotient(left: Self::Native, right: Self::Native) -> Result<Self::Native>;
    fn is_finite(value: Self::Native) -> bool;
    fn negated(value: Self::Native) -> Self::Native;
    fn absolute(value: Self::Native) -> Self::Native;
}

#[cold]
pub(super) fn overflow() -> SqlError {
    SqlError::new("22003", "value out of range: overflow")
}

#[cold]
pub(super) fn underflow() -> SqlError {
    SqlError::new("22003", "value out of range: underflow")
}

macro_rules! float {
    ($($arrow:ty, $native:ty;)*) => {$(
        impl Float for $arrow {
            fn sum(left: $native, right: $native) -> Result<$native> {
                let sum = left + right;
                if sum.is_infinite() && left.is_finite() && right.is_finite() {
                    return Err(overflow().into());
                }
                Ok(if sum.is_nan() { <$native>::NAN } else { sum })
            }
            fn difference(left: $native, right: $native) -> Result<$native> {
                let difference = left - right;
                if difference.is_infinite() && left.is_finite() && right.is_finite() {
                    return Err(overflow().into());
                }
                Ok(if difference.is_nan() { <$native>::NAN } else { difference })
            }
            fn product(left: $native, right: $native) -> Result<$native> {
                let product = left * right;
                if product.is_infinite() && left.is_finite() && right.is_finite() {
                    return Err(overflow().into());
                }
                if product == 0.0 && left != 0.0 && right != 0.0 {
                    return Err(underflow().into());
                }
                Ok(if product.is_nan() { <$native>::NAN } else { product })
            }
            fn quotient(left: $native, right: $native) -> Result<$native> {
                if right == 0.0 && !left.is_nan() {
                    return Err(SqlError::division_by_zero().into());
                }
                let quotient = left / right;
                if quotient.is_infinite() && left.is_finite() {
                    return Err(overflow().into());
                }
                if quotient == 0.0 && left != 0.0 && !right.is_infinite() {
                    return Err(underflow().into());
                }
                Ok(if quotient.is_nan() { <$native>::NAN } else { quotient })
            }
            fn is_finite(value: $native) -> bool {
                value.is_finite()
            }
            fn negated(value: $native) -> $native {
                if value.is_nan() { <$native>::NAN } else { -value }
            }
            fn absolute(value: $native) -> $native {
                value.abs()
            }
        }
    )*};
}

float! {
    Float32Type, f32;
    Float64Type, f64;
}

pub(super) fn sum<F: Float>(call: &Call) -> Result<ArrayRef> {
    let quick = |left: F::Native, right: F::Native| doubtful::<F>(left.add_wrapping(right));
    quick_binary::<F, F, F>(call, call.values::<F>(0), call.values::<F>(1), quick, F::sum)
}

pub(super) fn difference<F: Float>(call: &Call) -> Result<ArrayRef> {
    let quick = |left: F::Native, right: F::Native| doubtful::<F>(left.sub_wrapping(right));
    quick_binary::<F, F, F>(call, call.values::<F>(0), call.values::<F>(1), quick, F::difference)
}

pub(super) fn product<F: Float>(call: &Call) -> Result<ArrayRef> {
    let quick = |left: F::Native, right: F::Native| zero_or_doubtful::<F>(left.mul_wrapping(right));
    quick_binary::<F, F, F>(call, call.values::<F>(0), call.values::<F>(1), quick, F::product)
}

pub(super) fn quotient<F: Float>(call: &Call) -> Result<ArrayRef> {
    let quick = |left: F::Native, right: F::Native| zero_or_doubtful::<F>(left.div_wrapping(right));
    quick_binary::<F, F, F>(call, call.values::<F>(0), call.values::<F>(1), quick, F::quotient)
}

/// A result, and whether it is infinite or NaN.
fn doubtful<F: Float>(value: F::Native) -> (F::Native, bool) {
    (value, !F::is_finite(value))
}

/// A result, and whether it is infinite, NaN or zero.
fn zero_or_doubtful<F: Float>(value: F::Native) -> (F::Native, bool) {
    (value, !F::is_finite(value) | (F::absolute(value) == F::Native::default()))
}

pub(super) fn negated<F: Float>(call: &Call) -> Result<ArrayRef> {
    unary::<F, F>(call, call.values::<F>(0), |value| Ok(F::negated(value)))
}

pub(super) fn absolute<F: Float>(call: &Call) -> Result<ArrayRef> {
    unary::<F, F>(call, call.values::<F>(0), |value| Ok(F::absolute(value)))
}

/// `real` with `double precision`, as the latter.
pub(super) fn left_wide(call: &Call, value: impl Fn(f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    binary::<Float64Type, Float32Type, Float64Type>(call, call.float8(0), call.float4(1), |left, right| {
        value(left, right.into())
    })
}

/// `double precision` with `real`, as the former.
pub(super) fn right_wide(call: &Call, value: impl Fn(f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    binary::<Float32Type, Float64Type, Float64Type>(call, call.float4(0), call.float8(1), |left, right| {
        value(left.into(), right)
    })
}

/// A function of one `double precision`.
pub(super) fn of_one(call: &Call, value: impl Fn(f64) -> Result<f64>) -> Result<ArrayRef> {
    unary::<Float64Type, Float64Type>(call, call.float8(0), value)
}

/// A function of two `double precision`.
pub(super) fn of_two(call: &Call, value: impl Fn(f64, f64) -> Result<f64>) -> Result<ArrayRef> {
    binary::<Float64Type, Float64Type, Float64Type>(call, call.float8(0), call.float8(1), value)
}
