//! Numerics as texts and in PostgreSQL's binary form (`numeric_send`): digits to the base 10000.

use super::error::InputError;
use datafusion::arrow::datatypes::i256;
use datafusion::common::ScalarValue;

/// The most digits that the engine holds.
const MOST_DIGITS: usize = 76;
/// The most digits of the shorter of its two types.
const DIGITS_OF_128_BITS: usize = 38;
/// Zeros at the end are shown up to this scale. A larger one is that of a result whose scale nothing determines.
const SHOWN_SCALE: i8 = 20;

/// A numeric of its digits without the point: `-12345` with the scale 2 is `-123.45`.
pub(super) fn text(unscaled: &str, scale: i8) -> String {
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
    let places = usize::try_from(scale).unwrap_or(0);
    if places == 0 {
        let zeros = if digits == "0" { 0 } else { usize::from(scale.unsigned_abs()) };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = if scale > SHOWN_SCALE { fraction.trim_end_matches('0') } else { fraction };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// The value of a text.
pub(super) fn parse(text: &str) -> Result<ScalarValue, InputError> {
    let invalid = || InputError::new("22P02", format!("invalid input syntax for type numeric: \"{text}\""));
    let trimmed = text.trim();
    if ["nan", "infinity", "-infinity", "inf", "-inf", "+infinity"].contains(&trimmed.to_lowercase().as_str()) {
        return Err(InputError::new("0A000", format!("{trimmed} as a parameter of type numeric is not supported")));
    }
    let (sign, unsigned) = match trimmed.split_at_checked(1) {
        Some(("-", rest)) => ("-", rest),
        Some(("+", rest)) => ("", rest),
        _ => ("", trimmed),
    };
    let (mantissa, exponent) = unsigned
        .split_once(['e', 'E'])
        .map_or((unsigned, Ok(0)), |(mantissa, exponent)| (mantissa, exponent.parse::<i32>()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent = exponent.map_err(|_| invalid())?;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid());
    }
    let too_long =
        || InputError::new("22003", format!("a parameter of type numeric has at most {MOST_DIGITS} digits here"));
    if exponent.unsigned_abs() as usize > 2 * MOST_DIGITS || digits.len() > 4 * MOST_DIGITS {
        return Err(too_long());
    }
    let places = fraction.len() as i64 - i64::from(exponent);
    let zeros = usize::try_from(-places).unwrap_or(0);
    let digits = format!("{}{}", digits.trim_start_matches('0'), "0".repeat(zeros));
    let scale = usize::try_from(places).unwrap_or(0);
    let precision = digits.trim_start_matches('0').len().max(scale).max(1);
    if precision > MOST_DIGITS {
        return Err(too_long());
    }
    let unscaled = if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") };
    let (precision, scale) = (precision as u8, scale as i8);
    let value = if usize::from(precision) <= DIGITS_OF_128_BITS {
        unscaled.parse().ok().map(|value: i128| ScalarValue::Decimal128(Some(value), precision, scale))
    } else {
        i256::from_string(&unscaled).map(|value| ScalarValue::Decimal256(Some(value), precision, scale))
    };
    value.ok_or_else(invalid)
}

/// The text of a value in the binary form; `None` if the bytes are none.
pub(super) fn from_binary(bytes: &[u8]) -> Option<String> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let [count, weight, sign, scale] = [0, 2, 4, 6].map(|at| u16::from_be_bytes([head[at], head[at + 1]]));
    let (groups, rest) = groups.as_chunks::<2>();
    if !rest.is_empty() || groups.len() != usize::from(count) || count > 1_000 || scale > 16_383 {
        return None;
    }
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let groups: Vec<u16> = groups.iter().map(|group| u16::from_be_bytes(*group)).collect();
    if groups.iter().any(|group| *group > 9_999) {
        return None;
    }
    let weight = i32::from(weight.cast_signed());
    let group = |place: i32| usize::try_from(weight - place).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    if weight > 1_000 {
        return None;
    }
    let whole: String = (0..=weight).rev().map(|place| format!("{:04}", group(place))).collect();
    let places = i32::from(scale).div_euclid(4) + 1;
    let fraction: String = (1..=places).map(|place| format!("{:04}", group(-place))).collect();
    let fraction = fraction.get(..usize::from(scale)).unwrap_or_default();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// Appends the binary form of a text of digits.
pub(super) fn to_binary(out: &mut Vec<u8>, text: &str) {
    let (sign, digits) = text.strip_prefix('-').map_or((0_u16, text), |digits| (0x4000, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let padded = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let padded_fraction = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let groups = |digits: &str| -> Vec<u16> {
        let (groups, _) = digits.as_bytes().as_chunks::<4>();
        groups.iter().map(|group| group.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))).collect()
    };
    let mut all = groups(&padded);
    let mut weight = all.len() as i16 - 1;
    all.extend(groups(&padded_fraction));
    let leading = all.iter().take_while(|group| **group == 0).count();
    all.drain(..leading);
    weight -= leading as i16;
    all.truncate(all.len() - all.iter().rev().take_while(|group| **group == 0).count());
    if all.is_empty() {
        weight = 0;
    }
    let sign = if all.is_empty() { 0 } else { sign };
    for number in [all.len() as u16, weight.cast_unsigned(), sign, fraction.len() as u16] {
        out.extend(number.to_be_bytes());
    }
    all.iter().for_each(|group| out.extend(group.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        to_binary(&mut out, text);
        out
    }

    #[test]
    fn digits_have_a_point_at_their_scale() {
        for (unscaled, scale, expected) in [
            ("12345", 2, "123.45"),
            ("-5", 3, "-0.005"),
            ("0", 2, "0.00"),
            ("7", 0, "7"),
            ("7", -2, "700"),
            ("-1230000000000000000000000000000", 30, "-1.23"),
            ("3000000000000000000000000000000", 30, "3"),
        ] {
            assert_eq!(text(unscaled, scale), expected);
        }
    }

    #[test]
    fn a_text_has_the_scale_that_is_written() {
        for (written, expected) in [
            ("123.45", ScalarValue::Decimal128(Some(12_345), 5, 2)),
            ("-0.005", ScalarValue::Decimal128(Some(-5), 3, 3)),
            ("0", ScalarValue::Decimal128(Some(0), 1, 0)),
            (" +1.50 ", ScalarValue::Decimal128(Some(150), 3, 2)),
            ("1e3", ScalarValue::Decimal128(Some(1_000), 4, 0)),
            ("1.5E-3", ScalarValue::Decimal128(Some(15), 4, 4)),
            (".5", ScalarValue::Decimal128(Some(5), 1, 1)),
            ("5.", ScalarValue::Decimal128(Some(5), 1, 0)),
        ] {
            assert_eq!(parse(written), Ok(expected), "{written}");
        }
        let long = "9".repeat(60);
        assert!(matches!(parse(&long), Ok(ScalarValue::Decimal256(Some(_), 60, 0))));
        for (wrong, code) in [
            ("seven", "22P02"),
            ("", "22P02"),
            ("1.2.3", "22P02"),
            ("--1", "22P02"),
            ("NaN", "0A000"),
            ("1e99", "22003"),
        ] {
            assert_eq!(parse(wrong).map_err(|error| error.code), Err(code), "{wrong}");
        }
    }

    #[test]
    fn the_binary_form_is_that_of_postgresql() {
        assert_eq!(binary("123.45"), [0, 2, 0, 0, 0, 0, 0, 2, 0, 123, 0x11, 0x94]);
        assert_eq!(binary("-10000"), [0, 1, 0, 1, 0x40, 0, 0, 0, 0, 1]);
        assert_eq!(binary("0.00"), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(binary("0.0001"), [0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]);
        assert_eq!(from_binary(&[0, 0, 0, 0, 0xC0, 0, 0, 0]).as_deref(), Some("NaN"));
        assert_eq!(from_binary(&[0, 1, 0, 0, 0, 0, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = from_binary(&bytes);
        }

        #[test]
        fn a_numeric_is_that_of_its_binary_form(unscaled in any::<i64>(), scale in 0_i8..20) {
            let written = text(&unscaled.to_string(), scale);
            let read = from_binary(&binary(&written));
            prop_assert_eq!(read.as_deref(), Some(written.as_str()));
            let unscaled_again = match parse(&written) {
                Ok(ScalarValue::Decimal128(Some(value), _, _)) => value,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            prop_assert_eq!(unscaled_again, i128::from(unscaled));
        }
    }
}
