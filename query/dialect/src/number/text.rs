//! Numbers as texts, and texts as numbers, as PostgreSQL writes and reads them.

use super::decimal::{has_digits, length, needed_scale, too_many_digits};
use super::shortest::{self, Binary};
use crate::error::SqlError;
use crate::types::{NUMERIC_DIGITS, PgType, SHOWN_SCALE};
use arrow_buffer::i256;
use datafusion::common::Result;
use num_bigint::BigInt;

/// Exponents above it fail in a text of a numeric before digits are made of it.
const LARGEST_EXPONENT: i64 = 1000;

/// A `double precision` as text: the fewest digits that mean the same value.
pub(crate) fn of_float8(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        of_finite(value, value == 0.0 && value.is_sign_negative(), 15)
    }
}

/// A `real` as text: the fewest digits that mean the same value.
pub(crate) fn of_float4(value: f32) -> String {
    if value.is_finite() {
        of_finite(value, value == 0.0 && value.is_sign_negative(), 6)
    } else {
        of_float8(value.into())
    }
}

/// The digits are written with an exponent if that is below -4, or not below `limit`.
fn of_finite(value: impl Binary, is_minus_zero: bool, limit: i32) -> String {
    if is_minus_zero {
        return "-0".to_owned();
    }
    let shortest = shortest::digits(value);
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    let Ok(exponent) = exponent.parse::<i32>() else { return shortest };
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let point = exponent + 1;
    if point <= 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    }
    let point = point as usize;
    if digits.len() <= point {
        return format!("{sign}{digits}{}", "0".repeat(point - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

/// A numeric as text, with all digits of its scale.
pub(crate) fn of_digits(value: i256, scale: i8) -> String {
    let text = value.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    if scale <= 0 {
        let zeros = if value == i256::ZERO { 0 } else { usize::from(scale.unsigned_abs()) };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let scale = usize::from(scale.unsigned_abs());
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, behind) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{behind}")
}

/// A numeric as text. Zeros at the end are not shown if the column's scale is an open one.
pub(crate) fn of_numeric(value: i256, scale: i8) -> String {
    if scale <= SHOWN_SCALE {
        return of_digits(value, scale);
    }
    let needed = needed_scale(value, scale);
    let factor = super::decimal::power_of_ten(u32::from((scale - needed).unsigned_abs())).unwrap_or(i256::ONE);
    of_digits(value.wrapping_div(factor), needed)
}

/// PostgreSQL's white space.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}'])
}

/// A whole number: spaces, a sign, digits.
pub(crate) fn whole(text: &str, to: &PgType) -> Result<i64> {
    let digits = trimmed(text);
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SqlError::invalid_text(&to.to_string(), text).into());
    }
    let out_of_range = || {
        SqlError::new(
            "22003",
            format!("value \"{}\" is out of range for type {to}", digits.chars().take(100).collect::<String>()),
        )
    };
    let value: i64 = digits.parse().map_err(|_| out_of_range())?;
    let fits = match to {
        PgType::Int2 => i16::try_from(value).is_ok(),
        PgType::Int4 => i32::try_from(value).is_ok(),
        _ => true,
    };
    if fits { Ok(value) } else { Err(out_of_range().into()) }
}

/// Whether it is `[digits][.digits][e[sign]digits]` with a digit before the exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |part: &str| {
        let digits = part.strip_prefix(['+', '-']).unwrap_or(part);
        !digits.is_empty() && are_digits(digits)
    };
    are_digits(whole)
        && are_digits(behind)
        && !(whole.is_empty() && behind.is_empty())
        && exponent.is_none_or(is_exponent)
}

/// NaN and the infinities by PostgreSQL's names for them.
fn special(unsigned: &str) -> Option<f64> {
    if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
        return Some(f64::INFINITY);
    }
    unsigned.eq_ignore_ascii_case("nan").then_some(f64::NAN)
}

/// A `double precision`.
pub(crate) fn float8(text: &str) -> Result<f64> {
    float(text, "double precision", |digits| digits.parse().ok())
}

/// A `real`.
pub(crate) fn float4(text: &str) -> Result<f32> {
    let value = float(text, "real", |digits| digits.parse::<f32>().ok().map(f64::from))?;
    Ok(value as f32)
}

fn float(text: &str, name: &str, parse: impl Fn(&str) -> Option<f64>) -> Result<f64> {
    let digits = trimmed(text);
    let (is_negative, unsigned) = match digits.strip_prefix(['+', '-']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits),
    };
    let value = match special(unsigned) {
        Some(value) => value,
        None if is_decimal(unsigned) => {
            let value = parse(unsigned).ok_or_else(|| SqlError::invalid_text(name, text))?;
            let is_zero = |mantissa: &str| !mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
            let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
            if value.is_infinite() || (value == 0.0 && !is_zero(mantissa)) {
                let shown: String = digits.chars().take(100).collect();
                return Err(SqlError::new("22003", format!("\"{shown}\" is out of range for type {name}")).into());
            }
            value
        }
        None => return Err(SqlError::invalid_text(name, text).into()),
    };
    Ok(if is_negative { -value } else { value })
}

/// A numeric with the digits that the text has behind its point.
pub(crate) fn numeric(text: &str) -> Result<(BigInt, i32)> {
    let digits = trimmed(text);
    let (is_negative, unsigned) = match digits.strip_prefix(['+', '-']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits),
    };
    if special(unsigned).is_some() {
        return Err(SqlError::not_supported("NaN and infinities as numeric are not supported").into());
    }
    let invalid = || SqlError::invalid_text("numeric", text);
    if !is_decimal(unsigned) {
        return Err(invalid().into());
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX / 2)),
        None => (unsigned, 0),
    };
    if exponent.abs() > LARGEST_EXPONENT || mantissa.len() > LARGEST_EXPONENT as usize {
        return Err(too_many_digits().into());
    }
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let value: BigInt = format!("{whole}{behind}").parse().map_err(|_| invalid())?;
    let value = if is_negative { -value } else { value };
    let scale = i64::try_from(behind.len()).unwrap_or(i64::MAX) - exponent;
    if scale >= 0 {
        return Ok((value, i32::try_from(scale).map_err(|_| too_many_digits())?));
    }
    Ok((value * super::decimal::big_power_of_ten(u32::try_from(-scale).map_err(|_| too_many_digits())?), 0))
}

/// A numeric as the nearest `double precision`.
pub(crate) fn float8_of_numeric(value: i256, scale: i8) -> f64 {
    // The largest whole number up to which all are doubles, and the largest power of ten that is one.
    const EXACT: i128 = 1 << 53;
    if let Some(digits) = value.to_i128()
        && digits.abs() <= EXACT
        && (0..=22).contains(&scale)
    {
        return digits as f64 / 10_f64.powi(scale.into());
    }
    of_numeric(value, scale).parse().unwrap_or(f64::NAN)
}

/// A numeric as the nearest `real`.
pub(crate) fn float4_of_numeric(value: i256, scale: i8) -> Result<f32> {
    let nearest: f32 = of_numeric(value, scale).parse().unwrap_or(f32::NAN);
    if nearest.is_infinite() || (nearest == 0.0 && value != i256::ZERO) {
        let shown = of_numeric(value, scale);
        return Err(SqlError::new("22003", format!("\"{shown}\" is out of range for type real")).into());
    }
    Ok(nearest)
}

/// A finite float with `digits` significant digits, as numeric.
pub(crate) fn numeric_of_float(value: f64, digits: usize) -> Result<(BigInt, i32)> {
    if !value.is_finite() {
        return Err(SqlError::not_supported("NaN and infinities as numeric are not supported").into());
    }
    if value == 0.0 {
        return Ok((BigInt::from(0), 0));
    }
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // PostgreSQL writes it as %g, which has no zeros at the end.
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    numeric(&format!("{mantissa}e{exponent}"))
}

/// Refuses a value that `numeric(precision, scale)` does not hold.
pub(crate) fn within(value: i256, precision: u8, scale: i8) -> Result<i256> {
    if precision >= NUMERIC_DIGITS || length(value) < i32::from(precision) || has_digits(value, precision) {
        return Ok(value);
    }
    Err(SqlError::new("22003", "numeric field overflow")
        .with_detail(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{}.",
            i32::from(precision) - i32::from(scale)
        ))
        .into())
}
