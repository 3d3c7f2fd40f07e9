//! Roots, exponentials and logarithms of numerics of any length, in fixed point.
//!
//! Each takes whole digits and the scale in which they are, and gives digits of the scale that is asked for. Inside they
//! have [`GUARD`] digits more, which hold what the steps lose; so the last digit is rounded from a value that is right.

use super::decimal::{big_power_of_ten, big_quotient};
use num_bigint::{BigInt, Sign};

/// Digits more than asked for.
const GUARD: u32 = 30;

/// `value` from one scale to another, rounded half away from zero.
pub(super) fn rescaled(value: &BigInt, from: u32, to: u32) -> BigInt {
    if to >= from { value * big_power_of_ten(to - from) } else { big_quotient(value, &big_power_of_ten(from - to)) }
}

/// The root of a value that is not negative.
pub(super) fn root(value: &BigInt, scale: u32, to: u32) -> BigInt {
    let inner = to.max(scale) + 2;
    let square = value * big_power_of_ten(2 * inner - scale);
    // The digits behind are cut, and a half is a half or more.
    rescaled(&square.sqrt(), inner, to)
}

/// e to the power of `value`. The caller has refused exponents whose result does not fit.
pub(super) fn exponential(value: &BigInt, scale: u32, to: u32) -> BigInt {
    let whole_digits =
        u32::try_from((value.magnitude() / big_power_of_ten(scale).magnitude()).bits()).unwrap_or(u32::MAX);
    let inner = to.max(scale) + GUARD + 2 * (1 << whole_digits.min(9));
    let one = big_power_of_ten(inner);
    // Halved until it is small, then squared as often.
    let halvings = whole_digits + 8;
    let small = rescaled(&BigInt::from(value.magnitude().clone()), scale, inner) >> halvings;
    let (mut sum, mut term, mut count) = (one.clone(), one.clone(), 0_u32);
    while term.sign() != Sign::NoSign {
        count += 1;
        term = &term * &small / &one / count;
        sum += &term;
    }
    for _ in 0..halvings {
        sum = &sum * &sum / &one;
    }
    if value.sign() == Sign::Minus {
        sum = &one * &one / sum;
    }
    rescaled(&sum, inner, to)
}

/// The natural logarithm of a value above zero.
pub(super) fn logarithm(value: &BigInt, scale: u32, to: u32) -> BigInt {
    let digits = u32::try_from(value.bits()).unwrap_or(u32::MAX) / 3;
    let inner = to.max(scale) + GUARD + digits;
    let one = big_power_of_ten(inner);
    let mut reduced = rescaled(value, scale, inner);
    // Roots are taken until it is near one, and the logarithm is doubled as often.
    let mut roots = 0_u32;
    let near = &one / 64_u32;
    while (&reduced - &one).magnitude() > near.magnitude() {
        reduced = (&reduced * &one).sqrt();
        roots += 1;
    }
    // ln x = 2 artanh ((x - 1) / (x + 1))
    let ratio = (&reduced - &one) * &one / (&reduced + &one);
    let square = &ratio * &ratio / &one;
    let (mut sum, mut term, mut count) = (BigInt::from(0), ratio, 1_u32);
    while term.sign() != Sign::NoSign {
        sum += &term / count;
        term = &term * &square / &one;
        count += 2;
    }
    rescaled(&(sum << (roots + 1)), inner, to)
}

/// Significant digits with which powers are computed.
const SIGNIFICANT: u64 = 160;

/// `value` to a whole power, rounded to the scale `to`. `None` if it has more than 200 digits before the point.
pub(super) fn whole_power(value: &BigInt, scale: u32, exponent: i32, to: u32) -> Option<BigInt> {
    if exponent == 0 {
        return Some(big_power_of_ten(to));
    }
    if value.sign() == Sign::NoSign {
        return Some(BigInt::from(0));
    }
    // digits × 10^place
    let (mut base, mut base_place) = (value.clone(), -i64::from(scale));
    let (mut result, mut place) = (BigInt::from(1), 0_i64);
    let mut left = exponent.unsigned_abs();
    loop {
        if left & 1 == 1 {
            result *= &base;
            place = place.checked_add(base_place)?;
            shorten(&mut result, &mut place);
        }
        left >>= 1;
        if left == 0 {
            break;
        }
        base = &base * &base;
        base_place = base_place.checked_mul(2)?;
        shorten(&mut base, &mut base_place);
    }
    if exponent < 0 {
        // 1 / (digits × 10^place)
        let more = u32::try_from(result.bits()).ok()? + SIGNIFICANT as u32;
        result = big_power_of_ten(more) / result;
        place = place.checked_neg()?.checked_sub(more.into())?;
        shorten(&mut result, &mut place);
    }
    let more = place.checked_add(to.into())?;
    // About three bits are a digit.
    let length = i64::try_from(result.bits() / 3).ok()?.checked_add(place)?;
    if more >= 0 {
        return (length < 200).then(|| result * big_power_of_ten(u32::try_from(more).unwrap_or(0)));
    }
    if more < -1000 {
        return Some(BigInt::from(0));
    }
    Some(big_quotient(&result, &big_power_of_ten(u32::try_from(-more).unwrap_or(0))))
}

/// Cuts digits that do not count.
fn shorten(value: &mut BigInt, place: &mut i64) {
    let digits = value.bits() * 301 / 1000;
    if digits > SIGNIFICANT {
        let cut = digits - SIGNIFICANT;
        *value = &*value / big_power_of_ten(u32::try_from(cut).unwrap_or(u32::MAX));
        *place = place.saturating_add(i64::try_from(cut).unwrap_or(i64::MAX));
    }
}
