//! Numerics: whole digits and a scale.
//!
//! ```text
//! digits × 10^-scale ─▶ 128 bits, if both fit ─▶ 256 bits, if they fit ─▶ any length ─▶ 76 digits of the result's scale
//! ```
//!
//! Invariant: a result is PostgreSQL's value, or an error. Digits behind the result's scale that are not zero are an error,
//! never cut. PostgreSQL keeps for each value how many digits are shown behind its point; a value whose column has an open
//! scale has lost that, and [`shown_scale`] says what PostgreSQL most likely has there.

use crate::error::SqlError;
use crate::types::{NUMERIC_DIGITS, OPEN_SCALE, SHOWN_SCALE};
use arrow_buffer::i256;
use datafusion::common::Result;
use num_bigint::{BigInt, Sign};

/// The largest scale of a product: 31 digits are left before the point.
pub(crate) const LARGEST_SCALE: i8 = 45;

/// Significant digits that a quotient has at least.
const SIGNIFICANT_DIGITS: i32 = 16;

/// The error for a value that 76 digits do not hold.
pub(crate) fn too_many_digits() -> SqlError {
    SqlError::new("22003", "numerics of more than 76 digits are not supported")
}

/// 10^exponent.
pub(crate) fn power_of_ten(exponent: u32) -> Result<i256> {
    i256::from_i128(10).checked_pow(exponent).ok_or_else(|| too_many_digits().into())
}

/// 10^exponent of any length.
pub(crate) fn big_power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// Whether it has at most `digits` digits.
pub(crate) fn has_digits(value: i256, digits: u8) -> bool {
    match power_of_ten(u32::from(digits)) {
        Ok(limit) => value < limit && value > limit.wrapping_neg(),
        Err(_) => true,
    }
}

/// `value`, if it has at most 76 digits.
pub(crate) fn checked(value: Option<i256>) -> Result<i256> {
    match value {
        Some(value) if value.to_i128().is_some() || has_digits(value, NUMERIC_DIGITS) => Ok(value),
        _ => Err(too_many_digits().into()),
    }
}

/// The same digits in any length.
pub(crate) fn big(value: i256) -> BigInt {
    match value.to_i128() {
        Some(value) => BigInt::from(value),
        None => BigInt::from_signed_bytes_le(&value.to_le_bytes()),
    }
}

/// The same digits in 256 bits.
pub(crate) fn small(value: &BigInt) -> Result<i256> {
    let bytes = value.to_signed_bytes_le();
    if bytes.len() > 32 {
        return Err(too_many_digits().into());
    }
    let fill = if value.sign() == Sign::Minus { 0xff } else { 0 };
    let mut all = [fill; 32];
    all[..bytes.len()].copy_from_slice(&bytes);
    checked(Some(i256::from_le_bytes(all)))
}

/// `value` with another scale; digits that are not zero are not cut.
pub(crate) fn rescaled(value: i256, from: i8, to: i8) -> Result<i256> {
    let more = i32::from(to) - i32::from(from);
    if more == 0 || value == i256::ZERO {
        return Ok(value);
    }
    let factor = power_of_ten(more.unsigned_abs())?;
    if more > 0 {
        return checked(value.checked_mul(factor));
    }
    match value.checked_rem(factor) {
        Some(i256::ZERO) => checked(value.checked_div(factor)),
        _ => Err(too_many_digits().into()),
    }
}

/// `value` with another scale, the last digit rounded half away from zero.
pub(crate) fn rounded(value: i256, from: i8, to: i8) -> Result<i256> {
    let fewer = i32::from(from) - i32::from(to);
    if fewer <= 0 {
        return rescaled(value, from, to);
    }
    if fewer > i32::from(NUMERIC_DIGITS) {
        return Ok(i256::ZERO);
    }
    let factor = power_of_ten(fewer.unsigned_abs())?;
    let cut = value.wrapping_div(factor);
    let rest = value.wrapping_rem(factor).wrapping_abs();
    let is_up = rest >= factor.wrapping_sub(rest);
    let step = if value.is_negative() { i256::MINUS_ONE } else { i256::ONE };
    checked(Some(if is_up { cut.wrapping_add(step) } else { cut }))
}

/// `value` with another scale, what is behind it cut.
pub(crate) fn truncated(value: i256, from: i8, to: i8) -> Result<i256> {
    let fewer = i32::from(from) - i32::from(to);
    if fewer <= 0 {
        return rescaled(value, from, to);
    }
    if fewer > i32::from(NUMERIC_DIGITS) {
        return Ok(i256::ZERO);
    }
    Ok(value.wrapping_div(power_of_ten(fewer.unsigned_abs())?))
}

/// The digits of `value` behind the point that are needed.
pub(crate) fn needed_scale(value: i256, scale: i8) -> i8 {
    let mut scale = scale;
    if value == i256::ZERO {
        return 0;
    }
    if let Some(mut value) = value.to_i128() {
        while scale > 0 && value % 10 == 0 {
            value /= 10;
            scale -= 1;
        }
        return scale;
    }
    let ten = i256::from_i128(10);
    let mut value = value;
    while scale > 0 && value.wrapping_rem(ten) == i256::ZERO {
        value = value.wrapping_div(ten);
        scale -= 1;
    }
    scale
}

/// Decimal digits of the absolute value; 0 of 0.
pub(crate) fn length(value: i256) -> i32 {
    if let Some(value) = value.to_i128() {
        return match value.unsigned_abs() {
            0 => 0,
            value => value.ilog10() as i32 + 1,
        };
    }
    value.wrapping_abs().checked_ilog10().map_or(NUMERIC_DIGITS.into(), |digits| digits as i32 + 1)
}

/// The place of the first of the groups of four digits in which PostgreSQL keeps a numeric, and that group.
pub(crate) fn first_group(value: i256, scale: i32) -> (i32, i32) {
    if value == i256::ZERO {
        return (0, 0);
    }
    let digits = length(value);
    let weight = (digits - 1 - scale).div_euclid(4);
    // Digits of the first group that the value has.
    let has = digits - scale - 4 * weight;
    let cut = digits - has;
    let group = if cut >= 0 {
        let factor = power_of_ten(cut.unsigned_abs()).unwrap_or(i256::MAX);
        value.wrapping_abs().wrapping_div(factor).as_i128()
    } else {
        value.wrapping_abs().as_i128() * 10_i128.pow(cut.unsigned_abs())
    };
    (weight, group as i32)
}

/// The digits that PostgreSQL shows behind the point of a value.
pub(crate) fn shown_scale(value: i256, scale: i8) -> i32 {
    if scale <= SHOWN_SCALE {
        return scale.into();
    }
    let needed = i32::from(needed_scale(value, scale));
    let (weight, _) = first_group(value, scale.into());
    (needed + 3).div_euclid(4).saturating_mul(4).max(SIGNIFICANT_DIGITS - 4 * weight).clamp(0, scale.into())
}

/// The digits behind the point to which PostgreSQL rounds a quotient.
pub(crate) fn quotient_scale(left: (i256, i8), right: (i256, i8)) -> i32 {
    let (left_weight, left_group) = first_group(left.0, left.1.into());
    let (right_weight, right_group) = first_group(right.0, right.1.into());
    let mut weight = left_weight - right_weight;
    if left_group <= right_group {
        weight -= 1;
    }
    let shown = shown_scale(left.0, left.1).max(shown_scale(right.0, right.1));
    (SIGNIFICANT_DIGITS - 4 * weight).max(shown).clamp(0, 1000)
}

/// The scale of a quotient's column.
pub(crate) fn quotient_column(left: i8, right: i8) -> i8 {
    OPEN_SCALE.max(left).max(right)
}

/// The scale of a product's column.
pub(crate) fn product_column(left: i8, right: i8) -> i8 {
    let sum = left.saturating_add(right);
    if sum <= LARGEST_SCALE { sum } else { LARGEST_SCALE.max(left).max(right) }
}

/// The sum, with the larger scale of the two.
pub(crate) fn sum(left: (i256, i8), right: (i256, i8)) -> Result<i256> {
    let scale = left.1.max(right.1);
    checked(rescaled(left.0, left.1, scale)?.checked_add(rescaled(right.0, right.1, scale)?))
}

/// The product with the scale `to`.
pub(crate) fn product(left: (i256, i8), right: (i256, i8), to: i8) -> Result<i256> {
    let scale = left.1.saturating_add(right.1);
    match left.0.checked_mul(right.0) {
        Some(product) if scale == to => checked(Some(product)),
        Some(product) => rescaled(product, scale, to),
        None => fitted(big(left.0) * big(right.0), i32::from(left.1) + i32::from(right.1), to),
    }
}

/// Digits of any length with the scale `from`, as 76 digits with the scale `to`.
pub(crate) fn fitted(value: BigInt, from: i32, to: i8) -> Result<i256> {
    let more = i32::from(to) - from;
    let factor = big_power_of_ten(more.unsigned_abs());
    if more >= 0 {
        return small(&(value * factor));
    }
    let cut = &value / &factor;
    if &cut * &factor != value {
        return Err(too_many_digits().into());
    }
    small(&cut)
}

/// The quotient as PostgreSQL rounds it, with the scale `to`.
pub(crate) fn quotient(left: (i256, i8), right: (i256, i8), to: i8) -> Result<i256> {
    if right.0 == i256::ZERO {
        return Err(SqlError::division_by_zero().into());
    }
    let scale = quotient_scale(left, right);
    quotient_of_scale(left, right, scale, to)
}

/// The quotient rounded to `scale` digits behind the point, with the scale `to`.
pub(crate) fn quotient_of_scale(left: (i256, i8), right: (i256, i8), scale: i32, to: i8) -> Result<i256> {
    let more = scale + i32::from(right.1) - i32::from(left.1);
    if let (Some(one), Some(other)) = (left.0.to_i128(), right.0.to_i128())
        && let Some(factor) = 10_i128.checked_pow(more.unsigned_abs())
        && let Some((one, other)) = if more >= 0 {
            one.checked_mul(factor).map(|one| (one, other))
        } else {
            other.checked_mul(factor).map(|other| (one, other))
        }
        && let Some(cut) = one.checked_div(other)
    {
        let rest = one.unsigned_abs() % other.unsigned_abs();
        let is_up = rest >= other.unsigned_abs() - rest;
        let step = if (one < 0) == (other < 0) { 1 } else { -1 };
        let digits = i256::from_i128(cut).wrapping_add(i256::from_i128(if is_up { step } else { 0 }));
        return match i8::try_from(scale) {
            Ok(scale) => rescaled(digits, scale, to),
            Err(_) => fitted(big(digits), scale, to),
        };
    }
    fitted(rounded_quotient(left, right, scale), scale, to)
}

/// The quotient rounded to `scale` digits behind the point, of any length. The divisor is not zero.
pub(crate) fn rounded_quotient(left: (i256, i8), right: (i256, i8), scale: i32) -> BigInt {
    let more = scale + i32::from(right.1) - i32::from(left.1);
    let factor = big_power_of_ten(more.unsigned_abs());
    if more >= 0 {
        big_quotient(&(big(left.0) * factor), &big(right.0))
    } else {
        big_quotient(&big(left.0), &(big(right.0) * factor))
    }
}

/// The quotient rounded half away from zero. The divisor is not zero.
pub(crate) fn big_quotient(left: &BigInt, right: &BigInt) -> BigInt {
    let (one, other) = (left.magnitude() * 2_u8 + right.magnitude(), right.magnitude() * 2_u8);
    let rounded = BigInt::from(one / other);
    if left.sign() == right.sign() || left.sign() == Sign::NoSign { rounded } else { -rounded }
}

/// What a division leaves, with the sign of `left` and the larger scale of the two.
pub(crate) fn remainder(left: (i256, i8), right: (i256, i8)) -> Result<i256> {
    if right.0 == i256::ZERO {
        return Err(SqlError::division_by_zero().into());
    }
    let scale = left.1.max(right.1);
    if let (Ok(one), Ok(other)) = (rescaled(left.0, left.1, scale), rescaled(right.0, right.1, scale)) {
        return Ok(one.wrapping_rem(other));
    }
    let of = |(value, from): (i256, i8)| big(value) * big_power_of_ten(u32::from((scale - from).unsigned_abs()));
    small(&(of(left) % of(right)))
}

/// The quotient without what is behind the point.
pub(crate) fn whole_quotient(left: (i256, i8), right: (i256, i8)) -> Result<i256> {
    if right.0 == i256::ZERO {
        return Err(SqlError::division_by_zero().into());
    }
    let scale = left.1.max(right.1);
    if let (Ok(one), Ok(other)) = (rescaled(left.0, left.1, scale), rescaled(right.0, right.1, scale)) {
        return Ok(one.wrapping_div(other));
    }
    let of = |(value, from): (i256, i8)| big(value) * big_power_of_ten(u32::from((scale - from).unsigned_abs()));
    small(&(of(left) / of(right)))
}
