//! Arithmetic of `smallint`, `integer` and `bigint`: checked, and vectorised where the processor can.
//!
//! Sums are computed for all rows without a branch, and it is collected whether one overflowed; only then the rows are
//! looked at one by one, because the values under NULLs are of no meaning.

use super::kernel::{binary, quick_binary, unary};
use crate::call::Call;
use crate::error::SqlError;
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{ArrowPrimitiveType, Int16Type, Int32Type, Int64Type};
use datafusion::common::Result;

/// An integer type with its arithmetic.
pub(super) trait Whole: ArrowPrimitiveType {
    const TYPE: PgType;
    /// The sum, and whether it overflowed.
    fn sum(left: Self::Native, right: Self::Native) -> (Self::Native, bool);
    /// The difference, and whether it overflowed.
    fn difference(left: Self::Native, right: Self::Native) -> (Self::Native, bool);
    /// The product, and whether it overflowed.
    fn product(left: Self::Native, right: Self::Native) -> (Self::Native, bool);
    fn or(left: Self::Native, right: Self::Native) -> Self::Native;
    fn and(left: Self::Native, right: Self::Native) -> Self::Native;
    fn xor(left: Self::Native, right: Self::Native) -> Self::Native;
    fn not(value: Self::Native) -> Self::Native;
    /// `None` if it overflows. The divisor is not zero.
    fn quotient(left: Self::Native, right: Self::Native) -> Option<Self::Native>;
    /// The divisor is not zero.
    fn remainder(left: Self::Native, right: Self::Native) -> Self::Native;
    fn negated(value: Self::Native) -> Option<Self::Native>;
    fn absolute(value: Self::Native) -> Option<Self::Native>;
    fn left(value: Self::Native, by: i32) -> Self::Native;
    fn right(value: Self::Native, by: i32) -> Self::Native;
    /// The greatest common divisor; `None` if it does not fit.
    fn gcd(left: Self::Native, right: Self::Native) -> Option<Self::Native>;
}

macro_rules! whole {
    ($($arrow:ty, $native:ty, $wide:ty, $name:ident;)*) => {$(
        impl Whole for $arrow {
            const TYPE: PgType = PgType::$name;
            fn sum(left: $native, right: $native) -> ($native, bool) {
                let sum = left.wrapping_add(right);
                (sum, (left ^ sum) & (right ^ sum) < 0)
            }
            fn difference(left: $native, right: $native) -> ($native, bool) {
                let difference = left.wrapping_sub(right);
                (difference, (left ^ right) & (left ^ difference) < 0)
            }
            fn product(left: $native, right: $native) -> ($native, bool) {
                left.overflowing_mul(right)
            }
            fn or(left: $native, right: $native) -> $native {
                left | right
            }
            fn and(left: $native, right: $native) -> $native {
                left & right
            }
            fn xor(left: $native, right: $native) -> $native {
                left ^ right
            }
            fn not(value: $native) -> $native {
                !value
            }
            fn quotient(left: $native, right: $native) -> Option<$native> {
                left.checked_div(right)
            }
            fn remainder(left: $native, right: $native) -> $native {
                left.wrapping_rem(right)
            }
            fn negated(value: $native) -> Option<$native> {
                value.checked_neg()
            }
            fn absolute(value: $native) -> Option<$native> {
                value.checked_abs()
            }
            // The processor takes the lowest bits of the distance: 5, and 6 of a bigint.
            fn left(value: $native, by: i32) -> $native {
                (<$wide>::from(value).wrapping_shl(by as u32)) as $native
            }
            fn right(value: $native, by: i32) -> $native {
                (<$wide>::from(value).wrapping_shr(by as u32)) as $native
            }
            fn gcd(left: $native, right: $native) -> Option<$native> {
                let (mut one, mut other) = (left.unsigned_abs(), right.unsigned_abs());
                while other != 0 {
                    (one, other) = (other, one % other);
                }
                <$native>::try_from(one).ok()
            }
        }
    )*};
}

whole! {
    Int16Type, i16, i32, Int2;
    Int32Type, i32, i32, Int4;
    Int64Type, i64, i64, Int8;
}

fn out_of_range<W: Whole>() -> SqlError {
    SqlError::out_of_range(&W::TYPE.to_string())
}

/// Both columns by a computation that tells its overflows.
fn vectorised<W: Whole>(call: &Call, compute: impl Fn(W::Native, W::Native) -> (W::Native, bool)) -> Result<ArrayRef> {
    quick_binary::<W, W, W>(call, call.values::<W>(0), call.values::<W>(1), &compute, |left, right| {
        match compute(left, right) {
            (value, false) => Ok(value),
            (_, true) => Err(out_of_range::<W>().into()),
        }
    })
}

/// The two arguments row by row.
fn pairs<W: Whole>(call: &Call, value: impl Fn(W::Native, W::Native) -> Result<W::Native>) -> Result<ArrayRef> {
    binary::<W, W, W>(call, call.values::<W>(0), call.values::<W>(1), value)
}

pub(super) fn sum<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, W::sum)
}

pub(super) fn difference<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, W::difference)
}

pub(super) fn product<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, W::product)
}

pub(super) fn and<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, |left, right| (W::and(left, right), false))
}

pub(super) fn or<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, |left, right| (W::or(left, right), false))
}

pub(super) fn xor<W: Whole>(call: &Call) -> Result<ArrayRef> {
    vectorised::<W>(call, |left, right| (W::xor(left, right), false))
}

pub(super) fn quotient<W: Whole>(call: &Call) -> Result<ArrayRef> {
    pairs::<W>(call, |left, right| {
        if right == W::Native::default() {
            return Err(SqlError::division_by_zero().into());
        }
        W::quotient(left, right).ok_or_else(|| out_of_range::<W>().into())
    })
}

pub(super) fn remainder<W: Whole>(call: &Call) -> Result<ArrayRef> {
    pairs::<W>(call, |left, right| {
        if right == W::Native::default() {
            return Err(SqlError::division_by_zero().into());
        }
        Ok(W::remainder(left, right))
    })
}

pub(super) fn gcd<W: Whole>(call: &Call) -> Result<ArrayRef> {
    pairs::<W>(call, |left, right| W::gcd(left, right).ok_or_else(|| out_of_range::<W>().into()))
}

pub(super) fn lcm<W: Whole>(call: &Call) -> Result<ArrayRef> {
    pairs::<W>(call, |left, right| {
        let zero = W::Native::default();
        if left == zero || right == zero {
            return Ok(zero);
        }
        let multiple = || {
            let divisor = W::gcd(left, right)?;
            let (product, overflows) = W::product(W::quotient(left, divisor)?, right);
            if overflows { None } else { W::absolute(product) }
        };
        // The divisor overflows only if both are the smallest, and so does the multiple.
        multiple().ok_or_else(|| out_of_range::<W>().into())
    })
}

pub(super) fn negated<W: Whole>(call: &Call) -> Result<ArrayRef> {
    unary::<W, W>(call, call.values::<W>(0), |value| W::negated(value).ok_or_else(|| out_of_range::<W>().into()))
}

pub(super) fn absolute<W: Whole>(call: &Call) -> Result<ArrayRef> {
    unary::<W, W>(call, call.values::<W>(0), |value| W::absolute(value).ok_or_else(|| out_of_range::<W>().into()))
}

pub(super) fn not<W: Whole>(call: &Call) -> Result<ArrayRef> {
    unary::<W, W>(call, call.values::<W>(0), |value| Ok(W::not(value)))
}

pub(super) fn left<W: Whole>(call: &Call) -> Result<ArrayRef> {
    binary::<W, Int32Type, W>(call, call.values::<W>(0), call.int4(1), |value, by| Ok(W::left(value, by)))
}

pub(super) fn right<W: Whole>(call: &Call) -> Result<ArrayRef> {
    binary::<W, Int32Type, W>(call, call.values::<W>(0), call.int4(1), |value, by| Ok(W::right(value, by)))
}
