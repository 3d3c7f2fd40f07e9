//! `sqrt`, `exp`, `ln`, `log` and `power`: of numerics with PostgreSQL's digits, and of floats.
//!
//! PostgreSQL rounds such a numeric to at least 16 significant digits, by an estimate of the result, and to no fewer digits
//! behind the point than the arguments show. A result whose digits the column's scale does not hold is 22003.

use super::decimal::{self, big, first_group, fitted, shown_scale, too_many_digits};
use super::float::{overflow, underflow};
use super::kernel::unary;
use super::rows::numerics;
use super::{series, text};
use crate::call::Call;
use crate::error::SqlError;
use arrow_array::ArrayRef;
use arrow_array::types::Decimal256Type;
use arrow_buffer::i256;
use arrow_schema::DataType;
use datafusion::common::Result;
use num_bigint::BigInt;

/// log10 e, with the digits that the estimate has.
#[expect(clippy::approx_constant, reason = "PostgreSQL's estimate has no more digits")]
const LOG10_E: f64 = 0.434_294_481_903_252;

/// Digits before the point from which on a result fits no numeric.
const TOO_LARGE: f64 = 80.0;

/// The scale of the result's column.
fn column(call: &Call) -> i8 {
    match call.result() {
        DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// A scale that is not negative.
fn unsigned(scale: i32) -> u32 {
    scale.clamp(0, 1000).unsigned_abs()
}

/// Digits with a scale that is not negative.
fn fixed(value: i256, scale: i8) -> (BigInt, u32) {
    if scale >= 0 {
        return (big(value), scale.unsigned_abs().into());
    }
    (big(value) * decimal::big_power_of_ten(scale.unsigned_abs().into()), 0)
}

/// A function of one numeric.
fn of_one(call: &Call, value: impl Fn(i256, i8, i8) -> Result<i256>) -> Result<ArrayRef> {
    let (scale, to) = (call.scale(0), column(call));
    unary::<Decimal256Type, Decimal256Type>(call, call.numeric(0), |digits| value(digits, scale, to))
}

/// `sqrt(numeric)`.
pub(super) fn numeric_sqrt(call: &Call) -> Result<ArrayRef> {
    of_one(call, |value, scale, to| {
        if value.is_negative() {
            return Err(negative_root().into());
        }
        root(value, scale, to)
    })
}

/// The root of digits of any length, with as many digits behind the point as they have.
pub(crate) fn root_of(value: &BigInt, scale: i32, to: i8) -> Result<i256> {
    let digits = unsigned(scale);
    fitted(series::root(value, digits, digits), scale, to)
}

/// The root as PostgreSQL rounds it.
fn root(value: i256, scale: i8, to: i8) -> Result<i256> {
    let (weight, _) = first_group(value, scale.into());
    let digits = unsigned((16 - ((weight + 1) * 2 - 1)).max(shown_scale(value, scale)));
    let (fixed, from) = fixed(value, scale);
    fitted(series::root(&fixed, from, digits), digits as i32, to)
}

/// `exp(numeric)`.
pub(super) fn numeric_exp(call: &Call) -> Result<ArrayRef> {
    of_one(call, |value, scale, to| {
        let estimate = text::float8_of_numeric(value, scale) * LOG10_E;
        if estimate.abs() > TOO_LARGE {
            return Err(too_many_digits().into());
        }
        let digits = unsigned((16 - estimate as i32).max(shown_scale(value, scale)));
        let (value, from) = fixed(value, scale);
        fitted(series::exponential(&value, from, digits), digits as i32, to)
    })
}

/// The decimal exponent of a value's logarithm, about.
fn logarithm_weight(value: i256, scale: i8) -> i32 {
    let number = text::float8_of_numeric(value, scale);
    if (0.9..=1.1).contains(&number) {
        let Ok(one) = decimal::power_of_ten(scale.max(0).unsigned_abs().into()) else { return 0 };
        let rest = value.wrapping_sub(one);
        if rest == i256::ZERO {
            return 0;
        }
        let (weight, group) = first_group(rest, scale.into());
        return weight * 4 + f64::from(group).log10() as i32;
    }
    number.ln().abs().log10() as i32
}

fn check_logarithm(value: i256) -> Result<()> {
    if value.is_negative() {
        return Err(SqlError::new("2201E", "cannot take logarithm of a negative number").into());
    }
    if value == i256::ZERO {
        return Err(SqlError::new("2201E", "cannot take logarithm of zero").into());
    }
    Ok(())
}

/// `ln(numeric)`.
pub(super) fn numeric_ln(call: &Call) -> Result<ArrayRef> {
    of_one(call, |value, scale, to| {
        check_logarithm(value)?;
        let digits = unsigned((16 - logarithm_weight(value, scale)).max(shown_scale(value, scale)));
        let (value, from) = fixed(value, scale);
        fitted(series::logarithm(&value, from, digits), digits as i32, to)
    })
}

/// `log(numeric)`: base 10.
pub(super) fn numeric_log10(call: &Call) -> Result<ArrayRef> {
    of_one(call, |value, scale, to| logarithm((i256::from_i128(10), 0), (value, scale), to))
}

/// `log(base, numeric)`.
pub(super) fn numeric_log(call: &Call) -> Result<ArrayRef> {
    let (base_scale, scale, to) = (call.scale(0), call.scale(1), column(call));
    numerics(call, |base, value| logarithm((base, base_scale), (value, scale), to))
}

fn logarithm(base: (i256, i8), value: (i256, i8), to: i8) -> Result<i256> {
    check_logarithm(base.0)?;
    check_logarithm(value.0)?;
    let weight = logarithm_weight(value.0, value.1) - logarithm_weight(base.0, base.1);
    let shown = shown_scale(base.0, base.1).max(shown_scale(value.0, value.1));
    let digits = unsigned((16 - weight).max(shown));
    let inner = digits + 40;
    let of = |(value, scale): (i256, i8)| {
        let (value, from) = fixed(value, scale);
        series::logarithm(&value, from, inner)
    };
    let divisor = of(base);
    if divisor == BigInt::from(0) {
        return Err(SqlError::division_by_zero().into());
    }
    let quotient = decimal::big_quotient(&(of(value) * decimal::big_power_of_ten(digits)), &divisor);
    fitted(quotient, digits as i32, to)
}

fn zero_to_negative() -> SqlError {
    SqlError::new("2201F", "zero raised to a negative power is undefined")
}

fn complex_power() -> SqlError {
    SqlError::new("2201F", "a negative number raised to a non-integer power yields a complex result")
}

fn negative_root() -> SqlError {
    SqlError::new("2201F", "cannot take square root of a negative number")
}

/// `power(numeric, numeric)`.
pub(super) fn numeric_power(call: &Call) -> Result<ArrayRef> {
    let (base_scale, scale, to) = (call.scale(0), call.scale(1), column(call));
    numerics(call, |base, exponent| power((base, base_scale), (exponent, scale), to))
}

fn power(base: (i256, i8), exponent: (i256, i8), to: i8) -> Result<i256> {
    if base.0 == i256::ZERO && exponent.0.is_negative() {
        return Err(zero_to_negative().into());
    }
    let whole = decimal::needed_scale(exponent.0, exponent.1) <= 0;
    let exponent_shown = shown_scale(exponent.0, exponent.1);
    let base_shown = shown_scale(base.0, base.1);
    if whole {
        let exponent =
            decimal::truncated(exponent.0, exponent.1, 0)?.to_i128().and_then(|value| i32::try_from(value).ok());
        if let Some(exponent) = exponent {
            let digits = unsigned(base_shown.max(16));
            let (base, from) = fixed(base.0, base.1);
            let value = series::whole_power(&base, from, exponent, digits).ok_or_else(too_many_digits)?;
            return fitted(value, digits as i32, to);
        }
    }
    if base.0 == i256::ZERO {
        return Ok(i256::ZERO);
    }
    if base.0.is_negative() {
        return Err(if whole { too_many_digits() } else { complex_power() }.into());
    }
    let estimate =
        text::float8_of_numeric(base.0, base.1).ln() * text::float8_of_numeric(exponent.0, exponent.1) * LOG10_E;
    if estimate.abs() > TOO_LARGE {
        return Err(too_many_digits().into());
    }
    let digits = unsigned((16 - estimate as i32).max(base_shown).max(exponent_shown));
    let inner = digits + 130;
    let (base, from) = fixed(base.0, base.1);
    let (exponent, exponent_scale) = fixed(exponent.0, exponent.1);
    let product = series::logarithm(&base, from, inner) * exponent;
    let product = series::rescaled(&product, inner + exponent_scale, inner);
    fitted(series::exponential(&product, inner, digits), digits as i32, to)
}

/// `power(double precision, double precision)`.
pub(super) fn of_floats(base: f64, exponent: f64) -> Result<f64> {
    if base.is_nan() || exponent.is_nan() {
        let is_one = base == 1.0 || exponent == 0.0;
        return Ok(if is_one { 1.0 } else { f64::NAN });
    }
    if base == 0.0 && exponent < 0.0 {
        return Err(zero_to_negative().into());
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(complex_power().into());
    }
    let result = base.powf(exponent);
    if base.is_finite() && exponent.is_finite() {
        if result.is_infinite() {
            return Err(overflow().into());
        }
        if result == 0.0 && base != 0.0 {
            return Err(underflow().into());
        }
    }
    Ok(result)
}

/// `sqrt(double precision)`.
pub(super) fn float_sqrt(value: f64) -> Result<f64> {
    if value < 0.0 { Err(negative_root().into()) } else { Ok(value.sqrt()) }
}

/// `exp(double precision)`.
pub(super) fn float_exp(value: f64) -> Result<f64> {
    let result = value.exp();
    if value.is_finite() {
        if result.is_infinite() {
            return Err(overflow().into());
        }
        if result == 0.0 {
            return Err(underflow().into());
        }
    }
    Ok(result)
}

fn check_float_logarithm(value: f64) -> Result<()> {
    if value == 0.0 {
        return Err(SqlError::new("2201E", "cannot take logarithm of zero").into());
    }
    if value < 0.0 {
        return Err(SqlError::new("2201E", "cannot take logarithm of a negative number").into());
    }
    Ok(())
}

/// `ln(double precision)`.
pub(super) fn float_ln(value: f64) -> Result<f64> {
    check_float_logarithm(value)?;
    Ok(value.ln())
}

/// `log(double precision)`: base 10.
pub(super) fn float_log10(value: f64) -> Result<f64> {
    check_float_logarithm(value)?;
    Ok(value.log10())
}
