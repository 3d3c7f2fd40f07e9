//! The fewest digits that mean a float, as PostgreSQL 12 and later write them (8.1.3, `extra_float_digits`): a decimal that lies exactly between
//! two floats means neither, though reading it gives the one whose last bit is 0. Rust's shortest digits take it for that one.

use num_bigint::BigInt;
use std::fmt::LowerExp;
use std::str::FromStr;

/// A float of a binary format of IEEE 754.
pub(super) trait Binary: LowerExp + Copy + PartialEq + FromStr {
    /// The mantissa m and the exponent e of `m * 2^e`, and whether the float below is only half as far as that above. The sign is left out.
    fn parts(self) -> (u64, i32, bool);
    /// Below it, the middle between two floats is no whole number.
    const WHOLE: u64;
}

impl Binary for f64 {
    fn parts(self) -> (u64, i32, bool) {
        let bits = self.to_bits();
        let (exponent, fraction) = (((bits >> 52) & 0x7ff) as i32, bits & ((1 << 52) - 1));
        match exponent {
            0 => (fraction, -1074, false),
            _ => (fraction | 1 << 52, exponent - 1075, fraction == 0 && exponent > 1),
        }
    }
    const WHOLE: u64 = 1 << 53;
}

impl Binary for f32 {
    fn parts(self) -> (u64, i32, bool) {
        let bits = self.to_bits();
        let (exponent, fraction) = (((bits >> 23) & 0xff) as i32, u64::from(bits & ((1 << 23) - 1)));
        match exponent {
            0 => (fraction, -149, false),
            _ => (fraction | 1 << 23, exponent - 150, fraction == 0 && exponent > 1),
        }
    }
    const WHOLE: u64 = 1 << 24;
}

/// The digits of a finite float with an exponent, as `-1.25e-3`.
pub(super) fn digits<F: Binary>(value: F) -> String {
    let shortest = format!("{value:e}");
    if !is_between(&shortest, value) {
        return shortest;
    }
    // 17 digits are enough for every float.
    let longer = (0..17).map(|precision| format!("{value:.precision$e}"));
    let means = |digits: &String| digits.parse().is_ok_and(|read: F| read == value) && !is_between(digits, value);
    longer.into_iter().find(means).unwrap_or(shortest)
}

/// Whether these digits lie exactly between the float and one of its neighbours.
fn is_between<F: Binary>(digits: &str, value: F) -> bool {
    let (mantissa, exponent, is_lower_nearer) = value.parts();
    if mantissa % 2 == 1 {
        return false;
    }
    let Some((written, power)) = digits.trim_start_matches('-').split_once('e') else { return false };
    let Ok(power) = power.parse::<i32>() else { return false };
    let behind = written.split_once('.').map_or(0, |(_, behind)| behind.len());
    let Ok(decimal) = written.replace('.', "").parse::<u64>() else { return false };
    let power = power - i32::try_from(behind).unwrap_or(0);
    // A fraction of powers of 2 has as many fives as digits behind the point, and 17 digits have at most 24 of them.
    let is_possible = match power {
        -24..0 => decimal % 5 == 0,
        0..=24 => power > 19 || decimal.saturating_mul(10u64.pow(power.unsigned_abs())) >= F::WHOLE,
        _ => false,
    };
    if !is_possible {
        return false;
    }
    // Everything in quarters of the last bit, without fractions: times 2^-(exponent - 2) and 10^-power where those are below 1.
    let scaled = |number: BigInt, twos: i32, tens: i32| {
        number * BigInt::from(2).pow(twos.max(0).unsigned_abs()) * BigInt::from(10).pow(tens.max(0).unsigned_abs())
    };
    let decimal = scaled(BigInt::from(decimal), 2 - exponent, power);
    let quarters = |count: i64| scaled(BigInt::from(4 * mantissa) + count, exponent - 2, -power);
    decimal == quarters(2) || decimal == quarters(if is_lower_nearer { -1 } else { -2 })
}
